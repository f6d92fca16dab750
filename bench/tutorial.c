/*
 * tutorial.c: the tutorial's own comparison: two sums by two processes and a queue, by two threads and the same kind of
 * queue, and without concurrency; ours beside Python's.
 *
 * The sums are of the numbers below 5, as in the tutorial, and then of those below a million, so that the answer
 * changes. Each way makes its queue, starts its workers, joins them and fetches the two sums, and all of that is its
 * time. Python's side is peers/tutorial.py. Each result is compared with n(n - 1), and a wrong one ends the run with
 * status 1.
 */
#include <inttypes.h>
#include <stdio.h>

#include "atelier.h"
#include "comparison.h"
#include "console.h"
#include "measure.h"
#include "options.h"
#include "work.h"

enum { MULTI, THREAD, NORMAL, WAYS };
enum { SIZES = 2, WORKERS = 2, SHORT = 1000 };

static const char *const names[WAYS] = {"multi", "thread", "normal"};
static const uint64_t all_numbers[SIZES] = {5, 1000000};
static uint64_t numbers; /* the sums of the next comparison are of those below this */

/* What a worker is told. */
struct task {
    at_queue *queue;
    uint64_t numbers;
};

static int add_up(void *arg) {
    const struct task *task = arg;
    uint64_t sum = sum_below(task->numbers);
    return at_put(task->queue, sum);
}

/* All who put have ended: what there will ever be is there. Less than two sums come to a wrong total. */
static uint64_t get_all(at_queue *queue) {
    uint64_t total = 0;
    for (size_t i = 0; i < WORKERS; i++) {
        uint64_t sum;
        if (at_queue_get_exactly(queue, &sum, sizeof sum, 0) == 0)
            total += sum;
    }
    at_queue_free(queue);
    return total;
}

static uint64_t multi(void) {
    struct task task = {.queue = at_queue_new(), .numbers = numbers};
    at_process *workers[WORKERS];
    for (size_t i = 0; i < WORKERS; i++)
        workers[i] = at_process_new(.target = add_up, AT_COPY(task));
    for (size_t i = 0; i < WORKERS; i++)
        at_check(at_process_start(workers[i]));
    for (size_t i = 0; i < WORKERS; i++)
        at_check(at_process_join(workers[i], AT_FOREVER));
    for (size_t i = 0; i < WORKERS; i++)
        at_process_free(workers[i]);
    return get_all(task.queue);
}

static uint64_t thread(void) {
    struct task task = {.queue = at_queue_new(), .numbers = numbers};
    at_thread *workers[WORKERS];
    for (size_t i = 0; i < WORKERS; i++)
        workers[i] = at_thread_new(.target = add_up, AT_COPY(task));
    for (size_t i = 0; i < WORKERS; i++)
        at_check(at_thread_start(workers[i]));
    for (size_t i = 0; i < WORKERS; i++)
        at_check(at_thread_join(workers[i], AT_FOREVER));
    for (size_t i = 0; i < WORKERS; i++)
        at_thread_free(workers[i]);
    return get_all(task.queue);
}

static uint64_t normal(void) {
    return sum_below(numbers) + sum_below(numbers);
}

/* Samples of one way; short work is done more than once in each, until the clock's own cost does not show. */
static size_t take(size_t way, size_t times, struct observation *samples, size_t count) {
    static uint64_t (*const functions[WAYS])(void) = {multi, thread, normal};
    for (size_t i = 0; i < count && !interrupted(); i++) {
        uint64_t expected = 2 * expected_sum(numbers), wrong = expected;
        uint64_t start = now_ns();
        for (size_t time = 0; time < times; time++) {
            uint64_t total = functions[way]();
            if (total != expected)
                wrong = total;
        }
        samples[i] = (struct observation){.ns = (double)(now_ns() - start) / (double)times};
        /* Ctrl-C also ends children half-way; that is no wrong result. */
        if (wrong != expected && !interrupted())
            wrong_result("%s: two sums below %" PRIu64 " = %" PRIu64 ", not %" PRIu64, names[way], numbers, wrong,
                         expected);
    }
    return interrupted() ? 0 : count;
}

static size_t multi_ours(struct observation *samples, size_t count) {
    return take(MULTI, 1, samples, count);
}

static size_t thread_ours(struct observation *samples, size_t count) {
    return take(THREAD, 1, samples, count);
}

