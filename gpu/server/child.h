/* child.h: a process that is kept running: started, watched by its pidfd, and, when it has died, started again. */
#ifndef GPU_CHILD_H
#define GPU_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

/*
 * How soon it is started again. A death after it has done something useful costs nothing: at once. One after another
 * without that waits 0.1 s, 0.2 s, 0.4 s... up to 5 s, some more or less so that many do not start together; the fifth
 * within 60 s is the last. When the system lacks descriptors, processes or memory, it is tried again without end; and
 * so it is when it says by its status, CHILD_SHORT, that it lacked such a thing itself (sysexits.h: EX_TEMPFAIL).
 */
enum { CHILD_DEATHS = 5, CHILD_SHORT = 75 };

struct child {
    at_popen *popen; /* NULL: it does not run */
    unsigned deaths; /* in a row, without anything useful between them */
    uint64_t first;  /* of these: when, in nanoseconds */
    uint64_t again;  /* when it may be started next */
    bool out;        /* it died too often */
    bool killed;     /* by child_kill, which has said why */
    int signal;      /* that ended it last; 0: none did */
    int status;      /* or else with which status it ended */
    char why[200];   /* the last death: "killed by signal 9 (Killed)", "ended with status 70" */
};

/* What it executes, with which variables besides this process's own, and which descriptors it keeps. */
struct child_program {
    const char *executable; /* the file */
    at_command command;     /* its name and its arguments */
    const at_variable *variables;
    size_t variable_count;
    const int *descriptors;
    size_t descriptor_count;
};

/* Starts it. On an error it counts as a death. */
int child_start(struct child *child, const struct child_program *program, uint64_t now,
                struct failure *failure) AT_MUST_CHECK;

/* A descriptor that is readable once it has ended; -1: it does not run. */
int child_sentinel(struct child *child);
int child_pid(struct child *child); /* 0: it does not run */

/*
 * Whether it has ended since: reaps it, keeps why, and when it may start again. `useful`: it has done something since
 * its start.
 */
bool child_has_ended(struct child *child, bool useful, uint64_t now);
/* Whether its last end was a signal from outside: no fault of the program, nor of what it was doing. */
bool child_was_shot(const struct child *child);

void child_kill(struct child *child, const char *why); /* SIGKILL */
void child_signal(struct child *child, int number);
/* Gives the handle back; a child that runs is killed first. */
void child_free(struct child *child);

#endif
