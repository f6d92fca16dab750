/* response.h: reads an HTTP/1.1 response as it arrives, and believes nothing that it says about its own size. */
#ifndef GPU_CLIENT_RESPONSE_H
#define GPU_CLIENT_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest status line with all header lines; and how many responses of 1xx may come before the one that counts. */
enum { RESPONSE_HEAD = 16384, RESPONSE_INFORMATIONAL = 8 };

struct response {
    int status; /* 100 to 599 */
    bool close; /* the server will close the connection after it */
    bool has_length, has_json, has_retry;
    size_t begin;         /* where it begins: behind responses of 1xx, which are skipped */
    size_t head;          /* where its body begins */
    size_t length;        /* bytes of its body */
    size_t json;          /* of those, bytes of JSON: Inference-Header-Content-Length; all without that header */
    uint32_t retry_after; /* seconds, if has_retry */
    size_t seen;          /* the reader's own: no end of the head before here */
    int informational;
    const char *fault; /* what is wrong with it, in words, when response_read said -1 */
};

/*
 * Looks at the `length` bytes that have come so far, from the first one. Returns 1 when the response is complete (and
 * response_end says how many bytes are its own), 0 when more must come, -1 when it is not one that can be understood.
 * `most` is the longest body that is taken. The struct is zeroed before the first call, and `bytes` may lie elsewhere
 * at each.
 */
int response_read(struct response *response, const char *bytes, size_t length, size_t most);
size_t response_end(const struct response *response);

#endif
