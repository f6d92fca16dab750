/* clock.h: time: the monotonic clock, timeouts, and work that is stood for by waiting. */
#ifndef ATELIER_CLOCK_H
#define ATELIER_CLOCK_H

#include "api.h"

AT_BEGIN_DECLS

/*
 * A timeout is a number of seconds, counted on the monotonic clock, so a wall clock that is set back changes nothing.
 *   AT_FOREVER                 no timeout (Python's None)
 *   0                          poll: look once, do not wait
 *   above AT_TIMEOUT_MAX       -EOVERFLOW (threading.TIMEOUT_MAX; about 292 years)
 *   not a number               -EINVAL
 *   negative                   as each function says: it polls where Python's does, else -EINVAL
 */
#define AT_FOREVER (__builtin_inf())
#define AT_TIMEOUT_MAX 9223372036.0

/* Seconds on the monotonic clock since some fixed moment (time.monotonic). Safe anywhere, signal handlers included. */
AT_API double at_now(void);

/*
 * Sleeps this many seconds in full, whatever signals arrive (time.sleep). Not a number or not above 0: returns at once.
 */
AT_API void at_sleep(double seconds);

/*
 * Stands for this many seconds of work, as time.sleep does in the tutorial. The environment's AT_SPEED (default 1)
 * makes the work that many times faster: AT_SPEED=20 turns 3 s into 0.15 s. An AT_SPEED that is not a number above 0
 * stops the program with a line that says so.
 */
AT_API void at_work(double seconds);

AT_END_DECLS

#endif
