/* shared.h: memory that processes share: with the children they fork, as Python's multiprocessing.RawValue, or with
 * programs they start, as multiprocessing.shared_memory. */
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

/*
 * The same memory also for programs that are executed: stores it and returns a descriptor, close-on-exec, which the
 * caller passes on (.pass_fds of subprocess.h) and closes. It too has no name and no file, so that a killed process leaves
 * nothing behind; its size cannot be changed by anybody (memfd_create(2), F_SEAL_SHRINK). Errors: -EINVAL for a size of
 * 0, -ENOMEM, -EMFILE, -ENFILE.
 */
AT_API int at_shared_open(void **memory, size_t size) AT_MUST_CHECK;

/*
 * Takes the memory behind such a descriptor into this process and stores where it is, and how large. The descriptor stays
 * the caller's. Errors: -EINVAL for a descriptor that at_shared_open has not made, -EBADF, -ENOMEM.
 */
AT_API int at_shared_attach(void **memory, size_t *size, int descriptor) AT_MUST_CHECK;

/* Takes it out of this process, however it came here; the others keep theirs. NULL is fine. */
AT_API void at_shared_free(void *memory);

AT_END_DECLS

#endif
