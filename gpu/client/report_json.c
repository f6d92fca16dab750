/* report_json.c: the results of a run as JSON. */
#include <errno.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "report.h"

json_t *report_histogram(const struct histogram *histogram) {
    static const struct {
        const char *name;
        double quantile;
    } QUANTILES[] = {{"p50_ns", 0.5}, {"p90_ns", 0.9}, {"p99_ns", 0.99}, {"p99.9_ns", 0.999}};
    json_t *json =
        json_pack("{s:I, s:f, s:I, s:I}", "count", (json_int_t)histogram->count, "mean_ns", histogram_mean(histogram),
                  "least_ns", (json_int_t)histogram->least, "most_ns", (json_int_t)histogram->most);
    json_t *buckets = json_array();
    for (size_t i = 0; i < sizeof QUANTILES / sizeof *QUANTILES; i++)
        json_object_set_new(json, QUANTILES[i].name,
                            json_integer((json_int_t)histogram_quantile(histogram, QUANTILES[i].quantile)));
    for (size_t i = histogram_next(histogram, 0); i < HISTOGRAM_BUCKETS; i = histogram_next(histogram, i + 1))
        json_array_append_new(buckets,
                              json_pack("[I, I]", (json_int_t)histogram_lowest(i), (json_int_t)histogram->counts[i]));
    json_object_set_new(json, "buckets", buckets);
    return json;
}

int report_read_histogram(struct histogram *histogram, const json_t *json) {
    size_t index;
    const json_t *bucket, *buckets = json_object_get(json, "buckets");
    json_int_t least = json_integer_value(json_object_get(json, "least_ns"));
    json_int_t most = json_integer_value(json_object_get(json, "most_ns"));
    *histogram = (struct histogram){0};
    if (!json_is_array(buckets))
        return -EINVAL;
    json_array_foreach(buckets, index, bucket) {
        json_int_t lowest = json_integer_value(json_array_get(bucket, 0));
        json_int_t count = json_integer_value(json_array_get(bucket, 1));
        if (lowest < 0 || count <= 0)
            return -EINVAL;
        histogram_add_times(histogram, (uint64_t)lowest, (uint64_t)count);
    }
    if (histogram->count > 0 && (least < 0 || most < least))
        return -EINVAL;
    histogram->least = (uint64_t)least;
    histogram->most = (uint64_t)most;
    histogram->sum = (uint64_t)(json_number_value(json_object_get(json, "mean_ns")) * (double)histogram->count + 0.5);
    return 0;
}

static json_t *outcomes(const struct tally *tally) {
    json_t *json = json_object();
    for (size_t i = 0; i < OUTCOMES; i++)
        json_object_set_new(json, outcome_names[i], json_integer((json_int_t)tally->outcomes[i]));
    json_object_set_new(json, "lost", json_integer((json_int_t)tally->lost));
    json_object_set_new(json, "duplicated", json_integer((json_int_t)tally->duplicated));
    json_object_set_new(json, "stray", json_integer((json_int_t)tally->stray));
    json_object_set_new(json, "retry_after", json_integer((json_int_t)tally->retry_after));
    json_object_set_new(json, "waited_for_a_connection", json_integer((json_int_t)tally->waited));
    return json;
}

/* {"200": 10, "503": 1}, of what is not 0. */
static json_t *counts(const uint64_t *numbers, size_t count) {
    json_t *json = json_object();
    for (size_t i = 0; i < count; i++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", i);
        if (numbers[i] > 0)
            json_object_set_new(json, name, json_integer((json_int_t)numbers[i]));
    }
    return json;
}

static json_t *devices(const struct tally *tally) {
    json_t *json = json_array();
    for (size_t i = 0; i < tally->device_count; i++) {
        const struct tally_device *device = &tally->devices[i];
        json_t *name = json_string(device->name);
        json_array_append_new(json, json_pack("{s:o, s:b, s:I, s:I}", "name", name != NULL ? name : json_string("?"),
                                              "simulated", device->simulated, "answers", (json_int_t)device->answers,
                                              "rows", (json_int_t)device->rows));
    }
    return json;
}

static json_t *series(const struct tally *tally) {
    json_t *json = json_array();
    for (size_t i = 0; i < tally->slot_count; i++)
        json_array_append_new(json, json_pack("[i, i, I]", (int)tally->slots[i].right, (int)tally->slots[i].failed,
                                              (json_int_t)tally->slots[i].p99));
    return json;
}

