/* load_search.h: the largest rate at which 99 of 100 requests are answered, rightly and within a bound. */
#ifndef GPU_CLIENT_LOAD_SEARCH_H
#define GPU_CLIENT_LOAD_SEARCH_H

#include "confidence.h"
#include "load_run.h"

/* One run at one rate, and whether it passed: at most one of 100 was late. */
struct load_trial {
    double rate;
    uint64_t requests, late; /* late: answered after the bound, wrongly or not at all */
    uint64_t p99;            /* nanoseconds, of the right answers */
    bool passed;
    enum confidence confidence; /* how sure that is: CONFIDENCE_TOO_FEW when other requests might say otherwise */
    enum load_limit limit;
};

struct load_search {
    double rate;               /* the largest that passed; 0: none did */
    struct load_trial best;    /* the trial at that rate */
    struct load_trial worse;   /* the one at the least rate that did not pass; .rate 0: all passed, up to the most */
    struct load_result result; /* of the best trial, when there is one */
    size_t trials;
};

typedef void load_tried(void *context, const struct load_trial *trial);

/*
 * Runs the options' open loop again and again: first twice as fast each time as long as it passes, from options->rate
 * (0: 1000), then between the last that passed and the first that did not, until these are within 5 %. `tried` is
 * told of each trial, in the options' context. load_search_free gives back what is stored. Errors: those of load_run,
 * -EINVAL for options without a bound, and -EINTR when .stop ended it; then with what was found by then.
 */
int load_find_rate(struct load_search *search, const struct load_options *options, load_tried *tried,
                   struct failure *failure) AT_MUST_CHECK;
void load_search_free(struct load_search *search);

#endif
