/* children.h: what the suites about processes share: targets, pipes to hear from children, programs in a fork. */
#ifndef ATELIER_TESTS_CHILDREN_H
#define ATELIER_TESTS_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "atelier.h"

/* Fails the running test, naming the call, when its result is negative. */
#define ok(call) expect_ok((call), #call, __FILE__, __LINE__)
int expect_ok(int result, const char *call, const char *file, int line);

/* A pipe whose ends the test and its children share: whoever is told to writes a byte, whoever waits reads it. */
struct wire {
    int read, write;
};
struct wire wire_new(void);
void wire_put(struct wire wire, char byte);

/*
 * The next byte; 0 when nobody is left who could write one, which takes that this process closed its own end. Fails
 * after 20 s.
 */
char wire_get(struct wire wire);

/* Targets. */
int return_arg(void *number);   /* returns the int that it is given */
int wait_forever(void *unused); /* until a signal ends it */

/* Starts it, or fails the test. */
#define started(...) start_or_fail(at_process_new(__VA_ARGS__))
at_process *start_or_fail(at_process *process);

/* Joins it, 20 s at most, and returns its exit code; finish also frees it. */
int exitcode_of(at_process *process);
int finish(at_process *process);

/*
 * Runs body in a fork of this process, as a program of its own that ends with exit(0) when body returns, and waits
 * until it and all others that have its stdout and stderr have ended. Returns its exit code, or minus the signal; what
 * was printed is in `output`.
 */
int run_program(void (*body)(void), char *output, size_t size);

/* The same, stepwise: a program whose pid can be signalled; read_all waits and tells how it ended. */
struct program {
    pid_t pid;
    int output;
};
struct program program_start(void (*body)(void));
int program_finish(struct program program, char *output, size_t size);

/* Whether a process with this pid exists (a zombie does not count). */
bool pid_exists(pid_t pid);

/* Whether this kernel remembers the status of a reaped process (since 6.15). */
bool kernel_remembers(void);

/*
 * Forks a process with this very pid, which leads a group of that number and waits for a signal; 0 without the right to
 * set the last pid given, or where others took it each time.
 */
pid_t fork_with_pid(pid_t pid);

/*
 * Lowers the limit to so few descriptors and takes all above the standard streams' that there are, but for `room` of
 * them; returns how many. empty_descriptors gives them back, and the limit stays.
 */
enum { FEW_DESCRIPTORS = 64 };
int fill_descriptors(int filler[FEW_DESCRIPTORS], int room);
void empty_descriptors(const int *filler, int count);

/* A thread that reaps whatever child it can, as a library with a wait(-1) of its own does (fault 17), until its end. */
at_thread *start_thief(void);
void end_thief(at_thread *thief);

/* Sends SIGALRM a thousand times a second, to a handler that does nothing, without SA_RESTART; until the test ends. */
void start_eintr_storm(void);

#endif
