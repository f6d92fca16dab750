/* process_internal.h (internal): what a process's handle holds; shared by process.c and children.c. */
#ifndef ATELIER_PROCESS_INTERNAL_H
#define ATELIER_PROCESS_INTERNAL_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/queue.h>

#include "internal.h"
#include "process.h"

/*
 * All but the options, which never change once made, is guarded by the mutex of children.c. Behind it, in the same
 * allocation, lie the copied argument and the name; or it is the beginning of a command's handle (subprocess.h).
 */
struct at_process {
    _Alignas(max_align_t) at_target *target;
    void *arg;
    size_t arg_size;
    at_start_method start_method;
    bool outlives_parent;
    const char *name;
    struct zygote *nursery; /* that is to fork it; NULL: the one of at_zygote_start */
    const sigset_t *mask;   /* its signal mask; NULL: that of the thread which starts it */

    _Atomic bool daemon;
    enum { UNSTARTED, STARTING, STARTED } stage;
    uint32_t generation; /* the fork_generation of the process that started it */
    pid_t pid;
    uint32_t zygote; /* as struct launched's */
    int pidfd;       /* -1 when there is none to close */
    bool ended;      /* reaped: `known` and `exitcode` are for ever */
    bool known;      /* false: somebody else took the status */
    int exitcode;    /* minus the signal, when one killed it */
    bool is_parent;  /* the handle of at_parent_process: no child, and on no list */
    bool closed;     /* at_process_close has been called */
    bool abandoned;  /* at_process_free has been called */
    unsigned calls;  /* that use it just now, and lists that hold it: it stays until they are over */

    /*
     * Of a command, else NULL: gives back what it holds beside its memory, with the mutex held: in a forked child only
     * its descriptors; else when nobody needs it any more, whether it has ended or not.
     */
    void (*release)(at_process *process, bool in_child);

    TAILQ_ENTRY(at_process) listed; /* as long as it has a pidfd */
};

/* What a call wants of a handle; each includes the ones before. */
enum need { OPEN, BEGUN, MINE };

/* Begins a call on it: 0, and then children_leave must follow; -EINVAL, AT_ECLOSED, AT_ENOTSTARTED or AT_ENOTCHILD. */
int children_enter(at_process *process, enum need need);
void children_leave(at_process *process);

/* The handle's start: the first takes the right to start it (0 or why not), the second says how that went. */
int children_begin_start(at_process *process);
void children_end_start(at_process *process, int error, const struct launched *launched);

/*
 * The same for a command, which exists only once it has started: no fork of this process comes between the first, after
 * which its pipes are made, and the second, which takes it on, or has NULL when it did not start. Else the fork's child
 * would hold the pipes' other ends.
 */
void children_begin_spawn(void);
void children_end_spawn(at_process *process, const struct launched *launched);

/*
 * Within a call: sends a signal to the process group that it leads, by its number, unless it has been reaped: until
 * then nobody else can have that. 0 or a negative errno.
 */
int children_signal_group(at_process *process, int number);

/* Closes a descriptor that children have not, and stores -1: no fork of this process comes between the two. */
void children_close(_Atomic int *descriptor);

/* Within a call: true once the process has ended; reaps it then. */
bool children_reap(at_process *process);

/* Waits for the commands that end with the main thread: it is about to end while others go on (pthread_exit). */
void children_await_commands(void);

/* Whether any has been started here whose handle is still needed. */
bool children_exist(void);

/* Reaps and frees those that have ended and that nobody will join any more. */
void children_reap_abandoned(void);

#endif
