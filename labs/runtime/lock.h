/* lock.h: locks between the threads of one process, as Python's threading.Lock and threading.RLock. */
#ifndef ATELIER_LOCK_H
#define ATELIER_LOCK_H

#include <stdbool.h>

#include "api.h"

AT_BEGIN_DECLS

typedef struct at_lock at_lock;
typedef struct at_rlock at_rlock;

/*
 * A lock that nobody holds (threading.Lock). NULL only when memory is short. Free it when no thread uses it any more.
 */
AT_API at_lock *at_lock_new(void);
AT_API void at_lock_free(at_lock *lock);

/*
 * Takes the lock, waiting for it if need be (Lock.acquire). It has no owner: a second acquire by the same thread waits
 * until some thread releases it. Signals neither shorten nor lengthen the wait. Returns 0; -ETIMEDOUT; -EINVAL for
 * NULL, for not a number and for a negative timeout other than -1, which waits for ever, as in Python; -EOVERFLOW.
 */
AT_API int at_lock_acquire(at_lock *lock, double timeout) AT_MUST_CHECK;

/* Gives it back (Lock.release); any thread may. Releasing a lock that nobody holds stops the program. */
AT_API void at_lock_release(at_lock *lock);

/* Whether somebody holds it just now (Lock.locked). */
AT_API bool at_lock_locked(const at_lock *lock);

/* A recursive lock (threading.RLock): the thread that holds it may take it again, and gives it back as many times. */
AT_API at_rlock *at_rlock_new(void);
AT_API void at_rlock_free(at_rlock *lock);

/* As at_lock_acquire; also 0, at once, when this thread holds it already. */
AT_API int at_rlock_acquire(at_rlock *lock, double timeout) AT_MUST_CHECK;

/* Gives one acquire back. Releasing a lock that this thread does not hold stops the program. */
AT_API void at_rlock_release(at_rlock *lock);

/* A lock that another thread held at a fork stays held in the child: see at_set_fork_policy and the zygote. */

AT_END_DECLS

#endif
