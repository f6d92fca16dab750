/* load_internal.h: what the files of a run share. */
#ifndef GPU_CLIENT_LOAD_INTERNAL_H
#define GPU_CLIENT_LOAD_INTERNAL_H

#include <sys/epoll.h>
#include <time.h>

#include "connection.h"
#include "load_run.h"

/* Events of one wait, few, so that what is due meanwhile is not late; and the longest wait, so that .stop is seen. */
enum { RUN_EVENTS = 16, RUN_LONGEST_WAIT = 50000000 };

/* What the clock says. */
static inline uint64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A connection and the request on it. It is in one of the run's two lists: it waits for a request, or has one. */
struct client {
    struct connection connection;
    struct client *next, *previous;
    bool busy;
    bool measured;    /* its request is not of the warm-up */
    uint64_t request; /* its number, from 0 */
    size_t question;
    uint64_t intended; /* when it should have been sent */
    uint64_t sent;
    uint64_t freed;   /* when it last became free */
    uint64_t resting; /* it takes no request before: it could not connect */
};

/* First in, first out: so all connections are used alike, and the one that waits longest is at the front. */
struct client_list {
    struct client *first, *last;
};

struct run {
    struct load_options options;
    size_t connections;
    struct client *clients;
    struct client_list idle, busy;
    int epoll;
    struct inference_request *requests; /* [questions->count], each with the id of whoever sent it last */
    struct arrivals arrivals;           /* server */
    float *numbers;                     /* room for those of one answer */
    uint8_t *answered;                  /* a bit for each request */
    uint64_t answered_room;             /* bits */
    uint64_t salt;                      /* the upper half of all ids: another run's are not ours */
    uint64_t next;                      /* the request that is sent next */
    uint64_t outstanding;               /* requests under way */
    uint64_t begin;                     /* of the run */
    uint64_t window;                    /* of what is measured */
    uint64_t end;                       /* from here on none is sent that was not due before */
    uint64_t final;                     /* from here on nothing is awaited */
    uint64_t last;                      /* when the last measured request ended */
    uint64_t bound, patience, spin;
    size_t query_left;             /* multi: requests of the query that are still to be sent */
    uint64_t query;                /* multi: when it began */
    uint64_t cpu, cpu_since, spun; /* at the first measured request: the thread's time, and when that was */
    bool stopped;
    struct tally *tally;
};

void clients_append(struct client_list *list, struct client *client);
void clients_remove(struct client_list *list, struct client *client);

/* load_prepare.c. check says whether the options make sense; prepare may be followed by free whatever it returned. */
int run_check(const struct load_options *options, struct failure *failure) AT_MUST_CHECK;
int run_prepare(struct run *run, struct failure *failure) AT_MUST_CHECK;
void run_free(struct run *run);

/* Waits so many nanoseconds at most for RUN_EVENTS events at most; as epoll_wait. */
int run_wait(const struct run *run, struct epoll_event *events, uint64_t wait);

/* The flag is only looked at; nothing else is read that its writer wrote. */
static inline bool run_stop_wanted(const struct run *run) {
    return run->options.stop != NULL && atomic_load_explicit(run->options.stop, memory_order_relaxed);
}

/* Connects, reported to the run's epoll. */
int client_open(struct run *run, struct client *client);

/* The client's request has ended; it is free for the next. `answer` is NULL unless it was answered with 200. */
void run_end_request(struct run *run, struct client *client, enum outcome outcome,
                     const struct inference_answer *answer);

/* Something happened to the client's socket. */
void run_handle(struct run *run, struct client *client, uint32_t events);

/* Works out the result's numbers from what was counted. */
void run_conclude(const struct run *run, struct load_result *result);

#endif
