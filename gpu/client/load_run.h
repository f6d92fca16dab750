/* load_run.h: one run of requests against one server, from one thread with one epoll: what is sent when, and what
 * became of it. It keeps nothing in the process, so several threads may each run one. */
#ifndef GPU_CLIENT_LOAD_RUN_H
#define GPU_CLIENT_LOAD_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrivals.h"
#include "failure.h"
#include "inference.h"
#include "questions.h"
#include "tally.h"
#include "target.h"

enum load_scenario {
    LOAD_SERVER,  /* an open loop: requests are due by a schedule made beforehand, whatever the server does */
    LOAD_CLOSED,  /* each of .connections clients sends its next request when it has its answer */
    LOAD_SINGLE,  /* the same with one client */
    LOAD_MULTI,   /* .connections requests at once are a query; the next when all of it is answered */
    LOAD_OFFLINE, /* .requests requests are due at once; as many are under way as there are connections */
};

/* Told of each request that has ended, in the thread of the run, between two requests: it must be quick. */
struct load_answer {
    uint64_t request; /* its number, from 0 */
    size_t question;  /* which of the questions it was */
    enum outcome outcome;
    int status;                            /* of HTTP; 0 without an answer */
    double seconds;                        /* from the intended moment to now */
    const struct inference_answer *answer; /* NULL unless the outcome is right or wrong; valid during the call only */
};
typedef void load_answered(void *context, const struct load_answer *answer);

/* What is left out is as said. Times are seconds. */
struct load_options {
    enum load_scenario scenario;
    const struct target *target;       /* with its model described */
    const struct questions *questions; /* asked in turn */
    struct inference_options request;  /* .rows is the questions' */
    enum arrival_pattern pattern;      /* server: with .rate requests a second, in bursts of .burst */
    double rate;
    size_t burst;
    double seconds;     /* how long requests are sent, after the warm-up; offline: at most. 0: until .requests are */
    double warm_up;     /* before that: sent, but neither counted nor timed; not for offline */
    uint64_t requests;  /* how many, the warm-up's included, a query of multi always whole; 0: any; not for server */
    size_t connections; /* 0: 64; single: 1 whatever it says */
    double bound;       /* a latency within which an answer is good; 0: all are */
    double patience;    /* after which no answer is awaited; 0: 10 */
    double spin;        /* so long before a request is due the thread waits without sleeping; 0: never */
    uint64_t seed;      /* of the schedule */
    bool verify;        /* the numbers of the answers are compared (questions_right); ids and shapes always are */
    double tolerance;   /* 0: 1e-4 */
    const atomic_bool *stop; /* may be NULL; when it turns true, the run ends within a second or so */
    load_answered *answered; /* may be NULL */
    void *context;
};

/* What kept the run from being faster. */
enum load_limit {
    LOAD_LIMIT_RATE,      /* nothing: what was asked for was done */
    LOAD_LIMIT_SERVER,    /* the server */
    LOAD_LIMIT_GENERATOR, /* this program: the times say nothing of the server */
};

struct load_result {
    struct tally tally;
    double seconds; /* from the end of the warm-up to the end of the schedule, or to the last answer if that is later */
    double offered; /* server: requests a second that the schedule had; else 0 */
    double achieved;    /* right answers a second */
    double goodput;     /* good ones a second */
    double cpu_seconds; /* of this thread, without spinning */
    double cpu_share;   /* of a core, while measuring */
    bool interrupted;   /* by .stop */
    enum load_limit limit;
    char reason[200]; /* for the limit, as a sentence without its full stop */
};

/*
 * Runs it and stores the result, whose memory load_result_free gives back; also what went wrong with requests is a
 * result. Errors, with nothing stored: -EINVAL; -ENOMEM; -EMFILE...; and what keeps all connections from being made at
 * the beginning, as -ECONNREFUSED.
 */
int load_run(struct load_result *result, const struct load_options *options, struct failure *failure) AT_MUST_CHECK;
void load_result_free(struct load_result *result);

#endif
