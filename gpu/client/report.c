/* report.c: the results of a run for people to read, and its course as CSV. */
#include "report.h"

#include <string.h>

const char *const scenario_names[] = {
    [LOAD_SERVER] = "server", [LOAD_CLOSED] = "closed",   [LOAD_SINGLE] = "single",
    [LOAD_MULTI] = "multi",   [LOAD_OFFLINE] = "offline",
};

const char *const limit_sentences[] = {
    [LOAD_LIMIT_RATE] = "the limit was the rate asked for",
    [LOAD_LIMIT_SERVER] = "the limit was the server",
    [LOAD_LIMIT_GENERATOR] = "the limit was the load generator, so its p99 says little about the server",
};

static double milliseconds(const struct histogram *histogram, double quantile) {
    return (double)histogram_quantile(histogram, quantile) * 1e-6;
}

static void print_latency(FILE *file, const char *name, const struct histogram *histogram) {
    if (histogram->count == 0)
        return;
    fprintf(file, "%-10s p50 %.3f ms, p90 %.3f, p99 %.3f, p99.9 %.3f, most %.3f, mean %.3f\n", name,
            milliseconds(histogram, 0.5), milliseconds(histogram, 0.9), milliseconds(histogram, 0.99),
            milliseconds(histogram, 0.999), (double)histogram->most * 1e-6, histogram_mean(histogram) * 1e-6);
}

static void print_failures(FILE *file, const struct tally *tally) {
    if (tally_failed(tally) + tally->duplicated + tally->stray == 0)
        return;
    const char *separator = "";
    fprintf(file, "%-10s ", "failed");
    for (size_t i = 0; i < OUTCOMES; i++)
        if (i != OUTCOME_RIGHT && tally->outcomes[i] > 0) {
            fprintf(file, "%s%llu %s", separator, (unsigned long long)tally->outcomes[i], outcome_names[i]);
            separator = ", ";
        }
    for (size_t i = 0; i < TALLY_STATUSES; i++)
        if (i != 200 && tally->statuses[i] > 0) {
            fprintf(file, "%sstatus %zu: %llu", separator, i, (unsigned long long)tally->statuses[i]);
            separator = ", ";
        }
    if (tally->duplicated > 0)
        fprintf(file, "%s%llu answered twice", separator, (unsigned long long)tally->duplicated);
    if (tally->stray > 0)
        fprintf(file, "; %llu times bytes that nobody had asked for", (unsigned long long)tally->stray);
    if (tally->fault != NULL)
        fprintf(file, "; the last malformed answer: %s", tally->fault);
    fputc('\n', file);
}

static void print_devices(FILE *file, const struct tally *tally) {
    uint64_t right = tally->outcomes[OUTCOME_RIGHT];
    for (size_t i = 0; i < tally->device_count; i++) {
        const struct tally_device *device = &tally->devices[i];
        fprintf(file, "%-10s %s%s: %llu answers (%.1f %%)\n", i == 0 ? "devices" : "",
                device->name[0] != 0 ? device->name : "not said", device->simulated ? ", simulated" : "",
                (unsigned long long)device->answers, 100 * (double)device->answers / (double)right);
    }
}

static void print_batches(FILE *file, const struct tally *tally) {
    uint64_t answers = 0, rows = 0, most = 0;
    for (size_t i = 1; i < TALLY_BATCHES; i++)
        if (tally->batches[i] > 0) {
            answers += tally->batches[i];
            rows += tally->batches[i] * i;
            most = i;
        }
    if (answers > 0)
        fprintf(file, "%-10s the answers' mean %.2f rows, the largest %llu\n", "batches",
                (double)rows / (double)answers, (unsigned long long)most);
}

