/* test_serving_inoue.c: batching under random arrivals, simulated: waits as in theory, fair, flat in overload. */
#include <math.h>

#include "batching.h"
#include "watch.h"

/*
 * Requests of one row arrive as a Poisson process, and workers that take alpha + beta * rows serve them. The times are
 * nanoseconds that nobody waits for: an event's moment is the time. What is random comes from a seed.
 */
enum { WORKERS = 4, MOST = 256 };

struct experiment {
    struct batching_options options;
    struct cost cost;
    size_t workers, arrivals;
    double rate;   /* arrivals a nanosecond */
    uint64_t life; /* from arrival to deadline; 0: none */
    double noise;  /* what a batch takes differs by this fraction of it: it is learnt, from a first one that is slow */
};

struct outcome {
    double latency;       /* the mean, of those served */
    double goodput;       /* those served in time, a nanosecond */
    size_t rows[WORKERS]; /* of each worker */
    size_t late, given_up;
};

struct worker {
    struct waiting *batch[MOST];
    size_t count;  /* 0: it is free */
    uint64_t free; /* the moment from which it is, or was */
};

static uint64_t seed = 20191206;

static double uniform(void) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return ((double)(seed >> 11) + 0.5) / 9007199254740992.0;
}

static double exponential(double rate) {
    return -log(uniform()) / rate;
}

static void finish_batch(struct worker *worker, struct outcome *outcome) {
    for (size_t i = 0; i < worker->count; i++) {
        const struct waiting *served = worker->batch[i];
        outcome->latency += (double)(worker->free - served->arrived);
        if (served->deadline == 0 || worker->free <= served->deadline)
            outcome->goodput++;
        else
            outcome->late++;
    }
    worker->count = 0;
}

/* Of the workers that are free, the one that has been for longest; NULL when all are busy. */
static struct worker *longest_free(struct worker *workers, size_t count, size_t *free) {
    struct worker *found = NULL;
    *free = 0;
    for (size_t i = 0; i < count; i++)
        if (workers[i].count == 0) {
            (*free)++;
            if (found == NULL || workers[i].free < found->free)
                found = &workers[i];
        }
    return found;
}

/* What a batch really takes, at least nine tenths of what it should at a noise of 0.1; and what is learnt from it. */
static uint64_t run_batch(const struct experiment *experiment, struct cost *known, size_t rows) {
    double time = (double)cost_predict(&experiment->cost, (uint32_t)rows);
    if (experiment->noise > 0) {
        time *= known->n > 0 ? 1 + experiment->noise * (exponential(1) - 1) : 10;
        cost_learn(known, (uint32_t)rows, (uint64_t)time);
    }
    return (uint64_t)time;
}

static void start_batches(const struct experiment *experiment, struct batching *batching, uint64_t now,
                          struct cost *known, struct worker *workers, struct outcome *outcome) {
    size_t free;
    for (struct worker *worker; (worker = longest_free(workers, experiment->workers, &free)) != NULL;) {
        worker->count = batching_take(batching, now, known, free, worker->batch, MOST);
        if (worker->count == 0)
            return;
        worker->free = now + run_batch(experiment, known, worker->count);
        outcome->rows[worker - workers] += worker->count;
    }
}

static void give_up(struct batching *batching, uint64_t now, const struct cost *known, size_t workers,
                    struct outcome *outcome) {
    while (batching_give_up(batching, now, workers > 0 ? batching_least(batching, known, workers) : 0) != NULL)
        outcome->given_up++;
}

static uint64_t next_event(const struct experiment *experiment, const struct batching *batching, uint64_t now,
                           const struct cost *known, const struct worker *workers, uint64_t arrival) {
    uint64_t least = batching_least(batching, known, experiment->workers);
    uint64_t next = batching_next(batching, now, least);
    next = arrival < next ? arrival : next;
    for (size_t i = 0; i < experiment->workers; i++)
        if (workers[i].count > 0 && workers[i].free < next)
            next = workers[i].free;
    return next;
}

static struct outcome simulate(const struct experiment *experiment) {
    struct outcome outcome = {0};
    struct cost known = experiment->noise > 0 ? (struct cost){0} : experiment->cost;
    struct worker workers[WORKERS] = {{.count = 0}};
    struct waiting *requests = calloc(experiment->arrivals, sizeof *requests);
    struct batching *batching = batching_new(&experiment->options);
    require(requests != NULL && batching != NULL);
    double clock = exponential(experiment->rate), last = 0;
    size_t arrived = 0;
    for (uint64_t now = 0;;) {
        uint64_t arrival = arrived < experiment->arrivals ? (uint64_t)clock : UINT64_MAX;
        now = next_event(experiment, batching, now, &known, workers, arrival);
        if (now == UINT64_MAX)
            break;
        for (size_t i = 0; i < experiment->workers; i++)
            if (workers[i].count > 0 && workers[i].free <= now)
                finish_batch(&workers[i], &outcome);
        if (now == arrival) {
            requests[arrived].arrived = now;
            requests[arrived].deadline = experiment->life > 0 ? now + experiment->life : 0;
            requests[arrived].rows = 1;
            batching_add(batching, &requests[arrived++]);
            last = clock;
            clock += exponential(experiment->rate);
        }
        give_up(batching, now, &known, 0, &outcome);
        start_batches(experiment, batching, now, &known, workers, &outcome);
        give_up(batching, now, &known, experiment->workers, &outcome);
    }
    ck_assert_uint_eq((size_t)outcome.goodput + outcome.late + outcome.given_up, experiment->arrivals);
    outcome.latency /= (double)(experiment->arrivals - outcome.given_up);
    outcome.goodput /= last;
    batching_free(batching);
    free(requests);
    return outcome;
}

