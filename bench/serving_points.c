/* serving_points.c: points that are measured in turn by runs of requests, and the rows of what was found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "output.h"
#include "serving.h"

enum { QUESTIONS = 64, KEPT_SAMPLES = 50, MOST_SOURCES = 8 };

const char *const metric_names[METRICS] = {[OFFERED] = "offered_per_s",
                                           [ACHIEVED] = "achieved_per_s",
                                           [GOOD] = "good_per_s",
                                           [P50] = "p50_us",
                                           [P99] = "p99_us",
                                           [P999] = "p999_us",
                                           [MEAN] = "mean_us",
                                           [PER_CPU] = "per_cpu_s",
                                           [PER_FRONT] = "per_front_cpu_s",
                                           [GENERATOR] = "generator_share",
                                           [LIMITED] = "generator_limits",
                                           [BATCH] = "mean_batch",
                                           [FAILED] = "failed_part",
                                           [JAIN] = "jain"};

const char *models_folder(void) {
    const char *given = getenv("MODELS");
    return given != NULL && given[0] != '\0' ? given : "build/models";
}

size_t rounds_of(const struct serving *serving, size_t most) {
    size_t quick = most < 3 ? most : 3;
    return serving->options->quick ? quick : most;
}

double seconds_each(const struct serving *serving, size_t points, size_t rounds, double least) {
    double each = serving->seconds / (double)(points * rounds);
    return each > least ? each : least;
}

double jain(const double *numbers, size_t count) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += numbers[i];
        squares += numbers[i] * numbers[i];
    }
    return squares > 0 ? sum * sum / ((double)count * squares) : 0;
}

/* ---- one run */

/* The questions for a model, with the right answers; made once. NULL, with a line, when they cannot be. */
static const struct questions *questions_for(const struct serving *serving, const struct server *server) {
    static struct {
        char source[256];
        struct questions questions;
    } known[MOST_SOURCES];
    static size_t count;
    for (size_t i = 0; i < count; i++)
        if (strcmp(known[i].source, server->source) == 0)
            return &known[i].questions;
    struct failure failure = {.text = "too many models"};
    if (count < MOST_SOURCES &&
        questions_make(&known[count].questions, &server->target, QUESTIONS, 1, serving->options->seed, &failure) == 0) {
        if (questions_answer(&known[count].questions, server->source, models_folder(), &failure) == 0) {
            snprintf(known[count].source, sizeof known[count].source, "%s", server->source);
            return &known[count++].questions;
        }
        questions_free(&known[count].questions);
    }
    note_failure("bench: %s: %s", server->source, failure.text);
    return NULL;
}

/* Times of wrong work are worth nothing. */
void serving_check(const struct server *server, const struct tally *tally) {
    uint64_t wrong = tally->outcomes[OUTCOME_WRONG] + tally->outcomes[OUTCOME_MALFORMED];
    if (wrong + tally->duplicated + tally->stray > 0)
        wrong_result("%s: %llu answers were wrong, %llu came twice, %llu bytes were nobody's%s%s", server->title,
                     (unsigned long long)wrong, (unsigned long long)tally->duplicated, (unsigned long long)tally->stray,
                     tally->fault != NULL ? ": " : "", tally->fault != NULL ? tally->fault : "");
}

bool serving_prepare(struct serving *serving, const struct server *server, struct load_options *load) {
    if (server->popen == NULL)
        return false;
    load->questions = questions_for(serving, server);
    load->target = &server->target;
    load->verify = true;
    load->request.json = server->json;
    load->seed = dice_below(&serving->dice, (size_t)1 << 40);
    return load->questions != NULL;
}

bool serving_load(struct serving *serving, struct server *server, const struct load_options *load,
                  struct load_result *result) {
    struct load_options options = *load;
    struct failure failure;
    if (!serving_prepare(serving, server, &options))
        return false;
    if (load_run(result, &options, &failure) != 0) {
        if (server->peer)
            note("bench: %s: %s", server->title, failure.text);
        else
            note_failure("bench: %s: %s", server->title, failure.text);
        if (at_popen_poll(server->popen, NULL) == 0)
            server_stop(server); /* it has died, and is left out from here on */
        return false;
    }
    serving_check(server, &result->tally);
    return true;
}

/* ---- many of them */

static double mean_batch(struct point *point, const struct tally *tally) {
    double rows = 0, answers = 0;
    for (size_t size = 1; size < TALLY_BATCHES; size++) {
        point->batches[size] += tally->batches[size];
        answers += (double)tally->batches[size];
        rows += (double)size * (double)tally->batches[size];
    }
    return answers > 0 ? rows / answers : 0;
}

static double jain_of(const struct point *point, const struct tally *tally) {
    double requests[TALLY_DEVICES] = {0};
    for (size_t i = 0; i < tally->device_count; i++)
        requests[i] = (double)tally->devices[i].answers;
    return point->devices >= tally->device_count ? jain(requests, point->devices) : 0;
}

