/* subprocess_start.c: from what is asked for to a child that runs, or to a sentence that says why not. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "subprocess_internal.h"

/* What a start works on, in whichever thread. */
struct start {
    const at_stream *streams;
    struct spawn *spawn;
    at_popen *popen;
    at_command_failure *failure;
};

/* The candidate that exists, of those that could not be executed; NULL without one. */
static const char *find_existing(char *const *candidates, struct stat *status) {
    for (char *const *candidate = candidates; *candidate != NULL; candidate++)
        if (stat(*candidate, status) == 0)
            return *candidate;
    return NULL;
}

/* What may be wrong with a program that was not executed. */
static const char *guess(const struct spawn *spawn, int error) {
    struct stat status;
    bool is_relative = spawn->cwd != NULL && spawn->candidates[0][0] != '/'; /* to where the child was then */
    if (is_relative || find_existing(spawn->candidates, &status) == NULL)
        return error == -ENOENT && spawn->was_searched ? "; it is in no folder of PATH" : "";
    switch (error) {
    case -ENOENT:
        return "; it is there, but the interpreter in its first line is not";
    case -EACCES:
        return S_ISDIR(status.st_mode) ? "; it is a folder" : "";
    case -ENOEXEC:
        return "; no program for this machine, nor a script with a first line like #!/bin/sh";
    default:
        return "";
    }
}

/* A program that is nowhere is named as it was given, one that is somewhere by its path. */
static int explain_exec(const struct start *start, int error, int candidate) {
    const struct spawn *spawn = start->spawn;
    const char *path = spawn->candidates[candidate];
    if (error == -ENOENT && spawn->was_searched && strrchr(path, '/') != NULL)
        path = strrchr(path, '/') + 1;
    return failure_set(start->failure, error, AT_STAGE_EXEC, start->popen->args, path,
                       "cannot execute \"%.200s\": %s%s", path, at_strerror(error), guess(spawn, error));
}

/* What failed in the child, as a sentence. */
static int explain(const struct start *start, int error, at_stage stage, int about) {
    const struct spawn *spawn = start->spawn;
    const char *why = at_strerror(error);
    char number[16];
    snprintf(number, sizeof number, "%d", about);
    switch (stage) {
    case AT_STAGE_SIGNALS:
        return failure_set(start->failure, error, stage, start->popen->args, "", "cannot tie it to this process: %s",
                           why);
    case AT_STAGE_SESSION:
        return failure_set(start->failure, error, stage, start->popen->args, "", "cannot make a new session: %s", why);
    case AT_STAGE_GROUP:
        return failure_set(start->failure, error, stage, start->popen->args, number,
                           "cannot move to process group %s: %s", number, why);
    case AT_STAGE_STREAMS:
        return failure_set(start->failure, error, stage, start->popen->args, stream_names[about],
                           "cannot connect %s: %s", stream_names[about], why);
    case AT_STAGE_CHDIR:
        return failure_set(start->failure, error, stage, start->popen->args, spawn->cwd,
                           "cannot change to folder \"%.200s\": %s", spawn->cwd, why);
    case AT_STAGE_DESCRIPTORS:
        if (about < 0)
            return failure_set(start->failure, error, stage, start->popen->args, "close_fds",
                               "cannot close the other descriptors: %s", why);
        return failure_set(start->failure, error, stage, start->popen->args, number, "cannot pass descriptor %s: %s",
                           number, why);
    case AT_STAGE_EXEC:
        break;
    default:
        return failure_set(start->failure, error, stage, start->popen->args, "", "cannot make a process: %s", why);
    }
    return explain_exec(start, error, about);
}

/*
 * Where this process's own streams are closed, new descriptors would get their numbers, and what the program then
 * prints would go into a pipe. So these places are taken, by what nobody can read or write, until the child has its
 * streams.
 */
static int take_places(int places[3]) {
    int error = 0;
    for (int i = 0; i < 3; i++)
        places[i] = -1;
    for (int i = 0; i < 3 && error == 0; i++) {
        if (fcntl(i, F_GETFD) >= 0)
            continue;
        int descriptor = open("/", O_PATH | O_CLOEXEC);
        if (descriptor < 0)
            error = -errno;
        else if (descriptor > STDERR_FILENO)
            close(descriptor); /* another thread has opened it meanwhile */
        else
            places[descriptor] = descriptor;
    }
    return error;
}

static void give_places(const int places[3]) {
    for (int i = 0; i < 3; i++)
        if (places[i] >= 0)
            close(places[i]);
}

static int start_here(void *arg) {
    const struct start *start = arg;
    struct connections connections;
    struct launched launched;
    at_stage stage;
    int about;
    int places[3];
    children_begin_spawn();
    int error = take_places(places);
    if (error != 0)
        failure_set(start->failure, error, AT_STAGE_OPEN, start->popen->args, "/", "cannot open \"/\": %s",
                    at_strerror(error));
    else
        error = connections_open(start->streams, start->popen->args, &connections, start->failure);
    if (error == 0) {
        memcpy(start->spawn->streams, connections.child, sizeof connections.child);
        error = spawn_program(start->spawn, &launched, &stage, &about);
        connections_close_childs(&connections);
        if (error != 0) {
            connections_close_own(&connections);
            explain(start, error, stage, about);
        }
    }
    for (int i = 0; i < 3 && error == 0; i++)
        start->popen->ends[i] = connections.own[i];
    give_places(places);
    children_end_spawn(error == 0 ? &start->popen->child : NULL, &launched);
    return error;
}

