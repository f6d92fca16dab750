/* process.h: processes that run a C function, as Python's multiprocessing.Process. */
#ifndef ATELIER_PROCESS_H
#define ATELIER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "api.h"
#include "thread.h"

AT_BEGIN_DECLS

typedef struct at_process at_process;

/* How a child comes to be (multiprocessing.set_start_method). */
typedef enum at_start_method {
    AT_START_FORK,   /* a fork of this process: it sees all memory as it is now; its cost grows with that */
    AT_START_ZYGOTE, /* a fork of the zygote (zygote.h): small, without threads; it sees what was at at_zygote_start */
} at_start_method;

typedef struct at_process_options {
    at_target *target; /* what the child calls; what it returns is the exit code (0 to 255) */
    const void *arg;   /* what it is called with: the pointer itself, not to the stack of a thread but main... */
    size_t arg_size;   /* ...or, when above 0, a copy of that many bytes. With the zygote only a copy travels */
    const char *name;  /* NULL or "": "Process-N"; copied */
    int daemon;        /* true: terminated when the parent exits, and may not have children itself */
    at_start_method start_method; /* AT_START_FORK when left out */
    bool outlives_parent; /* left out: killed by the kernel when the parent dies, however it dies (see the end) */
} at_process_options;

/*
 * A new process, not started (multiprocessing.Process). NULL only when memory is short; what else is wrong with it,
 * at_process_start says. The caller frees the handle with at_process_free, at any time: a child that still runs goes
 * on, is reaped at the next start or list after its end, and is waited for at exit.
 */
#define at_process_new(...) at_process_create(&(at_process_options){__VA_ARGS__})
AT_API at_process *at_process_create(const at_process_options *options);
AT_API void at_process_free(at_process *process);

/*
 * Starts it (Process.start): when this returns 0 the child exists and will run its target; on an error no trace of it
 * is left and the target has not run. What stdio's streams hold is written first; where other threads run, what stdout
 * and stderr hold, and other streams are the caller's to flush. In the child: the thread that runs the target is the
 * main thread; HUP, INT, QUIT, TERM and CHLD have no handler any more, while others are inherited; `return` and exit()
 * run the child's own atexit functions and none of the parent's; a target that returns a negative code has its text
 * printed on stderr and exit code 1. Errors: AT_ENOTARGET; AT_ESTARTED; AT_ECLOSED; AT_EDAEMON; AT_ETHREADS
 * (at_set_fork_policy); AT_ENOZYGOTE; -EAGAIN, -ENOMEM, -EMFILE, -ENFILE from the system, and then the handle may be
 * started later; -EINVAL for NULL (memory was short); -E2BIG for a copied argument of more than 64 KiB by the zygote.
 */
AT_API int at_process_start(at_process *process) AT_MUST_CHECK;

/*
 * Waits until it has ended and reaps it (Process.join); any number of threads may, any number of times. A negative
 * timeout polls. Errors: -ETIMEDOUT; -ECHILD when it has ended but somebody else took its exit status; AT_ENOTSTARTED;
 * AT_ENOTCHILD; AT_ECLOSED; -EINVAL, -EOVERFLOW (clock.h).
 */
AT_API int at_process_join(at_process *process, double timeout) AT_MUST_CHECK;

/*
 * Whether it runs (Process.is_alive); false before the start, after the end, and for a closed or a stranger's handle.
 */
AT_API bool at_process_is_alive(at_process *process);

/*
 * Stores how it ended (Process.exitcode): the exit code, or minus the signal that killed it. Errors: -EAGAIN as long as
 * it has not ended (Python's None); -ECHILD when nobody can know any more; AT_ENOTCHILD; AT_ECLOSED.
 */
AT_API int at_process_exitcode(at_process *process, int *code) AT_MUST_CHECK;

/* Sends SIGTERM or SIGKILL (Process.terminate, kill), never to a stranger; nothing happens once it has ended.
 * Errors: AT_ENOTSTARTED, AT_ENOTCHILD, AT_ECLOSED. */
AT_API int at_process_terminate(at_process *process) AT_MUST_CHECK;
AT_API int at_process_kill(at_process *process) AT_MUST_CHECK;

/* Its process id (Process.pid), 0 before the start, AT_ECLOSED after close. */
AT_API pid_t at_process_pid(const at_process *process);

/*
 * Its name (Process.name), valid as long as the handle; whether it is a daemon (Process.daemon), which can be set
 * before the start (errors: AT_ESTARTED, AT_ECLOSED).
 */
AT_API const char *at_process_name(const at_process *process);
AT_API bool at_process_daemon(const at_process *process);
AT_API int at_process_set_daemon(at_process *process, bool daemon) AT_MUST_CHECK;

/*
 * A descriptor that poll finds readable once it has ended (Process.sentinel). It belongs to the handle:
 * at_process_close closes it. Errors: AT_ENOTSTARTED, AT_ENOTCHILD, AT_ECLOSED.
 */
AT_API int at_process_sentinel(at_process *process) AT_MUST_CHECK;

/*
 * Gives back all that the handle holds but its memory (Process.close); every later call on it says AT_ECLOSED, but for
 * close itself and free. Errors: AT_ERUNNING.
 */
AT_API int at_process_close(at_process *process) AT_MUST_CHECK;

/*
 * The children that run, started here and not yet joined (multiprocessing.active_children); those that have ended are
 * reaped. Returns their number and stores an array that ends with NULL, released by at_processes_free. Errors: -ENOMEM.
 */
AT_API int at_active_children(at_process ***children) AT_MUST_CHECK;
AT_API void at_processes_free(at_process **children);

/*
 * The process that started this one by at_process_start (multiprocessing.parent_process), NULL in any other. Its pid,
 * name, is_alive, join and sentinel can be asked for; the rest says AT_ENOTCHILD. Not to be freed.
 */
AT_API at_process *at_parent_process(void);

/* What at_process_start by fork does when other threads run, whose locks a child would find held for ever. */
typedef enum at_fork_policy {
    AT_FORK_WARN,   /* one line on stderr, the first time (the default, as Python's since 3.12) */
    AT_FORK_ALLOW,  /* nothing */
    AT_FORK_REFUSE, /* AT_ETHREADS */
} at_fork_policy;

/* Sets that for this process and the children that it forks from now on. Returns what was set before. */
AT_API at_fork_policy at_set_fork_policy(at_fork_policy policy);

/*
 * The kernel's tie to the parent ends when the child changes its user id or executes a set-user-id program. For a child
 * that a thread other than main started, the parent is dead, too, once it executes another program.
 */

/*
 * At exit, when the atexit functions registered after the first start have run, in this order: threads that are not
 * daemons are joined; daemon children are sent SIGTERM, and SIGKILL a second later if need be; the other children are
 * joined.
 */

AT_END_DECLS

#endif
