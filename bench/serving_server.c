/* serving_server.c: starting, watching and ending the servers that are measured. */
#include "serving_server.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "measure.h"

static const double START_SECONDS = 30, STOP_SECONDS = 15, ASK_SECONDS = 5;

const char *server_program(void) {
    static char path[4096];
    const char *given = getenv("SERVER");
    if (given != NULL && given[0] != '\0')
        return given;
    char self[4000] = "";
    bool known = readlink("/proc/self/exe", self, sizeof self - 1) >= 0;
    snprintf(path, sizeof path, "%s/../gpu/serve", known ? dirname(self) : "build/bench");
    return path;
}

/* It cannot be measured: a failure of the run when it is ours; a peer may be missing. */
__attribute__((format(printf, 2, 3))) static bool lacks(struct server *server, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(server->reason, sizeof server->reason, format, arguments);
    va_end(arguments);
    if (server->peer)
        note("bench: %s is left out: %s", server->title, server->reason);
    else
        note_failure("bench: %s: %s", server->title, server->reason);
    return false;
}

/* A line of what it says, without its end; false when none comes until then. */
static bool read_line(int descriptor, char *line, size_t size, uint64_t until) {
    size_t length = 0;
    while (length + 1 < size) {
        uint64_t now = now_ns();
        struct pollfd source = {.fd = descriptor, .events = POLLIN};
        if (now >= until || interrupted())
            return false;
        int left = (int)((until - now) / 1000000) + 1;
        int found = poll(&source, 1, left < 100 ? left : 100); /* so that Ctrl-C is heeded */
        if (found == 0 || (found < 0 && errno == EINTR))
            continue;
        if (found < 0 || read(descriptor, line + length, 1) != 1)
            return false;
        if (line[length] == '\n')
            break;
        length++;
    }
    line[length] = '\0';
    return true;
}

/* Reads where it listens, and on until all of it is ready. */
static bool await_ready(struct server *server, uint64_t until) {
    char line[512], url[300] = "";
    size_t ready = 0, wanted = server->ready_lines > 0 ? server->ready_lines : 1;
    while (ready < wanted && read_line(at_popen_stdout(server->popen), line, sizeof line, until)) {
        const char *begin = strstr(line, "http://");
        if (begin != NULL && url[0] == '\0')
            snprintf(url, sizeof url, "%.*s", (int)strcspn(begin, ", "), begin);
        ready += strstr(line, "ready") != NULL;
    }
    if (ready < wanted)
        return false;
    struct failure failure = {.text = "it does not say where it listens"};
    return (url[0] != '\0' && target_parse(&server->target, url, &failure) == 0 &&
            target_describe(&server->target, server->model, ASK_SECONDS, &failure) == 0) ||
           lacks(server, "%s", failure.text);
}

/* ": " and the last line that it wrote to stderr, or nothing. */
static void last_words(const struct server *server, char *text, size_t size) {
    char end[1024];
    off_t length = lseek(server->errors, 0, SEEK_END), from = length > 1000 ? length - 1000 : 0;
    ssize_t got = length > 0 ? pread(server->errors, end, sizeof end - 1, from) : 0;
    while (got > 0 && end[got - 1] == '\n')
        got--;
    end[got > 0 ? got : 0] = '\0';
    const char *line = strrchr(end, '\n') != NULL ? strrchr(end, '\n') + 1 : end;
    snprintf(text, size, "%s%.*s", *line != '\0' ? ": " : "", (int)size - 3, line);
}

static void forget(struct server *server) {
    at_popen_free(server->popen);
    close(server->errors);
    server->popen = NULL;
}

/* It is not ready: ends it, and says why it is not, unless that has been said. */
static bool give_up(struct server *server) {
    bool told = server->reason[0] != '\0';
    int code;
    bool ended = at_popen_wait(server->popen, 0.2, &code) == 0;
    if (!ended) {
        (void)!at_popen_kill(server->popen);
        (void)!at_popen_wait(server->popen, STOP_SECONDS, NULL);
    }
    char line[SERVER_REASON / 2];
    last_words(server, line, sizeof line);
    forget(server);
    if (told || interrupted())
        return false;
    if (ended)
        return lacks(server, "it ended with %d before it was ready%s", code, line);
    return lacks(server, "it was not ready after %.0f s%s", START_SECONDS, line);
}

