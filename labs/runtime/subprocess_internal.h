/* subprocess_internal.h (internal): what the parts of subprocess tell each other. */
#ifndef ATELIER_SUBPROCESS_INTERNAL_H
#define ATELIER_SUBPROCESS_INTERNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "process_internal.h"
#include "subprocess.h"

/* ---- subprocess_text.c: between bytes and text */

/* How text is written outside; inside it is UTF-8 with '\n'. */
struct text {
    bool wanted;          /* else bytes pass as they are */
    const char *encoding; /* NULL: UTF-8 */
    enum { TEXT_STRICT, TEXT_REPLACE, TEXT_IGNORE } errors;
};

/* From the options' four: 0, or -EINVAL, and then *option is the name of the one that makes no sense. */
int text_choose(const at_subprocess_options *options, struct text *text, const char **option);

/*
 * Makes text of *data, which came from malloc, holds *size bytes and one more; it may be moved, grow or shrink, and a
 * NUL is put behind it. 0; -EILSEQ, and then it is as it was and *bad is the first byte that is no text; -ENOMEM.
 */
int text_decode(const struct text *text, char **data, size_t *size, size_t *bad);

/*
 * Makes of `size` bytes of UTF-8 what the child is to read, stores it, from malloc, and its size. 0; -EILSEQ, and then
 * *bad is the first byte that is no UTF-8, or has no counterpart; -ENOMEM.
 */
int text_encode(const struct text *text, const void *data, size_t size, char **encoded, size_t *encoded_size,
                size_t *bad);

#endif
