/* metrics.c: the server's counters for Prometheus, in its text format 0.0.4. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics_internal.h"

/* ---- of the models */

static uint64_t success(const struct model_view *model) {
    return model->statistics->success.count;
}

static uint64_t rows(const struct model_view *model) {
    return model->statistics->rows;
}

static uint64_t batches(const struct model_view *model) {
    return model->statistics->batches;
}

static uint64_t waiting(const struct model_view *model) {
    return model->waiting;
}

static uint64_t request_time(const struct model_view *model) {
    return (model->statistics->success.nanoseconds + model->statistics->fail.nanoseconds) / 1000;
}

static uint64_t queue_time(const struct model_view *model) {
    return model->statistics->queue.nanoseconds / 1000;
}

static uint64_t input_time(const struct model_view *model) {
    return model->statistics->input.nanoseconds / 1000;
}

static uint64_t infer_time(const struct model_view *model) {
    return model->statistics->infer.nanoseconds / 1000;
}

static uint64_t output_time(const struct model_view *model) {
    return model->statistics->output.nanoseconds / 1000;
}

static uint64_t ready(const struct model_view *model) {
    return model->state == MODEL_READY;
}

static const struct model_metric {
    const char *name, *type, *help;
    uint64_t (*value)(const struct model_view *model);
} MODEL_METRICS[] = {
    {"nv_inference_request_success", "counter", "Requests answered with an inference", success},
    {"nv_inference_count", "counter", "Rows inferred", rows},
    {"nv_inference_exec_count", "counter", "Batches run", batches},
    {"nv_inference_pending_request_count", "gauge", "Requests that wait for a worker", waiting},
    {"nv_inference_request_duration_us", "counter", "Time of requests from arrival to answer, in all", request_time},
    {"nv_inference_queue_duration_us", "counter", "Time that requests waited for a worker, in all", queue_time},
    {"nv_inference_compute_input_duration_us", "counter", "Time of handing requests to workers, in all", input_time},
    {"nv_inference_compute_infer_duration_us", "counter", "Time of computing, in all", infer_time},
    {"nv_inference_compute_output_duration_us", "counter", "Time of collecting answers, in all", output_time},
    {"atelier_model_ready", "gauge", "Whether the model is ready", ready},
};

static void write_model_metrics(FILE *out, const struct engine *engine) {
    const struct model_view *model;
    for (size_t i = 0; i < sizeof MODEL_METRICS / sizeof *MODEL_METRICS; i++) {
        const struct model_metric *metric = &MODEL_METRICS[i];
        describe(out, metric->name, metric->type, metric->help);
        for (size_t j = 0; (model = engine_model(engine, j)) != NULL; j++)
            fprintf(out, "%s{model=\"%s\",version=\"1\"} %lu\n", metric->name, label(model->name).text,
                    metric->value(model));
    }
}

/* The reasons are Triton's: REJECTED was not taken, BACKEND failed in a worker, OTHER is all that is left. */
static void write_failures(FILE *out, const struct engine *engine) {
    static const char NAME[] = "nv_inference_request_failure";
    const struct model_view *model;
    describe(out, NAME, "counter", "Requests that failed or were not taken, by reason");
    for (size_t i = 0; (model = engine_model(engine, i)) != NULL; i++) {
        const struct model_statistics *of = model->statistics;
        struct label name = label(model->name);
        uint64_t rejected = of->rejected_full + of->rejected_late, backend = of->failed_worker + of->quarantined;
        uint64_t known = rejected + backend, other = of->fail.count > known ? of->fail.count - known : 0;
        fprintf(out, "%s{model=\"%s\",version=\"1\",reason=\"REJECTED\"} %lu\n", NAME, name.text, rejected);
        fprintf(out, "%s{model=\"%s\",version=\"1\",reason=\"BACKEND\"} %lu\n", NAME, name.text, backend);
        fprintf(out, "%s{model=\"%s\",version=\"1\",reason=\"OTHER\"} %lu\n", NAME, name.text, other);
    }
    describe(out, "atelier_refused", "counter", "Requests that were given up, by our own reasons");
    for (size_t i = 0; (model = engine_model(engine, i)) != NULL; i++) {
        const struct model_statistics *of = model->statistics;
        struct label name = label(model->name);
        fprintf(out, "atelier_refused{model=\"%s\",reason=\"full\"} %lu\n", name.text, of->rejected_full);
        fprintf(out, "atelier_refused{model=\"%s\",reason=\"late\"} %lu\n", name.text, of->rejected_late);
        fprintf(out, "atelier_refused{model=\"%s\",reason=\"worker\"} %lu\n", name.text, of->failed_worker);
        fprintf(out, "atelier_refused{model=\"%s\",reason=\"quarantined\"} %lu\n", name.text, of->quarantined);
    }
}