static void add(struct point *point, const struct load_result *result, struct server_cpu cpu) {
    const struct tally *tally = &result->tally;
    double right = (double)tally->outcomes[OUTCOME_RIGHT], requests = (double)tally_requests(tally);
    const double found[METRICS] = {
        [OFFERED] = result->offered,
        [ACHIEVED] = result->achieved,
        [GOOD] = result->goodput,
        [P50] = (double)histogram_quantile(&tally->latency, 0.5) / 1e3,
        [P99] = (double)histogram_quantile(&tally->latency, 0.99) / 1e3,
        [P999] = (double)histogram_quantile(&tally->latency, 0.999) / 1e3,
        [MEAN] = histogram_mean(&tally->latency) / 1e3,
        [PER_CPU] = cpu.all > 0 ? right / cpu.all : 0,
        [PER_FRONT] = cpu.front > 0 ? right / cpu.front : 0,
        [GENERATOR] = result->cpu_share,
        [LIMITED] = result->limit == LOAD_LIMIT_GENERATOR,
        [BATCH] = mean_batch(point, tally),
        [FAILED] = requests > 0 ? (requests - right) / requests : 0,
        [JAIN] = point->devices > 0 ? jain_of(point, tally) : 0,
    };
    for (size_t i = 0; i < METRICS; i++)
        samples_add(&point->of[i], found[i]);
}

/* The first requests find everything cold. */
static void warm_up(struct serving *serving, struct server *server) {
    const struct load_options few = {.scenario = LOAD_CLOSED, .connections = 8, .seconds = 0.1};
    struct load_result result;
    if (serving_load(serving, server, &few, &result))
        load_result_free(&result);
}

static void measure(struct serving *serving, struct point *point) {
    struct load_result result;
    if (point->server->popen == NULL)
        return;
    struct server_cpu before = server_cpu(point->server);
    if (!serving_load(serving, point->server, &point->load, &result))
        return;
    struct server_cpu after = server_cpu(point->server);
    add(point, &result, (struct server_cpu){after.front - before.front, after.all - before.all});
    if (point->after != NULL)
        point->after(point, &result);
    load_result_free(&result);
}

void points_measure(struct serving *serving, struct point *points, size_t count, size_t rounds, const char *what) {
    progress(what, serving->seconds + serving->left);
    for (size_t i = 0; i < count && !interrupted(); i++)
        if (points[i].server->popen == NULL && points[i].server->reason[0] == '\0' && server_start(points[i].server))
            warm_up(serving, points[i].server);
    size_t *order = need(count, sizeof *order);
    uint64_t start = now_ns();
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++)
            order[i] = i;
        shuffle(&serving->dice, order, count);
        for (size_t i = 0; i < count && !interrupted(); i++) {
            double left = serving->seconds - seconds_since(start);
            progress(what, (left > 0 ? left : 0) + serving->left);
            measure(serving, &points[order[i]]);
        }
    }
    free(order);
}

/* ---- what was found */

double point_median(const struct point *point, enum metric metric) {
    return spread_of(&point->of[metric]).median;
}

static void record_point(struct serving *serving, const char *name, const struct point *point, const char *series) {
    char key[128];
    snprintf(key, sizeof key, "%s/%s/%g", name, series, point->x);
    const char *role = point->server->peer ? "peer" : "ours";
    if (point->of[P50].count == 0) {
        if (point->server->reason[0] != '\0')
            record_missing(&serving->record, key, role, point->server->reason);
        return;
    }
    struct samples ns = {0};
    for (size_t i = 0; i < point->of[P50].count; i++)
        samples_add(&ns, point->of[P50].values[i] * 1e3);
    json_t *row = record_row(&serving->record, key, role, &ns, KEPT_SAMPLES);
    samples_free(&ns);
    for (size_t i = 0; i < METRICS; i++)
        json_object_set_new(row, metric_names[i], json_real(point_median(point, (enum metric)i)));
}

void points_write(struct serving *serving, const char *name, const struct point *points, size_t count) {
    char file_name[64], line[2048];
    snprintf(file_name, sizeof file_name, "serving-%s", name);
    size_t length = (size_t)snprintf(line, sizeof line, "series,role,x,samples");
    for (size_t i = 0; i < METRICS; i++)
        length += (size_t)snprintf(line + length, sizeof line - length, ",%s,%s_low,%s_high", metric_names[i],
                                   metric_names[i], metric_names[i]);
    snprintf(line + length, sizeof line - length, ",title"); /* last, since it may have commas */
    FILE *file = output_open(serving->options->output, file_name, line);
    for (size_t i = 0; i < count; i++) {
        const struct point *point = &points[i];
        const char *series = point->series != NULL ? point->series : point->server->name;
        record_point(serving, name, point, series);
        if (point->of[P50].count == 0)
            continue;
        length = (size_t)snprintf(line, sizeof line, "%s,%s,%g,%zu", series, point->server->peer ? "peer" : "ours",
                                  point->x, point->of[P50].count);
        for (size_t metric = 0; metric < METRICS; metric++) {
            struct spread spread = spread_of(&point->of[metric]);
            length += (size_t)snprintf(line + length, sizeof line - length, ",%.6g,%.6g,%.6g", spread.median,
                                       spread.low, spread.high);
        }
        output_row(file, "%s,%s", line, output_quoted(point->server->title));
    }
    output_close(file);
}

void points_stop(struct point *points, size_t count) {
    for (size_t i = 0; i < count; i++)
        server_stop(points[i].server);
}

void points_free(struct point *points, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t metric = 0; metric < METRICS; metric++)
            samples_free(&points[i].of[metric]);
}
