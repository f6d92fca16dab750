/* zygote.h: a small process, forked before any thread, that forks children on request (Python's "forkserver"). */
#ifndef ATELIER_ZYGOTE_H
#define ATELIER_ZYGOTE_H

#include "api.h"

AT_BEGIN_DECLS

/*
 * Forks the zygote; call it first thing in main. From then on .start_method = AT_START_ZYGOTE makes children of its
 * size, however large this process grows, and without any lock that a thread of this process holds. Such a child sees
 * memory, open descriptors, working directory and environment as they were at this call. Calling it again while the
 * zygote lives does nothing. Errors: AT_ETHREADS when the process has other threads already; AT_EDAEMON in a daemon
 * child; -EAGAIN, -ENOMEM, -EMFILE.
 */
AT_API int at_zygote_start(void) AT_MUST_CHECK;

/*
 * Ends the zygote, and with it the children that it made and that may not outlive their parent. At exit this happens by
 * itself, after the children have been waited for. Without a zygote it does nothing.
 */
AT_API void at_zygote_stop(void);

AT_END_DECLS

#endif
