/* load_search.c: the search for the largest rate within a bound. */
#include "load_search.h"

#include <errno.h>
#include <math.h>

static const double FIRST_RATE = 1000, LEAST_RATE = 1, MOST_RATE = 1e6, CLOSE_ENOUGH = 1.05;
static const double QUANTILE = 0.99, SURENESS = 0.99;

static struct load_trial judge(double rate, const struct load_result *result) {
    struct load_trial trial = {
        .rate = rate,
        .requests = tally_requests(&result->tally),
        .p99 = histogram_quantile(&result->tally.latency, QUANTILE),
        .limit = result->limit,
    };
    trial.late = trial.requests - result->tally.good;
    trial.passed = trial.requests > 0 && (double)trial.late <= (1 - QUANTILE) * (double)trial.requests;
    trial.confidence = confidence_of(trial.requests, trial.late, QUANTILE, SURENESS);
    return trial;
}

/* One run. What is late already need not be awaited much longer: a rate that is too high would only take more time. */
static int try_rate(struct load_search *search, const struct load_options *options, double rate, load_tried *tried,
                    struct failure *failure) {
    struct load_options trial_options = *options;
    struct load_result result;
    double enough = fmax(1, 10 * options->bound);
    trial_options.scenario = LOAD_SERVER;
    trial_options.rate = rate;
    if (options->patience == 0 || options->patience > enough)
        trial_options.patience = enough;
    int code = load_run(&result, &trial_options, failure);
    if (code != 0)
        return code;
    if (result.interrupted) {
        load_result_free(&result);
        return fail(failure, -EINTR, "the search was ended before it had found the largest rate");
    }
    struct load_trial trial = judge(rate, &result);
    search->trials++;
    if (tried != NULL)
        tried(options->context, &trial);
    if (trial.passed) {
        load_search_free(search);
        search->best = trial;
        search->rate = rate;
        search->result = result;
    } else {
        search->worse = trial;
        load_result_free(&result);
    }
    return 0;
}

/* The rate to try next; 0 when there is none. */
static double next_rate(const struct load_search *search) {
    double passed = search->rate, failed = search->worse.rate;
    if (failed == 0)
        return passed * 2 <= MOST_RATE ? passed * 2 : 0;
    if (passed == 0)
        return failed / 2 >= LEAST_RATE ? failed / 2 : 0;
    return failed / passed > CLOSE_ENOUGH ? sqrt(failed * passed) : 0;
}

int load_find_rate(struct load_search *search, const struct load_options *options, load_tried *tried,
                   struct failure *failure) {
    *search = (struct load_search){0};
    if (!(options->bound > 0) || !(options->seconds > 0))
        return fail(failure, -EINVAL, "a search for a rate needs a bound and a time for each trial, both above 0");
    int code = 0;
    for (double rate = options->rate > 0 ? options->rate : FIRST_RATE; rate > 0 && code == 0; rate = next_rate(search))
        code = try_rate(search, options, rate, tried, failure);
    if (code != 0 && code != -EINTR)
        load_search_free(search);
    return code;
}

void load_search_free(struct load_search *search) {
    load_result_free(&search->result);
}