static void write_batch_sizes(FILE *out, const struct engine *engine) {
    static const char NAME[] = "atelier_batch_rows";
    const struct model_view *model;
    describe(out, NAME, "histogram", "Rows of the batches run");
    for (size_t i = 0; (model = engine_model(engine, i)) != NULL; i++) {
        struct label name = label(model->name);
        uint64_t count = 0, sum = 0;
        for (size_t size = 0, bound = 1; size <= DEVICE_BATCH; size++) {
            count += model->statistics->sizes[size].infer.count;
            sum += model->statistics->sizes[size].infer.count * size;
            if (size != bound)
                continue;
            fprintf(out, "%s_bucket{model=\"%s\",le=\"%zu\"} %lu\n", NAME, name.text, bound, count);
            bound *= 2;
        }
        fprintf(out, "%s_bucket{model=\"%s\",le=\"+Inf\"} %lu\n", NAME, name.text, count);
        fprintf(out, "%s_sum{model=\"%s\"} %lu\n%s_count{model=\"%s\"} %lu\n", NAME, name.text, sum, NAME, name.text,
                count);
    }
}

/* ---- of the workers */

static double worker_restarts(const struct worker_view *worker) {
    return (double)worker->restarts;
}

static double worker_batches(const struct worker_view *worker) {
    return (double)worker->batches;
}

static double worker_requests(const struct worker_view *worker) {
    return (double)worker->requests;
}

static double worker_rows(const struct worker_view *worker) {
    return (double)worker->rows;
}

static double worker_retried(const struct worker_view *worker) {
    return (double)worker->retried;
}

static double worker_busy(const struct worker_view *worker) {
    return (double)worker->busy * 1e-9;
}

static double worker_alpha(const struct worker_view *worker) {
    return worker->cost.alpha * 1e-9;
}

static double worker_beta(const struct worker_view *worker) {
    return worker->cost.beta * 1e-9;
}

static const struct worker_metric {
    const char *name, *type, *help;
    double (*value)(const struct worker_view *worker);
} WORKER_METRICS[] = {
    {"atelier_worker_restarts", "counter", "Times that the worker was started again", worker_restarts},
    {"atelier_worker_batches", "counter", "Batches that the worker has run", worker_batches},
    {"atelier_worker_requests", "counter", "Requests that the worker has answered", worker_requests},
    {"atelier_worker_rows", "counter", "Rows that the worker has inferred", worker_rows},
    {"atelier_worker_retried", "counter", "Requests that others ran because the worker died", worker_retried},
    {"atelier_worker_busy_seconds", "counter", "Time that the worker spent in batches", worker_busy},
    {"atelier_worker_batch_alpha_seconds", "gauge", "Learnt: what a batch takes whatever its rows", worker_alpha},
    {"atelier_worker_batch_beta_seconds", "gauge", "Learnt: what each row of a batch adds", worker_beta},
};

static void write_worker_metrics(FILE *out, const struct engine *engine) {
    for (size_t i = 0; i < sizeof WORKER_METRICS / sizeof *WORKER_METRICS; i++) {
        const struct worker_metric *metric = &WORKER_METRICS[i];
        describe(out, metric->name, metric->type, metric->help);
        for (size_t j = 0; j < engine_workers(engine); j++) {
            struct worker_view worker;
            engine_worker(engine, j, &worker);
            fprintf(out, "%s{worker=\"%zu\",device=\"%s\"} %.9f\n", metric->name, j, label(worker.device).text,
                    metric->value(&worker));
        }
    }
}

static void write_worker_states(FILE *out, const struct engine *engine) {
    static const char *const STATES[] = {
        [WORKER_STARTING] = "starting", [WORKER_READY] = "ready", [WORKER_WAITING] = "waiting", [WORKER_OUT] = "out"};
    size_t counts[sizeof STATES / sizeof *STATES] = {0};
    for (size_t i = 0; i < engine_workers(engine); i++) {
        struct worker_view worker;
        engine_worker(engine, i, &worker);
        counts[worker.state]++;
    }
    describe(out, "atelier_workers", "gauge", "Workers by state");
    for (size_t i = 0; i < sizeof STATES / sizeof *STATES; i++)
        fprintf(out, "atelier_workers{state=\"%s\"} %zu\n", STATES[i], counts[i]);
}

/* What each worker's device says of itself. */
static void write_worker_info(FILE *out, const struct engine *engine) {
    describe(out, "atelier_worker_info", "gauge", "What the worker's device is");
    for (size_t i = 0; i < engine_workers(engine); i++) {
        struct worker_view worker;
        engine_worker(engine, i, &worker);
        fprintf(out, "atelier_worker_info{worker=\"%zu\",device=\"%s\",description=\"%s\"} 1\n", i,
                label(worker.device).text, label(worker.description).text);
    }
}

/* ---- of the server */

static void write_gauge(FILE *out, const char *name, const char *help, size_t value) {
    describe(out, name, "gauge", help);
    fprintf(out, "%s %zu\n", name, value);
}

char *metrics_text(const struct engine *engine, unsigned connections, size_t *size) {
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    if (out == NULL)
        return NULL;
    write_model_metrics(out, engine);
    write_failures(out, engine);
    write_batch_sizes(out, engine);
    write_worker_metrics(out, engine);
    write_worker_states(out, engine);
    write_worker_info(out, engine);
    write_card_metrics(out, engine);
    write_gauge(out, "atelier_requests", "Inference requests that are here, at whatever stage", engine_tasks(engine));
    write_gauge(out, "atelier_slots", "Inference requests that may be here at once", engine_slots(engine));
    write_gauge(out, "atelier_connections", "Connections that are open", connections);
    bool failed = ferror(out) != 0;
    if (fclose(out) == 0 && !failed)
        return text;
    free(text);
    return NULL;
}