/* ---- theory */

/* Inoue 2019, arXiv 1912.06322: the mean latency of one server that takes whatever waits is below both of these. */
static double inoue(double rate, double slope, double start) {
    double load = rate * slope;
    double light = (slope + start) / (2 * (1 - load)) * (1 + 2 * rate * start + (1 - rate * start) / (1 + load));
    double heavy = 1.5 * start / (1 - load) + slope / 2 * (load + 2) / (1 - load * load);
    return fmin(light, heavy);
}

/*
 * The same exactly, from the chain of batch sizes: while b rows run, a Poisson number arrive, who are the next batch;
 * or the first who comes is. Who arrives waits for half a batch on average, and then for its own. Sizes above SIZES do
 * not occur at these loads.
 */
static double exact(double rate, double slope, double start) {
    enum { SIZES = 200, STEPS = 200 };
    static double follows[SIZES][SIZES]; /* the probability that so many arrive while so many run */
    double sizes[SIZES] = {[1] = 1}, waited = 0, served = 0;
    for (size_t b = 1; b < SIZES; b++) {
        double mean = rate * (slope * (double)b + start);
        follows[b][0] = exp(-mean);
        for (size_t k = 1; k < SIZES; k++)
            follows[b][k] = follows[b][k - 1] * mean / (double)k;
    }
    for (int step = 0; step < STEPS; step++) {
        double next[SIZES] = {0};
        for (size_t b = 1; b < SIZES; b++)
            for (size_t k = 0; k < SIZES; k++)
                next[k > 0 ? k : 1] += sizes[b] * follows[b][k];
        memcpy(sizes, next, sizeof next);
    }
    for (size_t b = 1; b < SIZES; b++)
        for (size_t k = 0; k < SIZES; k++) {
            double rest = k > 0 ? (slope * (double)b + start) / 2 : 0, rows = k > 0 ? (double)k : 1;
            waited += sizes[b] * follows[b][k] * rows * (rest + slope * rows + start);
            served += sizes[b] * follows[b][k] * rows;
        }
    return waited / served;
}

/* The bound is a line to draw: closer than 6 % but around the load where its two branches meet, which is 0.1 here. */
START_TEST(latency_is_as_theory_says) {
    static const double LOADS[] = {0.05, 0.1, 0.5, 0.8};
    struct experiment experiment = {.options.most = 10000, .workers = 1, .arrivals = 100000};
    experiment.cost = (struct cost){.alpha = 170000, .beta = 19300};
    for (size_t i = 0; i < sizeof LOADS / sizeof *LOADS; i++) {
        experiment.rate = LOADS[i] / experiment.cost.beta;
        double latency = simulate(&experiment).latency;
        double expected = exact(experiment.rate, experiment.cost.beta, experiment.cost.alpha);
        double line = inoue(experiment.rate, experiment.cost.beta, experiment.cost.alpha);
        ck_assert_double_eq_tol(latency, expected, 0.03 * expected);
        ck_assert_double_eq_tol(latency, line, (LOADS[i] == 0.1 ? 0.1 : 0.06) * line);
    }
}
END_TEST

/* ---- fairness and overload */

static double peak(const struct experiment *experiment) {
    double most = experiment->options.most;
    return (double)experiment->workers * most / (experiment->cost.alpha + experiment->cost.beta * most);
}

START_TEST(no_worker_takes_all) {
    struct experiment experiment = {.options.most = 64, .workers = WORKERS, .arrivals = 40000};
    experiment.cost = (struct cost){.alpha = 170000, .beta = 19300};
    static const double LOADS[] = {0.05, 0.5, 0.9};
    for (size_t i = 0; i < sizeof LOADS / sizeof *LOADS; i++) {
        experiment.rate = LOADS[i] * peak(&experiment);
        struct outcome outcome = simulate(&experiment);
        for (size_t worker = 0; worker < WORKERS; worker++)
            ck_assert_double_eq_tol((double)outcome.rows[worker], (double)experiment.arrivals / WORKERS,
                                    0.1 * (double)experiment.arrivals / WORKERS);
    }
}
END_TEST

/* What is served in time is such a share of what could be at this load, and what is served late no more than this. */
static void require_goodput(struct experiment experiment, double load, double share, double late) {
    experiment.life = 4 * cost_predict(&experiment.cost, 64);
    experiment.rate = load * peak(&experiment);
    struct outcome outcome = simulate(&experiment);
    ck_assert_double_ge(outcome.goodput, share * fmin(load, 1) * peak(&experiment));
    ck_assert_double_le((double)outcome.late, late * (double)experiment.arrivals);
}

/* Half as much again as can be served, and three times as much: what is served in time stays what it was. */
START_TEST(goodput_stays_flat_past_saturation) {
    static const struct cost COSTS[] = {{.alpha = 170000, .beta = 19300}, {.alpha = 2000000, .beta = 30000}};
    static const double LOADS[] = {0.9, 1.5, 3};
    for (size_t workers = 1; workers <= WORKERS; workers += WORKERS - 1)
        for (size_t i = 0; i < sizeof COSTS / sizeof *COSTS; i++)
            for (size_t j = 0; j < sizeof LOADS / sizeof *LOADS; j++) {
                struct experiment experiment = {.options.most = 64, .workers = workers, .arrivals = 30000};
                experiment.cost = COSTS[i];
                require_goodput(experiment, LOADS[j], 0.95, 0);
                experiment.noise = 0.1;
                require_goodput(experiment, LOADS[j], 0.9, 0.05);
            }
}
END_TEST

SUITE("serving_inoue", latency_is_as_theory_says, no_worker_takes_all, goodput_stays_flat_past_saturation)