/*
 * The child that is tied to this process is tied to the thread that spawns it. at_run's own does not go away before it.
 */
static int start_in_thread(enum subprocess_call call, struct start *start) {
    if (call != CALL_POPEN || start->spawn->outlives_parent)
        return start_here(start);
    start->failure->code = 0;
    int error = call_in_lasting_thread(start_here, start);
    if (error != 0 && start->failure->code == 0)
        failure_set(start->failure, error, AT_STAGE_FORK, start->popen->args, "",
                    "cannot start the thread that starts it: %s", at_strerror(error));
    return error;
}

/* So that lines come in their order. Before the spawn begins: a flush may wait, and so would all forks. */
static void flush_streams_for(const at_stream streams[3]) {
    bool is_written[3] = {false};
    for (int i = 1; i < 3; i++) {
        int descriptor = streams[i].kind == AT_STREAM_INHERIT      ? i
                         : streams[i].kind == AT_STREAM_DESCRIPTOR ? streams[i].descriptor
                                                                   : -1;
        if (descriptor == STDOUT_FILENO || descriptor == STDERR_FILENO)
            is_written[descriptor] = true;
        if (streams[i].kind == AT_STREAM_FILE)
            fflush(streams[i].file);
    }
    flush_inherited(is_written[1], is_written[2]);
}

/* With the streams as they are, and the command copied. */
static int start_command(enum subprocess_call call, const at_subprocess_options *options, const at_stream streams[3],
                         at_popen *popen, at_command_failure *failure) {
    struct vectors vectors;
    struct spawn spawn = {
        .cwd = options->cwd,
        .new_session = options->start_new_session,
        .has_group = options->process_group.given,
        .group = (pid_t)options->process_group.value,
        .has_umask = options->umask.given,
        .umask = (mode_t)options->umask.value,
        .restore_signals = !options->restore_signals.off,
        .closes = !options->close_fds.off,
        .outlives_parent = options->outlives_parent,
        .mask = spawn_mask(),
    };
    struct start start = {streams, &spawn, popen, failure};
    children_reap_abandoned();
    flush_streams_for(streams);
    int error = vectors_make(popen->args, options, &vectors, &spawn, failure);
    if (error == 0)
        error = start_in_thread(call, &start);
    vectors_free(&vectors);
    return error;
}

void popen_explain_text(const at_popen *popen, at_command_failure *failure) {
    static const char *const NAMES[] = {"input", "stdout", "stderr"};
    const char *name = NAMES[popen->bad_stream], *encoding = popen->text.encoding;
    bool is_utf8 = *encoding == '\0';
    failure_set(failure, -EILSEQ, AT_STAGE_OUTPUT, popen->args, name,
                "byte %zu of %s is not %s%s; name the right .encoding, or say .errors = \"replace\"", popen->bad, name,
                is_utf8                  ? "UTF-8"
                : popen->bad_stream == 0 ? "UTF-8, or not in "
                                         : "",
                encoding);
}

/* Without memory, or for want of sense: what of the options it was. */
static int refuse(at_command_failure *failure, int error, char **args, const char *option, const char *value) {
    if (error == -EINVAL)
        return failure_set(failure, error, AT_STAGE_OPTIONS, args, option,
                           ".%s = \"%.60s\" is unknown; %s (nothing was started)", option, value,
                           strcmp(option, "errors") == 0 ? "say \"strict\", \"replace\" or \"ignore\""
                                                         : "leave it out for UTF-8, or say one that `iconv -l` lists");
    return failure_set(failure, error, AT_STAGE_OPTIONS, args, option, "%s", at_strerror(error));
}

int popen_start(enum subprocess_call call, char **args, const at_subprocess_options *options,
                const at_stream streams[3], at_popen **popen, at_command_failure *failure) {
    struct text text;
    const char *option;
    *popen = NULL;
    int error = options_check(call, options, failure);
    if (error != 0)
        return error;
    error = text_choose(options, &text, &option);
    if (error != 0)
        return refuse(failure, error, args, option,
                      strcmp(option, "errors") == 0 ? options->errors : options->encoding);
    at_popen *started = popen_new(args, &text, options);
    if (started == NULL)
        return refuse(failure, -ENOMEM, args, "", "");
    if (options->input.given)
        error = communicate_input(started, options->input);
    if (error == -EILSEQ)
        popen_explain_text(started, failure);
    else if (error != 0)
        refuse(failure, error, args, "input", "");
    else
        error = start_command(call, options, streams, started, failure);
    if (error == 0) {
        *popen = started;
    } else {
        started->args = NULL;
        at_popen_free(started);
    }
    return error;
}
