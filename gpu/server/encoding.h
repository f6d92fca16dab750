/* encoding.h: answers made smaller, for clients that ask for it. */
#ifndef GPU_ENCODING_H
#define GPU_ENCODING_H

#include <stddef.h>

#include "infer.h"

/* The encoding of a body by its Content-Encoding; NULL, "" and "identity" are plain. -1: one that nobody knows. */
int encoding_of(const char *content_encoding);

/* What an Accept-Encoding wants most of what there is: the highest q, and gzip before deflate. NULL: plain. */
enum infer_encoding encoding_wanted(const char *accept_encoding);

/* Its name in headers: "gzip" or "deflate"; NULL for plain. */
const char *encoding_name(enum infer_encoding encoding);

/*
 * Puts a smaller body in place of *body, which it frees. Returns false, and changes nothing, when memory is short or
 * the body would not be smaller.
 */
bool encoding_apply(enum infer_encoding encoding, char **body, size_t *size);

#endif
