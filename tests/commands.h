/* commands.h: what the suites of subprocess's faults share: commands that are run, and that nothing of them is left. */
#ifndef ATELIER_TESTS_COMMANDS_H
#define ATELIER_TESTS_COMMANDS_H

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include "watch.h"

/* A line for the shell; and a command that runs until a signal ends it. */
#define SHELL(line) AT_ARGS("sh", "-c", line)
#define SLEEP AT_ARGS("sleep", "1000")

/* Runs a command, and stores how it went in `done`. */
#define run(done, ...) at_run(__VA_ARGS__, .completed = (done))

/* Starts one, or fails the test. */
#define open_command(args, ...) command_or_fail(AT_COMMAND(args), &(at_subprocess_options){.no_option = 0, __VA_ARGS__})
static inline at_popen *command_or_fail(at_command command, const at_subprocess_options *options) {
    at_popen *popen = NULL;
    ok(at_popen_create(&popen, command, options));
    return popen;
}

/* Waits until it has ended, frees it, and returns how it ended. */
static inline int close_command(at_popen *popen) {
    int returncode = 0;
    ok(at_popen_wait(popen, BOUND, &returncode));
    at_popen_free(popen);
    return returncode;
}

/* Before each test, and after it: no descriptor and no child is left of what it ran, dead or alive. */
static struct { int fds, children; } held;

static inline void begin_commands(void) {
    held.fds = count_fds();
    held.children = count_children();
}

static inline void end_commands(void) {
    ck_assert_int_eq(count_children(), held.children);
    ck_assert_int_eq(count_fds(), held.fds);
}

static inline void wire_close(struct wire wire) {
    close(wire.read);
    close(wire.write);
}

/* So many bytes, from malloc, each place of which can be told from its neighbours. */
static inline char *pattern_of(size_t size) {
    char *bytes = malloc(size);
    require(bytes != NULL);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)((uint32_t)i * 2654435761u >> 24);
    return bytes;
}

/* So many bytes go through cat and come back, all of them, in time. */
static inline void expect_echo(size_t size) {
    at_completed done;
    char *input = pattern_of(size);
    ok(run(&done, AT_ARGS("cat"), .input = at_bytes(input, size), .capture_output = true,
           .timeout = at_seconds(BOUND)));
    require(done.returncode == 0 && !done.truncated && done.stderr_size == 0);
    require(done.stdout_size == size && memcmp(done.stdout, input, size) == 0);
    at_completed_free(&done);
    free(input);
}

/* What a failed call says, and that its result says the same; gives the result back. */
static inline void expect_failure(at_completed *done, int result, int code, at_stage stage, const char *file) {
    const at_command_failure *failure = &done->failure;
    ck_assert_msg(result == code && failure->code == code && failure->stage == stage,
                  "%d at stage %d, not %d at stage %d: %s", result, failure->stage, code, stage, failure->text);
    if (file != NULL)
        ck_assert_str_eq(failure->file, file);
    ck_assert_str_ne(failure->text, "");
    ck_assert_int_eq(done->returncode, AT_NO_RETURNCODE);
    at_completed_free(done);
}

/* A grandchild's pid, which the command says first, from its result; and the end of one that must live until then. */
static inline pid_t survivor_of(const at_completed *done) {
    int pid = 0;
    require(done->stdout != NULL && sscanf(done->stdout, "%d", &pid) == 1 && pid > 1);
    return pid;
}

static inline void end_survivor(pid_t survivor) {
    ck_assert(pid_exists(survivor));
    kill(survivor, SIGKILL);
    await(!pid_exists(survivor));
}

/* Runs the body in a fork, which may do to its streams what it likes. */
static inline void in_a_fork(void (*body)(int), int argument) {
    pid_t pid = fork();
    if (pid == 0) {
        body(argument);
        _exit(42);
    }
    require(end_of(pid) == 42);
}

/* Processor time that the calling thread has used, in seconds. */
static inline double processor_time(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/*
 * From now on the kernel answers this system call of this process and its children with an error; one that has
 * `argument` as its argument of that number, where the number is not negative. False where it takes no such filter.
 */
static inline bool refuse_with(long call, int error, int number, uint32_t argument) {
    uint32_t place = (uint32_t)offsetof(struct seccomp_data, nr), which = (uint32_t)call;
    if (number >= 0)
        place = (uint32_t)(offsetof(struct seccomp_data, args) + sizeof(uint64_t) * (size_t)number);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, which, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, place),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number >= 0 ? argument : which, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static inline bool refuse(long call, int error) {
    return refuse_with(call, error, -1, 0);
}

#endif
