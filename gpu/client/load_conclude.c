/* load_conclude.c: what the counts of a run say, and whether they say anything of the server. */
#include "load_internal.h"

/* Shares above which the generator is taken for the limit: of the latency that is its own lag, and of a core. */
static const double MOST_LAG = 0.05, MOST_CPU = 0.9;

static void judge(const struct run *run, struct load_result *result) {
    const struct tally *tally = &result->tally;
    double lag = (double)histogram_quantile(&tally->lag, 0.99),
           latency = (double)histogram_quantile(&tally->latency, 0.99);
    result->limit = LOAD_LIMIT_GENERATOR;
    if (result->cpu_share > MOST_CPU) {
        snprintf(result->reason, sizeof result->reason, "it used %.0f %% of a core", 100 * result->cpu_share);
        return;
    }
    if (tally->latency.count > 0 && lag > MOST_LAG * latency && run->options.scenario == LOAD_SERVER) {
        snprintf(result->reason, sizeof result->reason,
                 "it sent 1 %% of the requests %.0f us late or more, against a p99 latency of %.0f us", lag / 1e3,
                 latency / 1e3);
        return;
    }
    uint64_t failed = tally_failed(tally);
    bool kept = run->options.scenario == LOAD_SERVER && tally->waited == 0 && failed == 0;
    result->limit = kept ? LOAD_LIMIT_RATE : LOAD_LIMIT_SERVER;
    if (kept)
        snprintf(result->reason, sizeof result->reason, "each request was sent when it was due, and answered");
    else if (tally->outcomes[OUTCOME_WRONG] > 0)
        snprintf(result->reason, sizeof result->reason,
                 "%llu answers were wrong; or it serves another model than --source and --models say",
                 (unsigned long long)tally->outcomes[OUTCOME_WRONG]);
    else if (failed > 0)
        snprintf(result->reason, sizeof result->reason, "%llu of %llu requests were not answered rightly",
                 (unsigned long long)failed, (unsigned long long)tally_requests(tally));
    else if (run->options.scenario == LOAD_SERVER)
        snprintf(result->reason, sizeof result->reason,
                 "%llu requests had to wait for a free connection; more of them (--connections) may get more answers",
                 (unsigned long long)tally->waited);
    else
        snprintf(result->reason, sizeof result->reason, "the next request waits for its answers");
}

void run_conclude(const struct run *run, struct load_result *result) {
    uint64_t now = nanoseconds(CLOCK_MONOTONIC), until = run->last;
    if (run->options.scenario == LOAD_SERVER && !run->stopped && run->end > until)
        until = run->end;
    result->interrupted = run->stopped;
    result->seconds = (double)(until - run->window) * 1e-9;
    if (run->options.scenario == LOAD_SERVER)
        result->offered = run->options.rate;
    if (result->seconds > 0) {
        result->achieved = (double)result->tally.outcomes[OUTCOME_RIGHT] / result->seconds;
        result->goodput = (double)result->tally.good / result->seconds;
    }
    if (run->cpu_since > 0) {
        uint64_t used = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - run->cpu;
        result->cpu_seconds = (double)(used > run->spun ? used - run->spun : 0) * 1e-9;
        result->cpu_share = now > run->cpu_since ? result->cpu_seconds * 1e9 / (double)(now - run->cpu_since) : 0;
    }
    judge(run, result);
}
