/* error.h: what a negative result means, and what to do with one that the program cannot mend. */
#ifndef ATELIER_ERROR_H
#define ATELIER_ERROR_H

#include "api.h"

AT_BEGIN_DECLS

/* Failures for which errno has no word. They lie below -4095, where no errno can be. */
enum at_error {
    AT_ENOTSTARTED = -4096,  /* the thread or process has not been started */
    AT_ESTARTED = -4097,     /* it has been started already, and starts only once */
    AT_ENOTARGET = -4098,    /* it has no .target to run */
    AT_ENOTJOINABLE = -4099, /* the main thread, or a thread that at_thread_start did not start */
    AT_ENOTCHILD = -4100,    /* the process is not a child of the one that asks */
    AT_ERUNNING = -4101,     /* the process still runs, so it cannot be closed */
    AT_ECLOSED = -4102,      /* the handle has been closed */
    AT_EDAEMON = -4103,      /* a daemon process may not start children */
    AT_ETHREADS = -4104,     /* refused: the process has other threads */
    AT_ENOZYGOTE = -4105,    /* at_zygote_start has not been called, or the zygote is dead */
    AT_EEMPTY = -4106,       /* no message in the queue (queue.Empty) */
    AT_EFULL = -4107,        /* no room in the queue (queue.Full), or too many tasks in the pool */
    AT_ETOOLARGE = -4108,    /* larger than the queue, or the pool, can ever hold */
    AT_ECOUNT = -4109,       /* a number of workers, tasks or items below 1 */
    AT_EDIED = -4110,        /* the worker died with the task in its hands */
    AT_ETASKTIME = -4111,    /* the task took longer than its timeout, and its worker was killed */
    AT_EBROKEN = -4112,      /* the pool broke: its workers cannot work */
    AT_EOPEN = -4113,        /* the pool has been neither closed nor terminated */
    AT_EEND = -4114,         /* there is no further result (StopIteration) */
    AT_ENOTMINE = -4115,     /* the pool, or the result, belongs to another process */
    AT_ECOMMAND = -4116,     /* the command ended by a signal, or not with 0 (subprocess.CalledProcessError) */
    AT_ENOPIPE = -4117,      /* the child's stream is no pipe, or its end has been closed or handed over */
    AT_EINPUT = -4118,       /* communicate has begun with other input */
    AT_ENOTLEADER = -4119,   /* the child does not lead a process group of its own */
};

/*
 * The text of a negative code: what is wrong, and for the codes above the way out. Never NULL; static, not to be freed.
 */
AT_API const char *at_strerror(int code);

/*
 * Returns the result of `call` when it is 0 or more. Otherwise prints where, what was called and why it failed on
 * stderr and ends the process at once with status 1: nothing is joined, daemon or not, and children die with it.
 */
#define at_check(call) at_check_result((call), #call, __FILE__, __LINE__)
AT_API int at_check_result(int result, const char *call, const char *file, int line);

/* Prints the message as one line on stderr and aborts: for misuse that no caller can handle. */
AT_API void at_fatal(const char *format, ...) AT_PRINTF(1, 2) __attribute__((noreturn));

AT_END_DECLS

#endif
