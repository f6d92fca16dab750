/* own_server.c: a server that a program starts for itself; see own_server.h. */
#include "own_server.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model.h"

enum { ARGUMENTS = 64 };

/* In seconds. How often it is asked whether to stop waiting is not seen by anybody. */
static const double LONGEST_START = 60, LONGEST_END = 15, LOOK = 0.1;

/* ---- its start */

/* The path of "serve" beside this program. */
static int find_program(char *path, size_t size, struct failure *failure) {
    static const char NAME[] = "serve";
    ssize_t length = readlink("/proc/self/exe", path, size - sizeof NAME);
    if (length < 0)
        return fail(failure, -errno, "/proc/self/exe: %s; is /proc mounted?", at_strerror(-errno));
    path[length] = '\0';
    strcpy(strrchr(path, '/') + 1, NAME);
    if (access(path, X_OK) != 0)
        return fail(failure, -errno, "%s: %s; build it (make)", path, at_strerror(-errno));
    return 0;
}

static int execute(struct own_server *server, const char *program, const char *const *options,
                   struct failure *failure) {
    const char *command[ARGUMENTS] = {program, "--port", "0"};
    for (size_t i = 0; options[i] != NULL; i++) {
        if (i + 4 == ARGUMENTS)
            return fail(failure, -E2BIG, "%s: more than %d options", program, ARGUMENTS - 4);
        command[i + 3] = options[i];
    }
    at_command_failure why;
    const char *const *vector = command;
    int result = at_popen_new(&server->popen, vector, .stdin = AT_DEVNULL, .stdout = AT_PIPE,
                              .stderr = at_file(server->log), .failure = &why);
    return result == 0 ? 0 : fail(failure, result, "%s", why.text);
}

/* It has ended, or says no more: its own last sentence is the reason. */
static int explain_end(struct own_server *server, struct failure *failure) {
    char said[OWN_SERVER_TEXT];
    own_server_said(server, said, sizeof said);
    said[strcspn(said, "\n")] = '\0';
    static const char NAME[] = "serve: ";
    const char *sentence = strncmp(said, NAME, sizeof NAME - 1) == 0 ? said + sizeof NAME - 1 : said;
    return fail(failure, -ECHILD, "%.380s", *sentence != '\0' ? sentence : "the server has ended and does not say why");
}

/*
 * Whether each of its workers, which it counts in what it says first, has died too often: it will not become ready any
 * more. Then the reason is what the last of them died of.
 */
static bool has_given_up(struct own_server *server, const char *said, struct failure *failure) {
    static const char OUT[] = "; it died too often";
    unsigned workers, out = 0;
    char log[16384];
    if (sscanf(said, "serve: %*[^,], %*[^,], %u worker", &workers) != 1)
        return false;
    own_server_said(server, log, sizeof log);
    char *last = NULL;
    for (char *here = log; (here = strstr(here, OUT)) != NULL; here++, out++)
        last = here;
    if (last == NULL || out < workers)
        return false;
    *last = '\0';
    char *line = strrchr(log, '\n');
    fail(failure, -ECHILD, "no device works; the server says: %.360s", line == NULL ? log : line + 1);
    return true;
}

/* Reads what it says on stdout until it is ready. */
static int await_ready(struct own_server *server, char *said, size_t size, const atomic_bool *stop,
                       struct failure *failure) {
    double until = at_now() + LONGEST_START;
    size_t length = 0;
    *said = '\0';
    while (strstr(said, "serve: ready\n") == NULL) {
        if (stop != NULL && atomic_load_explicit(stop, memory_order_relaxed)) /* nothing else is read by it */
            return fail(failure, -EINTR, "interrupted");
        if (at_now() > until)
            return fail(failure, -ETIMEDOUT,
                        "the server is not ready after %g s; start it by hand to see why (make serve)", LONGEST_START);
        struct pollfd output = {.fd = at_popen_stdout(server->popen), .events = POLLIN};
        if (poll(&output, 1, (int)(LOOK * 1000)) <= 0) {
            if (has_given_up(server, said, failure))
                return -ECHILD;
            continue;
        }
        ssize_t more = read(output.fd, said + length, size - 1 - length);
        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0)
            return explain_end(server, failure);
        length += (size_t)more;
        said[length] = '\0';
    }
    return 0;
}

