/* infer.h: one inference request as the protocol has it (KServe v2), read while it streams in, and its answer. */
#ifndef GPU_INFER_H
#define GPU_INFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem.h"

enum { INFER_ID = 256, INFER_JSON = 64 * 1024 };

/* What is asked for beyond these counts as these: the last priority, and a timeout of thirty years. */
#define INFER_PRIORITY 15
#define INFER_TIMEOUT UINT64_C(1000000000000000)

/* What of a model the protocol has to know. One input tensor, [rows][inputs], and one output tensor, of FP32. */
struct signature {
    const char *model, *version; /* "digits", "1" */
    const char *input, *output;  /* the tensors' names */
    uint32_t inputs, outputs;    /* numbers of a row */
    uint32_t rows;               /* the most that a request may bring */
};

/* What the headers said about the body. */
struct infer_head {
    int64_t content_length; /* -1: not said */
    int64_t header_length;  /* of Inference-Header-Content-Length, which is unsigned there; -1: absent */
    enum infer_encoding { INFER_PLAIN, INFER_GZIP, INFER_DEFLATE } encoding;
};

/* What it asks for. */
struct infer_request {
    char id[INFER_ID];  /* "": none, and then none is echoed */
    uint32_t rows;      /* 0 is legal: an empty tensor is answered by an empty one */
    uint8_t priority;   /* 0: not said; 1 the highest, up to INFER_PRIORITY */
    uint64_t timeout;   /* microseconds, up to INFER_TIMEOUT; 0: not said */
    bool output_wanted; /* false: "outputs" was given and empty (Triton then answers none) */
    bool output_binary;
    uint32_t classes; /* above 0: the classification extension, the best so many as "value:index" */
};

/*
 * A request while its body streams in. The tensor's bytes, or numbers, go straight to where they will be computed on.
 * infer_begin: `input` has room for signature->rows rows; both must stay as long as the reader. Refuses at once what
 * the headers alone show to be wrong or too large. infer_feed: the next bytes of the body, however it is cut: what
 * comes of them is the same. infer_end: all of it has come; stores what it asks for. All return 0, or -1 with the
 * problem; after a problem only infer_forget may be called, which gives back what the reader holds, and is called in
 * the end in any case.
 *   Problems are 400, but 413 where the JSON is too long (INFER_JSON bytes, and 32 for each number that the tensor may
 * have in it) and 503 where memory is short. Members that nobody knows may be anything, null is as good as no member,
 * and one that is read must not be there twice. A raw request has at least one row. `data` may be nested in any way.
 *   A reader allocates nothing, but for a compressed body what zlib needs: about 40 KiB.
 */
struct infer_reader;
size_t infer_reader_size(void); /* so that the caller can keep one with each connection and use it again */
int infer_begin(struct infer_reader *reader, const struct signature *signature, const struct infer_head *head,
                float *input, struct problem *problem);
int infer_feed(struct infer_reader *reader, const char *data, size_t size, struct problem *problem);
int infer_end(struct infer_reader *reader, struct infer_request *request, struct problem *problem);
void infer_forget(struct infer_reader *reader);

/* How a request was served, which the answer's parameters tell. */
struct infer_service {
    const char *device; /* "cpu", "sim:2000:30" */
    unsigned worker;    /* which of the workers, from 0 */
    uint32_t batch;     /* rows of the batch that it was part of */
    bool simulated;     /* no model computed this */
};

/* An answer's body, to be freed by free(data). */
struct infer_answer {
    char *data;
    size_t size;
    size_t header_length; /* of the JSON before the binary output; 0: all of it is JSON, and the header is left out */
};

/*
 * Makes the answer; `output` is [request->rows][signature->outputs]. Response parameters: "device", "worker", "batch",
 * and "simulated" where it is. JSON numbers are written with the shortest text that reads back as the same float;
 * numbers that JSON has not (NaN, infinity) are a problem 400 that advises binary. Returns 0 or -1.
 */
int infer_answer(const struct signature *signature, const struct infer_request *request,
                 const struct infer_service *service, const float *output, struct infer_answer *answer,
                 struct problem *problem);

/* {"error": "<text>"}, escaped; to be freed. NULL: memory is short. */
char *infer_error(const char *text);

#endif
