/* child.c: a process that is kept running; see child.h. */
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t SECOND = 1000000000, WINDOW = 60 * SECOND, LONGEST = 5 * SECOND;

/* This process's variables and those, which come before one of the same name. NULL: memory is short. */
static at_variable *environment(const struct child_program *program, char **texts, size_t *count) {
    size_t own = 0, size = 1;
    for (; environ[own] != NULL; own++)
        size += strlen(environ[own]) + 1;
    at_variable *all = malloc((own + program->variable_count) * sizeof *all + 1);
    char *text = *texts = malloc(size);
    if (all == NULL || text == NULL) {
        free(all);
        free(text);
        return NULL;
    }
    *count = 0;
    for (size_t i = 0; i < program->variable_count; i++)
        all[(*count)++] = program->variables[i];
    for (size_t i = 0; i < own; i++) {
        char *value = strchr(strcpy(text, environ[i]), '=');
        bool given = value == NULL || value == text;
        if (!given)
            *value++ = '\0';
        for (size_t j = 0; !given && j < program->variable_count; j++)
            given = strcmp(program->variables[j].name, text) == 0;
        if (!given)
            all[(*count)++] = (at_variable){text, value};
        text += strlen(environ[i]) + 1;
    }
    return all;
}

/* One more death without use: when to try again, or never. */
static void count_death(struct child *child, uint64_t now) {
    if (child->deaths == 0 || now - child->first > WINDOW) {
        child->deaths = 0;
        child->first = now;
    }
    child->deaths++;
    child->out = child->deaths >= CHILD_DEATHS;
    uint64_t wait = SECOND / 10 << (child->deaths - 1);
    if (wait > LONGEST)
        wait = LONGEST;
    /* Between 3/4 and 5/4 of it: the moment of the death is as good as a random number. */
    child->again = now + wait * 3 / 4 + now % (wait / 2);
}

/* A death that is no fault of the program: what it lacks may be had later, so that it is tried as long as it takes. */
static void count_shortage(struct child *child, uint64_t now) {
    count_death(child, now);
    child->out = false;
    child->deaths -= child->deaths == CHILD_DEATHS;
}

/* Whether the system had nothing left to start it with. */
static bool is_shortage(int code) {
    return code == -EMFILE || code == -ENFILE || code == -EAGAIN || code == -ENOMEM;
}

int child_start(struct child *child, const struct child_program *program, uint64_t now, struct failure *failure) {
    char *texts;
    size_t count;
    at_variable *variables = environment(program, &texts, &count);
    if (variables == NULL)
        return fail(failure, -ENOMEM, "starting a worker: memory is short");
    at_command_failure why = {.code = 0};
    at_subprocess_options options = {.executable = program->executable,
                                     .env = at_env(variables, count),
                                     .pass_fds = at_fds(program->descriptors, program->descriptor_count),
                                     .stdin = AT_DEVNULL,
                                     .failure = &why};
    int result = at_popen_create(&child->popen, program->command, &options);
    free(variables);
    free(texts);
    child->killed = false;
    if (result != 0) {
        snprintf(child->why, sizeof child->why, "%.199s", why.text);
        if (is_shortage(result))
            count_shortage(child, now);
        else
            count_death(child, now);
        return fail(failure, result, "%s", why.text);
    }
    return 0;
}

int child_sentinel(struct child *child) {
    return child->popen == NULL ? -1 : at_popen_sentinel(child->popen);
}

int child_pid(struct child *child) {
    return child->popen == NULL ? 0 : at_popen_pid(child->popen);
}

static void describe_end(struct child *child, int returncode) {
    if (returncode == AT_NO_RETURNCODE)
        snprintf(child->why, sizeof child->why, "ended, and nobody knows how");
    else if (child->signal != 0)
        snprintf(child->why, sizeof child->why, "killed by signal %d (%s)", child->signal, strsignal(child->signal));
    else
        snprintf(child->why, sizeof child->why, "ended with status %d", returncode);
}

bool child_has_ended(struct child *child, bool useful, uint64_t now) {
    int returncode = AT_NO_RETURNCODE;
    if (child->popen == NULL || at_popen_poll(child->popen, &returncode) == -EAGAIN)
        return false;
    at_popen_free(child->popen);
    child->popen = NULL;
    child->signal = returncode < 0 && returncode != AT_NO_RETURNCODE ? -returncode : 0;
    child->status = returncode > 0 ? returncode : 0;
    if (!child->killed)
        describe_end(child, returncode);
    if (useful) {
        child->deaths = 0;
        child->again = now;
    } else if (child->status == CHILD_SHORT) {
        count_shortage(child, now);
    } else {
        count_death(child, now);
    }
    return true;
}

bool child_was_shot(const struct child *child) {
    return !child->killed && child->signal == SIGKILL;
}

void child_kill(struct child *child, const char *why) {
    if (child->popen == NULL)
        return;
    snprintf(child->why, sizeof child->why, "%s", why);
    child->killed = true;
    child_signal(child, SIGKILL);
}

void child_signal(struct child *child, int number) {
    if (child->popen != NULL)
        (void)!at_popen_send_signal(child->popen, number); /* it may have ended, and then there is nobody to send to */
}

void child_free(struct child *child) {
    if (child->popen == NULL)
        return;
    child_signal(child, SIGKILL);
    /* A process in a system call that does not end is reaped when it does. */
    (void)!at_popen_wait(child->popen, 1, NULL);
    at_popen_free(child->popen);
    child->popen = NULL;
}
