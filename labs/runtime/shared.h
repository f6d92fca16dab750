/* shared.h: memory that a process shares with the children it forks, as Python's multiprocessing.RawValue. */
#ifndef ATELIER_SHARED_H
#define ATELIER_SHARED_H

#include <stddef.h>

#include "api.h"

AT_BEGIN_DECLS

/*
 * `size` bytes, zeroed, aligned to a cache line, that this process and every child forked after this call see as one.
 * It has no name and no file: it is gone when the last process that has it ends. NULL when memory is short or size is
 * 0.
 */
AT_API void *at_shared_new(size_t size);

/* Takes it out of this process; the others keep theirs. NULL is fine. */
AT_API void at_shared_free(void *memory);

AT_END_DECLS

#endif
