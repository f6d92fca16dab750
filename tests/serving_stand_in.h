/* serving_stand_in.h: a server of one thread that speaks just enough HTTP to be asked for inference, and misbehaves. */
#ifndef ATELIER_TESTS_SERVING_STAND_IN_H
#define ATELIER_TESTS_SERVING_STAND_IN_H

#include <stdatomic.h>
#include <stddef.h>

#include "atelier.h"

/* What it does with a request. */
enum behaviour {
    ANSWER,        /* the model "echo": [-1, 4] to [-1, 3], output j is input j; on device "echo", simulated, batch 2 */
    ANSWER_AS_CPU, /* the same, from a device that does not only simulate, on a batch of 1 */
    ANSWER_SLOWLY, /* after 100 ms, in which nobody else is answered either */
    ANSWER_LAST,   /* and then closes the connection, as it says */
    ANSWER_TWICE,
    ANSWER_IN_DRIPS, /* a byte at a time */
    WRONG_ID,
    OTHER_ID, /* that of the request before */
    NO_ID,
    WRONG_NUMBERS,
    WRONG_SHAPE,
    NO_JSON,
    NO_OUTPUTS,
    GARBAGE, /* no HTTP */
    HALF,    /* of an answer, and closes */
    HANG_UP, /* closes at once */
    NEVER,   /* keeps the connection, and says nothing */
    CHUNKED,
    HUGE_HEADER, /* of 1 MB */
    HUGE_BODY,   /* says that 1 TB will follow */
    BUSY,        /* 503, with Retry-After: 2 */
    BROKEN,      /* 500, without a body */
    MISBEHAVIOURS,
};

struct stand_in {
    int port;
    int listener, wake;
    at_thread *thread;
    /* What to do with request number 0, 1...; NULL: ANSWER all. Its thread reads it. */
    enum behaviour (*_Atomic choose)(unsigned request);
    atomic_uint requests; /* requests for inference that came, whole */
    atomic_uint connections;
};

/* Starts it on a free port of 127.0.0.1; .choose may be set before. Fails the test if that cannot be. */
void stand_in_start(struct stand_in *server);
void stand_in_stop(struct stand_in *server);

/* "http://127.0.0.1:PORT", in a buffer of 64 bytes. */
const char *stand_in_url(const struct stand_in *server, char *url);

#endif