void report_print(FILE *file, const struct load_options *options, const struct load_result *result) {
    const struct tally *tally = &result->tally;
    uint64_t requests = tally_requests(tally), right = tally->outcomes[OUTCOME_RIGHT];
    fprintf(file, "%-10s %s, model %s at %s, %u %s a request%s\n", "scenario", scenario_names[options->scenario],
            options->target->model, options->target->host, options->questions->rows,
            options->questions->rows == 1 ? "row" : "rows", options->request.json ? ", as JSON" : "");
    fprintf(file, "%-10s %llu in %.2f s%s, %llu answered rightly%s\n", "requests", (unsigned long long)requests,
            result->seconds, result->interrupted ? ", interrupted" : "", (unsigned long long)right,
            options->verify ? " (verified)" : "");
    fprintf(file, "%-10s ", "rate");
    if (result->offered > 0)
        fprintf(file, "%.1f requests/s offered, ", result->offered);
    fprintf(file, "%.1f answered", result->achieved);
    if (options->questions->rows > 1)
        fprintf(file, " (%.1f rows/s)", result->achieved * options->questions->rows);
    if (options->bound > 0)
        fprintf(file, ", %.1f within %g ms", result->goodput, options->bound * 1e3);
    fputc('\n', file);
    print_latency(file, "latency", &tally->latency);
    print_latency(file, "queries", &tally->queries);
    print_failures(file, tally);
    print_devices(file, tally);
    print_batches(file, tally);
    fprintf(file, "%-10s %.1f us of CPU a request, %.0f %% of a core; its lag p50 %.3f ms, p99 %.3f\n", "generator",
            requests > 0 ? result->cpu_seconds / (double)requests * 1e6 : 0, 100 * result->cpu_share,
            milliseconds(&tally->lag, 0.5), milliseconds(&tally->lag, 0.99));
    fprintf(file, "%s: %s\n", limit_sentences[result->limit], result->reason);
}

void report_trial(FILE *file, const struct load_trial *trial) {
    static const char *const SURE[] = {[CONFIDENCE_TOO_FEW] = "too few to be sure",
                                       [CONFIDENCE_WITHIN] = "99 % sure",
                                       [CONFIDENCE_BEYOND] = "99 % sure"};
    /* What was within the bound was so in spite of the generator. */
    bool doubtful = !trial->passed && trial->limit == LOAD_LIMIT_GENERATOR;
    fprintf(file, "%10.1f requests/s: p99 %.3f ms, %llu of %llu late: %s, %s%s\n", trial->rate,
            (double)trial->p99 * 1e-6, (unsigned long long)trial->late, (unsigned long long)trial->requests,
            trial->passed ? "within" : "beyond", SURE[trial->confidence],
            doubtful ? "; the generator was the limit" : "");
}

void report_search(FILE *file, const struct load_options *options, const struct load_search *search) {
    if (search->rate == 0) {
        fprintf(file, "no rate had its p99 within %g ms\n", options->bound * 1e3);
        return;
    }
    report_print(file, options, &search->result);
    fprintf(file, "the largest rate with its p99 within %g ms: %.1f requests/s", options->bound * 1e3, search->rate);
    if (search->worse.rate > 0)
        fprintf(file, "; %.1f was too much\n", search->worse.rate);
    else
        fprintf(file, ", and nothing was too much\n");
    if (search->worse.rate > 0 && search->worse.limit == LOAD_LIMIT_GENERATOR)
        fprintf(file, "at that rate the load generator was the limit, not the server, which may do more\n");
    if (search->best.confidence != CONFIDENCE_WITHIN)
        fprintf(file, "too few requests to be 99 %% sure: with %llu late it takes %llu, these were %llu\n",
                (unsigned long long)search->best.late,
                (unsigned long long)confidence_needed(search->best.late, 0.99, 0.99),
                (unsigned long long)search->best.requests);
}

void report_series(FILE *file, const struct load_result *result) {
    fprintf(file, "seconds,right,failed,p99_us\n");
    for (size_t i = 0; i < result->tally.slot_count; i++) {
        const struct tally_slot *slot = &result->tally.slots[i];
        fprintf(file, "%.1f,%u,%u,%.3f\n", (double)i * TALLY_SLOT * 1e-9, slot->right, slot->failed,
                (double)slot->p99 * 1e-3);
    }
}
