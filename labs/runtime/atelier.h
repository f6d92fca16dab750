/*
 * atelier.h: the whole runtime: Python's names, C's manners.
 *
 * Conventions, everywhere:
 *   results    0 (or a count, or a flag that the comment names) for success, a negative code for failure: -errno or an
 *              AT_E... code of error.h. at_strerror(code) says what is wrong and the way out. errno is not used.
 *   timeouts   seconds on the monotonic clock: AT_FOREVER waits without end, 0 polls (clock.h).
 *   handles    opaque; X_new returns NULL only when memory is short, and X_free takes NULL. A join that waits
 *              goes on when another thread frees the handle meanwhile; to begin a call on a freed handle is an error
 *              of the caller's.
 *   options    designated initialisers; what is left out is Python's default.
 *
 * Read the headers in this order: clock, error, program, thread, lock, shared, process_lock, process, zygote, queue,
 * pool, command, subprocess.
 */
#ifndef ATELIER_H
#define ATELIER_H

#include "clock.h"
#include "command.h"
#include "error.h"
#include "lock.h"
#include "pool.h"
#include "process.h"
#include "process_lock.h"
#include "program.h"
#include "queue.h"
#include "shared.h"
#include "subprocess.h"
#include "thread.h"
#include "zygote.h"

#endif