bool server_start(struct server *server) {
    if (server->popen != NULL)
        return true;
    const char *command[SERVER_ARGUMENTS + 1];
    size_t count = 0;
    command[count++] = server->program != NULL ? server->program : server_program();
    for (size_t i = 0; i + 1 < SERVER_ARGUMENTS && server->arguments[i] != NULL; i++)
        command[count++] = server->arguments[i];
    command[count] = NULL;
    server->reason[0] = '\0';
    at_command_failure failure;
    server->errors = memfd_create("stderr", MFD_CLOEXEC);
    int result = server->errors < 0 ? -errno
                                    : at_popen_new(&server->popen, command, .stdin = AT_DEVNULL, .stdout = AT_PIPE,
                                                   .stderr = at_descriptor(server->errors), .failure = &failure);
    if (result != 0) {
        close(server->errors);
        return lacks(server, "%s: %s", command[0], at_strerror(result));
    }
    if (await_ready(server, now_ns() + (uint64_t)(START_SECONDS * 1e9)))
        return true;
    return give_up(server);
}

void server_stop(struct server *server) {
    if (server->popen == NULL)
        return;
    int code = 0;
    (void)!at_popen_terminate(server->popen);
    if (at_popen_wait(server->popen, STOP_SECONDS, &code) != 0) {
        (void)!at_popen_kill(server->popen);
        (void)!at_popen_wait(server->popen, STOP_SECONDS, NULL);
        lacks(server, "it did not end within %.0f s of SIGTERM, and was killed", STOP_SECONDS);
    } else if (code != 0 && !server->peer && !interrupted()) {
        lacks(server, "it ended with %d and not with 0", code);
    }
    forget(server);
}

/* ---- its processes */

/* The parent of a process; 0 when it has gone. */
static pid_t parent_of(pid_t pid) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    /* "PID (NAME) STATE PARENT": a name may have anything in it, so from the last ')'. */
    const char *behind = strrchr(text, ')');
    int parent = 0;
    return behind != NULL && sscanf(behind, ") %*c %d", &parent) == 1 ? (pid_t)parent : 0;
}

static bool descends(pid_t pid, pid_t from) {
    for (int depth = 0; pid > 1 && depth < 16; depth++) {
        pid = parent_of(pid);
        if (pid == from)
            return true;
    }
    return false;
}

size_t server_workers(const struct server *server, pid_t *pids, size_t room) {
    size_t count = 0;
    DIR *processes = opendir("/proc");
    if (processes == NULL)
        return 0;
    const struct dirent *entry;
    while (count < room && (entry = readdir(processes)) != NULL) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 1 && descends(pid, at_popen_pid(server->popen)))
            pids[count++] = pid;
    }
    closedir(processes);
    return count;
}

static double cpu_of(pid_t pid) {
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

struct server_cpu server_cpu(const struct server *server) {
    pid_t workers[SERVER_WORKERS];
    struct server_cpu cpu = {.front = cpu_of(at_popen_pid(server->popen))};
    size_t count = server_workers(server, workers, SERVER_WORKERS);
    cpu.all = cpu.front;
    for (size_t i = 0; i < count; i++)
        cpu.all += cpu_of(workers[i]);
    return cpu;
}

double server_metric(const struct server *server, const char *name) {
    char *body = NULL;
    struct failure failure;
    double value = -1;
    if (target_get(&server->target, "/metrics", ASK_SECONDS, &body, &failure) == 200 && body != NULL) {
        size_t length = strlen(name);
        for (const char *line = body; line != NULL; line = strchr(line, '\n')) {
            line += *line == '\n';
            const char *space = strncmp(line, name, length) == 0 ? strchr(line, ' ') : NULL;
            if (space != NULL) {
                value = strtod(space, NULL);
                break;
            }
        }
    }
    free(body);
    return value;
}
