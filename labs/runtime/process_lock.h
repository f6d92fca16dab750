/* process_lock.h: a lock between processes that survives its holder's death, as multiprocessing.Lock does not. */
#ifndef ATELIER_PROCESS_LOCK_H
#define ATELIER_PROCESS_LOCK_H

#include "api.h"

AT_BEGIN_DECLS

typedef struct at_process_lock at_process_lock;

/* What acquire returns when it got the lock from a holder that died: the data behind the lock may be half changed. */
enum { AT_RECOVERED = 1 };

/*
 * A lock that nobody holds, shared by this process, its threads and every child forked after this call. NULL only when
 * memory is short. Free it in each process when that process no longer uses it.
 */
AT_API at_process_lock *at_process_lock_new(void);
AT_API void at_process_lock_free(at_process_lock *lock);

/*
 * Takes the lock, waiting for it if need be. Returns 0; AT_RECOVERED (above 0) when the last holder died with it: the
 * lock is taken and sound, and the caller looks after the data; -ETIMEDOUT; -EDEADLK when this thread holds it already;
 * -EINVAL for NULL or not a number; -EOVERFLOW. A negative timeout polls, as multiprocessing.Lock's does.
 */
AT_API int at_process_lock_acquire(at_process_lock *lock, double timeout) AT_MUST_CHECK;

/*
 * Gives it back. Only the thread that holds it may: that is what lets the kernel know whose death frees it, and the one
 * difference from Python's. Releasing a lock that this thread does not hold stops the program.
 */
AT_API void at_process_lock_release(at_process_lock *lock);

AT_END_DECLS

#endif