/* What was asked for, so that the run can be made again. */
static json_t *settings(const struct load_options *options) {
    static const char *const PATTERNS[] = {
        [ARRIVALS_POISSON] = "poisson", [ARRIVALS_UNIFORM] = "uniform", [ARRIVALS_BURSTS] = "bursts"};
    return json_pack("{s:s, s:s, s:s, s:s, s:f, s:I, s:f, s:f, s:I, s:I, s:I, s:b, s:I, s:I, s:f, s:I, s:b}",
                     "scenario", scenario_names[options->scenario], "server", options->target->host, "model",
                     options->target->model, "pattern", PATTERNS[options->pattern], "rate", options->rate, "burst",
                     (json_int_t)options->burst, "seconds", options->seconds, "warm_up", options->warm_up, "requests",
                     (json_int_t)options->requests, "connections", (json_int_t)options->connections, "rows",
                     (json_int_t)options->questions->rows, "json_tensors", options->request.json, "priority",
                     (json_int_t)options->request.priority, "timeout_us", (json_int_t)options->request.timeout, "bound",
                     options->bound, "seed", (json_int_t)options->seed, "verify", options->verify);
}

static json_t *machine(void) {
    struct utsname name;
    if (uname(&name) != 0)
        return json_object();
    return json_pack("{s:s, s:s, s:I}", "kernel", name.release, "architecture", name.machine, "cores",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN));
}

json_t *report_json(const struct load_options *options, const struct load_result *result) {
    static const char *const LIMITS[] = {
        [LOAD_LIMIT_RATE] = "rate", [LOAD_LIMIT_SERVER] = "server", [LOAD_LIMIT_GENERATOR] = "generator"};
    const struct tally *tally = &result->tally;
    uint64_t requests = tally_requests(tally);
    json_t *json = json_pack("{s:o, s:I, s:f, s:b, s:f, s:f, s:f, s:s, s:s}", "settings", settings(options), "requests",
                             (json_int_t)requests, "seconds", result->seconds, "interrupted", result->interrupted,
                             "offered_rate", result->offered, "achieved_rate", result->achieved, "goodput",
                             result->goodput, "limit", LIMITS[result->limit], "limit_reason", result->reason);
    json_object_set_new(json, "outcomes", outcomes(tally));
    json_object_set_new(json, "statuses", counts(tally->statuses, TALLY_STATUSES));
    json_object_set_new(json, "latency", report_histogram(&tally->latency));
    json_object_set_new(json, "queries", report_histogram(&tally->queries));
    json_object_set_new(json, "lag", report_histogram(&tally->lag));
    json_object_set_new(json, "batches", counts(tally->batches, TALLY_BATCHES));
    json_object_set_new(json, "devices", devices(tally));
    json_object_set_new(json, "series_seconds", json_real(TALLY_SLOT * 1e-9));
    json_object_set_new(json, "series_right_failed_p99ns", series(tally));
    json_object_set_new(json, "generator",
                        json_pack("{s:f, s:f, s:f, s:I}", "cpu_seconds", result->cpu_seconds, "cpu_share",
                                  result->cpu_share, "cpu_seconds_per_request",
                                  requests > 0 ? result->cpu_seconds / (double)requests : 0.0, "connects",
                                  (json_int_t)tally->connects));
    json_object_set_new(json, "bytes_sent", json_integer((json_int_t)tally->bytes_sent));
    json_object_set_new(json, "bytes_received", json_integer((json_int_t)tally->bytes_received));
    json_object_set_new(json, "machine", machine());
    return json;
}

json_t *report_search_json(const struct load_options *options, const struct load_search *search) {
    static const char *const SURE[] = {
        [CONFIDENCE_TOO_FEW] = "too few", [CONFIDENCE_WITHIN] = "sure", [CONFIDENCE_BEYOND] = "sure of the contrary"};
    struct load_options best = *options;
    best.scenario = LOAD_SERVER;
    best.rate = search->rate;
    json_t *json = json_pack("{s:f, s:f, s:f, s:s, s:I, s:I, s:I}", "bound", options->bound, "largest_rate",
                             search->rate, "least_rate_beyond", search->worse.rate, "confidence",
                             SURE[search->best.confidence], "requests", (json_int_t)search->best.requests, "late",
                             (json_int_t)search->best.late, "trials", (json_int_t)search->trials);
    json_object_set_new(json, "run", search->rate > 0 ? report_json(&best, &search->result) : json_null());
    return json;
}