static size_t normal_ours(struct observation *samples, size_t count) {
    return take(NORMAL, numbers < SHORT ? SHORT : 1, samples, count);
}

static bool of_five(void) {
    numbers = all_numbers[0];
    return true;
}

static bool of_a_million(void) {
    numbers = all_numbers[1];
    return true;
}

static void remember(void);

#define SUBJECTS(ours, function, python, way, n)                                                                       \
    .subjects = {[OURS] = {.name = (ours), .take = (function)},                                                        \
                 [PYTHON] = {.name = (python), .script = "tutorial.py", .arguments = {(way), (n)}, .batch = 2}},       \
    .after = remember, .least_rounds = 3

/* The rows: as many as ways for five, then for a million. */
static struct comparison comparisons[SIZES * WAYS] = {
    {
        .name = "multi_5",
        .title = "multi: 2 processes, n = 5",
        SUBJECTS("at_process and at_queue", multi_ours, "multiprocessing", "multi", "5"),
        .before = of_five,
        .batch = 5,
    },
    {
        .name = "thread_5",
        .title = "thread: 2 threads, n = 5",
        SUBJECTS("at_thread and at_queue", thread_ours, "threading", "thread", "5"),
        .before = of_five,
        .batch = 5,
    },
    {
        .name = "normal_5",
        .title = "normal: neither, n = 5",
        SUBJECTS("C", normal_ours, "Python", "normal", "5"),
        .before = of_five,
        .batch = 10,
    },
    {
        .name = "multi_1000000",
        .title = "multi: 2 processes, n = 1 000 000",
        SUBJECTS("at_process and at_queue", multi_ours, "multiprocessing", "multi", "1000000"),
        .before = of_a_million,
        .batch = 5,
    },
    {
        .name = "thread_1000000",
        .title = "thread: 2 threads, n = 1 000 000",
        SUBJECTS("at_thread and at_queue", thread_ours, "threading", "thread", "1000000"),
        .before = of_a_million,
        .batch = 5,
    },
    {
        .name = "normal_1000000",
        .title = "normal: neither, n = 1 000 000",
        SUBJECTS("C", normal_ours, "Python", "normal", "1000000"),
        .before = of_a_million,
        .batch = 5,
    },
};

/* What was found so far, for the answer below: comparisons_run frees the samples. */
static struct spread found[SIZES * WAYS][ROLES];

static void remember(void) {
    for (size_t i = 0; i < SIZES * WAYS; i++)
        for (size_t role = 0; role < ROLES; role++)
            if (comparisons[i].ns[role].count > 0)
                found[i][role] = spread_of(&comparisons[i].ns[role]);
}

/* The tutorial's answer, "normal < thread < multi"; ~ where the 95% intervals of the medians overlap. */
static void answer(size_t size, enum role role) {
    size_t order[WAYS] = {MULTI, THREAD, NORMAL};
    const struct spread *spreads[WAYS];
    for (size_t way = 0; way < WAYS; way++) {
        spreads[way] = &found[size * WAYS + way][role];
        if (spreads[way]->count == 0)
            return;
    }
    for (size_t i = 1; i < WAYS; i++) {
        for (size_t j = i; j > 0 && spreads[order[j]]->median < spreads[order[j - 1]]->median; j--) {
            size_t slower = order[j - 1];
            order[j - 1] = order[j];
            order[j] = slower;
        }
    }
    printf("n = %s, %s: %s", human_count((double)all_numbers[size]), role_titles[role], names[order[0]]);
    for (size_t i = 1; i < WAYS; i++) {
        bool apart = spreads[order[i - 1]]->high < spreads[order[i]]->low;
        printf(" %c %s", apart ? '<' : '~', names[order[i]]);
    }
    putchar('\n');
}

int main(int argc, char *argv[]) {
    struct options options = options_read(
        argc, argv, "Times the tutorial's two sums by processes, by threads and by neither, in C and in Python.");
    catch_interrupts();
    double seconds = options.seconds > 0 ? options.seconds : options.quick ? 1 : 10;
    comparisons_run(comparisons, SIZES * WAYS, &options, "tutorial", seconds);
    for (size_t size = 0; size < SIZES; size++) {
        answer(size, OURS);
        answer(size, PYTHON);
    }
    return end_status();
}