/* "serve: http://127.0.0.1:43210, shared-queue, 2 workers: cpu cpu" */
static int read_where(struct own_server *server, char *said, struct failure *failure) {
    char *begin = strstr(said, "http://");
    if (begin == NULL)
        return fail(failure, -EBADMSG, "the server does not say where it is");
    begin[strcspn(begin, "\n")] = '\0';
    snprintf(server->where, sizeof server->where, "%.*s", OWN_SERVER_TEXT - 1, begin);
    begin[strcspn(begin, ",")] = '\0';
    return target_parse(&server->target, begin, failure);
}

int own_server_start(struct own_server *server, const char *program, const char *const *options, const char *source,
                     const atomic_bool *stop, struct failure *failure) {
    char path[PATH_MAX], said[4096], name[MODEL_NAME];
    *server = (struct own_server){.log = tmpfile()};
    int result = server->log == NULL ? fail(failure, -errno, "a temporary file: %s", at_strerror(-errno)) : 0;
    if (result == 0 && program == NULL)
        result = find_program(path, sizeof path, failure);
    if (result == 0)
        result = execute(server, program == NULL ? path : program, options, failure);
    if (result == 0)
        result = await_ready(server, said, sizeof said, stop, failure);
    if (result == 0)
        result = read_where(server, said, failure);
    model_name_of(source, name);
    if (result == 0)
        result = target_describe(&server->target, name, LONGEST_START, failure);
    if (result != 0)
        own_server_stop(server);
    return result;
}

/* ---- its end */

int own_server_stop(struct own_server *server) {
    int returncode = 0;
    if (server->popen != NULL) {
        (void)!at_popen_terminate(server->popen);
        if (at_popen_wait(server->popen, LONGEST_END, &returncode) == -ETIMEDOUT) {
            (void)!at_popen_kill(server->popen);
            (void)!at_popen_wait(server->popen, LONGEST_END, &returncode);
        }
    }
    at_popen_free(server->popen);
    if (server->log != NULL)
        fclose(server->log);
    *server = (struct own_server){0};
    return returncode;
}

/* ---- what it tells */

void own_server_said(const struct own_server *server, char *text, size_t size) {
    int descriptor = fileno(server->log);
    off_t most = (off_t)size - 1;
    struct stat file;
    off_t from = fstat(descriptor, &file) == 0 && file.st_size > most ? file.st_size - most : 0;
    ssize_t length = pread(descriptor, text, size - 1, from);
    text[length > 0 ? length : 0] = '\0';
}

double own_server_metric(const struct own_server *server, const char *name) {
    char *text = NULL;
    struct failure ignored;
    double value = -1;
    if (target_get(&server->target, "/metrics", LONGEST_END, &text, &ignored) != 200) {
        free(text);
        return -1;
    }
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtod(line + strcspn(line, " "), NULL);
            break;
        }
    }
    free(text);
    return value;
}

/* Reads a file of /proc and ends it with a NUL. Returns its length; 0 when there is no such process any more. */
static size_t read_process(const char *pid, const char *file, char *text, size_t size) {
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/%s", pid, file);
    FILE *stream = fopen(path, "re");
    size_t length = stream == NULL ? 0 : fread(text, 1, size - 1, stream);
    if (stream != NULL)
        fclose(stream);
    text[length] = '\0';
    return length;
}

/* Whether it is the server's child, and was executed with "--worker" and that index. */
static bool is_worker(const char *pid, pid_t server, unsigned index) {
    char text[2048], number[16];
    int parent = 0;
    read_process(pid, "stat", text, sizeof text);
    const char *name_end = strrchr(text, ')'); /* the name may hold blanks and parentheses */
    if (name_end == NULL || sscanf(name_end, ") %*c %d", &parent) != 1 || parent != server)
        return false;
    size_t length = read_process(pid, "cmdline", text, sizeof text);
    const char *option = memmem(text, length, "--worker", sizeof "--worker");
    snprintf(number, sizeof number, "%u", index);
    return option != NULL && strcmp(option + sizeof "--worker", number) == 0;
}

pid_t own_server_worker(const struct own_server *server, unsigned index) {
    DIR *processes = opendir("/proc");
    pid_t found = -ESRCH;
    if (processes == NULL)
        return found;
    for (struct dirent *entry; found < 0 && (entry = readdir(processes)) != NULL;)
        if (isdigit((unsigned char)entry->d_name[0]) && is_worker(entry->d_name, at_popen_pid(server->popen), index))
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    closedir(processes);
    return found;
}
