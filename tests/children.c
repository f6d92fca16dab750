/* children.c: what the suites about processes share; see children.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "support.h"

static const double LATE = 20; /* seconds; only a hang takes that long */

int expect_ok(int result, const char *call, const char *file, int line) {
    if (result < 0)
        ck_abort_msg("%s:%d: %s: %s", file, line, call, at_strerror(result));
    return result;
}

struct wire wire_new(void) {
    int ends[2];
    if (pipe(ends) != 0)
        ck_abort_msg("pipe: %s", strerror(errno));
    return (struct wire){.read = ends[0], .write = ends[1]};
}

void wire_put(struct wire wire, char byte) {
    while (write(wire.write, &byte, 1) != 1)
        if (errno != EINTR)
            _exit(99);
}

char wire_get(struct wire wire) {
    double end = at_now() + LATE;
    for (;;) {
        struct pollfd ready = {.fd = wire.read, .events = POLLIN};
        int count = poll(&ready, 1, 1000);
        char byte;
        ssize_t size = count > 0 ? read(wire.read, &byte, 1) : -1;
        if (size >= 0)
            return size == 0 ? 0 : byte;
        if (at_now() > end)
            ck_abort_msg("nothing came through the pipe in %.0f s", LATE);
    }
}

int return_arg(void *number) {
    return *(int *)number;
}

int wait_forever(void *unused) {
    (void)unused;
    for (;;)
        pause();
}

at_process *start_or_fail(at_process *process) {
    ok(at_process_start(process));
    return process;
}

int exitcode_of(at_process *process) {
    int code = 0;
    ok(at_process_join(process, LATE));
    ok(at_process_exitcode(process, &code));
    return code;
}

int finish(at_process *process) {
    int code = exitcode_of(process);
    at_process_free(process);
    return code;
}

struct program program_start(void (*body)(void)) {
    struct wire output = wire_new();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        ck_abort_msg("fork: %s", strerror(errno));
    if (pid == 0) {
        dup2(output.write, STDOUT_FILENO);
        dup2(output.write, STDERR_FILENO);
        close(output.read);
        close(output.write);
        body();
        exit(0);
    }
    close(output.write);
    return (struct program){.pid = pid, .output = output.read};
}

int program_finish(struct program program, char *output, size_t size) {
    struct wire from = {.read = program.output};
    size_t length = 0;
    for (char byte; (byte = wire_get(from)) != 0;)
        if (length < size - 1)
            output[length++] = byte;
    output[length] = '\0';
    close(program.output);
    int status;
    while (waitpid(program.pid, &status, 0) < 0)
        if (errno != EINTR)
            ck_abort_msg("waitpid: %s", strerror(errno));
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int run_program(void (*body)(void), char *output, size_t size) {
    return program_finish(program_start(body), output, size);
}

bool pid_exists(pid_t pid) {
    char path[64], state = 'Z';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    fclose(file);
    return state != 'Z' && state != 'X';
}

bool kernel_remembers(void) {
    struct utsname system;
    int major = 0, minor = 0;
    uname(&system);
    return sscanf(system.release, "%d.%d", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 15));
}

pid_t fork_with_pid(pid_t pid) {
    for (int tries = 0; tries < 100; tries++) {
        FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "w");
        if (last == NULL)
            return 0;
        fprintf(last, "%d", (int)pid - 1);
        if (fclose(last) != 0)
            return 0;
        pid_t child = fork();
        if (child == 0) {
            setpgid(0, 0);
            wait_forever(NULL);
        }
        if (child == pid)
            return child;
        kill(child, SIGKILL); /* another process of this machine was faster */
        waitpid(child, NULL, 0);
    }
    return 0;
}

int fill_descriptors(int filler[FEW_DESCRIPTORS], int room) {
    struct rlimit limit;
    int count = 0;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = FEW_DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
    while ((filler[count] = fcntl(STDERR_FILENO, F_DUPFD, 3)) >= 0)
        count++;
    for (; room > 0; room--)
        close(filler[--count]);
    return count;
}

void empty_descriptors(const int *filler, int count) {
    while (count > 0)
        close(filler[--count]);
}

static void ignore(int number) {
    (void)number;
}

void start_eintr_storm(void) {
    struct sigaction action = {.sa_handler = ignore};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
    setitimer(ITIMER_REAL, &often, NULL);
}

static _Atomic bool thief_goes_on;

static int reap_everybody(void *unused) {
    (void)unused;
    while (thief_goes_on)
        waitpid(-1, NULL, WNOHANG);
    return 0;
}

at_thread *start_thief(void) {
    thief_goes_on = true;
    at_thread *thief = at_thread_new(.target = reap_everybody);
    ok(at_thread_start(thief));
    return thief;
}

void end_thief(at_thread *thief) {
    thief_goes_on = false;
    ok(at_thread_join(thief, LATE));
    at_thread_free(thief);
}
