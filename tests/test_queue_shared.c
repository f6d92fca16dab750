/* test_queue_shared.c: a queue that several processes and threads use at once. */
#include <pthread.h>
#include <stdatomic.h>

#include "queues.h"

/* ---- many put, many get */

enum { MOST_PRODUCERS = 4, MOST_BYTES = 3000 };

/* How a test puts and gets: by processes or by threads, how many and how much, and how they wait. */
struct traffic {
    int producers, consumers, messages; /* messages of each producer */
    size_t largest;                     /* bytes of a message beyond its first two numbers */
    bool polls, storm;                  /* they do not wait; signals come all the time */
    int most;                           /* taken at a time; 0: by at_queue_get */
};

static struct traffic traffic;

static struct {
    _Atomic int got;                     /* messages, by all */
    _Atomic unsigned char seen[1 << 20]; /* how often each one was got, by its number */
    _Atomic int next_producer;           /* who am I? */
} * tally;

struct item {
    int producer, number;
    unsigned char bytes[MOST_BYTES];
};

static size_t size_of(int producer, int number) {
    size_t beyond = traffic.largest == 0 ? 0 : ((size_t)number * 7919 + (size_t)producer * 31) % traffic.largest;
    return offsetof(struct item, bytes) + beyond;
}

static int put_all(void *unused) {
    (void)unused;
    struct item item = {.producer = tally->next_producer++};
    if (traffic.storm)
        start_eintr_storm();
    for (item.number = 0; item.number < traffic.messages; item.number++) {
        size_t size = size_of(item.producer, item.number);
        memset(item.bytes, item.number, size - offsetof(struct item, bytes));
        int result;
        do
            result = at_queue_put(queue, &item, size, traffic.polls ? 0 : item.number % 3 ? AT_FOREVER : BOUND);
        while (traffic.polls && result == AT_EFULL);
        require(result == 0);
    }
    return 0;
}

static void check(const struct item *item, size_t size, int last[]) {
    require(item->producer >= 0 && item->producer < traffic.producers);
    require(size == size_of(item->producer, item->number));
    for (size_t i = 0; i < size - offsetof(struct item, bytes); i++)
        require(item->bytes[i] == (unsigned char)item->number);
    require(item->number > last[item->producer]); /* what one puts is got in order, also if by several */
    last[item->producer] = item->number;
    tally->seen[item->producer * traffic.messages + item->number]++;
    tally->got++;
}

static int get_some(struct item *item, int last[]) {
    size_t size = sizeof *item;
    int result = at_queue_get(queue, item, &size, traffic.polls ? -1 : AT_FOREVER);
    if (result == 0)
        check(item, size, last);
    return result;
}

static int get_several(struct item *items, int last[]) {
    size_t size = size_of(0, 0); /* all are as large */
    int result = at_queue_get_many(queue, items, size, traffic.most, traffic.polls ? -1 : AT_FOREVER);
    for (int i = 0; i < result; i++)
        check((const struct item *)(const void *)((const char *)items + (size_t)i * size), size, last);
    return result;
}

/* Until the queue is closed and drained. */
static int get_all(void *unused) {
    (void)unused;
    int last[MOST_PRODUCERS] = {-1, -1, -1, -1}, result;
    if (traffic.storm)
        start_eintr_storm();
    struct item *items = malloc(sizeof *items * (size_t)(traffic.most + 1));
    do
        result = traffic.most == 0 ? get_some(items, last) : get_several(items, last);
    while (result >= 0 || (traffic.polls && result == AT_EEMPTY));
    require(result == AT_ECLOSED);
    free(items);
    return 0;
}

static void begin_tally(void) {
    tally = at_shared_new(sizeof *tally);
    ck_assert_ptr_nonnull(tally);
}

static void end_tally(void) {
    ck_assert_int_eq(tally->got, traffic.producers * traffic.messages);
    for (int i = 0; i < traffic.producers * traffic.messages; i++)
        require(tally->seen[i] == 1);
    ck_assert(at_queue_empty(queue));
    at_shared_free(tally);
}

static void between_processes(struct traffic asked) {
    traffic = asked;
    begin_tally();
    at_process *producers[MOST_PRODUCERS], *consumers[MOST_PRODUCERS];
    for (int i = 0; i < traffic.consumers; i++)
        consumers[i] = started(.target = get_all);
    for (int i = 0; i < traffic.producers; i++)
        producers[i] = started(.target = put_all);
    for (int i = 0; i < traffic.producers; i++)
        ck_assert_int_eq(finish(producers[i]), 0);
    at_queue_close(queue);
    for (int i = 0; i < traffic.consumers; i++)
        ck_assert_int_eq(finish(consumers[i]), 0);
    end_tally();
}

static void between_threads(struct traffic asked) {
    traffic = asked;
    begin_tally();
    at_thread *producers[MOST_PRODUCERS], *consumers[MOST_PRODUCERS];
    for (int i = 0; i < traffic.consumers; i++)
        start(consumers[i] = at_thread_new(.target = get_all));
    for (int i = 0; i < traffic.producers; i++)
        start(producers[i] = at_thread_new(.target = put_all));
    for (int i = 0; i < traffic.producers; i++) {
        join(producers[i]);
        at_thread_free(producers[i]);
    }
    at_queue_close(queue);
    for (int i = 0; i < traffic.consumers; i++) {
        join(consumers[i]);
        at_thread_free(consumers[i]);
    }
    end_tally();
}

/* Sanitizers make each step some ten times as long. */
static const int MANY = UNDER_TSAN || UNDER_ASAN ? 5000 : 50000;

static void mix(void between(struct traffic)) {
    for (int producers = 1; producers <= 4; producers += 3)
        for (int consumers = 1; consumers <= 4; consumers += 3) {
            use_queue();
            between((struct traffic){producers, consumers, MANY / producers, .largest = 0});
            use_queue(.capacity = 4096);
            between((struct traffic){producers, consumers, MANY / producers, .largest = 50});
            use_queue(.capacity = 1 << 16);
            between((struct traffic){producers, consumers, MANY / producers, .largest = MOST_BYTES});
            use_queue(.maxsize = 3);
            between((struct traffic){producers, consumers, MANY / 20 / producers, .largest = 100});
        }
}

START_TEST(processes_lose_none) {
    mix(between_processes);
}
END_TEST

START_TEST(threads_lose_none) {
    mix(between_threads);
}
END_TEST

START_TEST(those_who_take_several_lose_none) {
    for (int consumers = 1; consumers <= 3; consumers++) {
        use_queue(.capacity = 8192);
        between_processes((struct traffic){2, consumers, MANY, .most = 10});
        use_queue(.capacity = 8192);
        between_threads((struct traffic){2, consumers, MANY, .most = 1000});
    }
}
END_TEST

START_TEST(those_who_poll_lose_none) {
    use_queue(.capacity = 8192);
    between_processes((struct traffic){1, 1, MANY, .largest = 100, .polls = true});
    use_queue(.capacity = 8192);
    between_threads((struct traffic){2, 1, MANY / 10, .largest = 100, .polls = true});
}
END_TEST

/* ---- cases */

static int put_numbers_from(void *first) {
    for (int number = *(int *)first; number < *(int *)first + 10; number++)
        require(at_put(queue, number) == 0);
    return 0;
}

START_TEST(what_the_parent_put_before_a_fork_is_got_once) { /* case 31 (test_fork) */
    int none = 0, ten = 10, number;
    put_numbers_from(&none);
    at_process *child = started(.target = put_numbers_from, AT_COPY(ten));
    for (int expected = 0; expected < 20; expected++) {
        ck_assert_int_eq(at_queue_get_exactly(queue, &number, sizeof number, BOUND), 0);
        ck_assert_int_eq(number, expected);
    }
    ck_assert_int_eq(finish(child), 0);
    ck_assert_int_eq(at_queue_get_exactly(queue, &number, sizeof number, 0), AT_EEMPTY);
}
END_TEST

static int put_much(void *unused) {
    static char mebibyte[1 << 20];
    (void)unused;
    for (int i = 0; i < 8; i++)
        require(at_queue_put(queue, mebibyte, sizeof mebibyte, AT_FOREVER) == 0);
    return 0;
}

START_TEST(join_before_the_queue_is_drained) { /* gh-73983: Python's child waits for its feeder thread */
    at_process *child = started(.target = put_much);
    ck_assert_int_eq(finish(child), 0);
    ck_assert_uint_eq(at_queue_qsize(queue), 8);
    for (int i = 0; i < 8; i++) {
        void *data;
        size_t size;
        ck_assert_int_eq(at_queue_get_new(queue, &data, &size, 0), 0);
        ck_assert_uint_eq(size, 1 << 20);
        free(data);
    }
}
END_TEST

START_TEST(child_of_the_zygote_shares_what_was_before_it) {
    ck_assert_int_eq(at_zygote_start(), 0);
    int number, ten = 10;
    at_process *child = started(.target = put_numbers_from, AT_COPY(ten), .start_method = AT_START_ZYGOTE);
    for (int i = 10; i < 20; i++) {
        ck_assert_int_eq(at_queue_get_exactly(queue, &number, sizeof number, BOUND), 0);
        ck_assert_int_eq(number, i);
    }
    ck_assert_int_eq(finish(child), 0);
}
END_TEST

/* ---- waits */

static const double TIMEOUTS[] = {0, -1, -1e300, 0.001, 0.05, 0.25};

START_TEST(timeouts_are_kept) { /* case 30 (test_get, test_timeout) */
    char byte = 0;
    size_t size = 1;
    use_queue(.capacity = 16);
    for (int full = 0; full < 2; full++) {
        for (size_t i = 0; i < sizeof TIMEOUTS / sizeof *TIMEOUTS; i++) {
            double begin = at_now();
            if (full)
                ck_assert_int_eq(at_queue_put(queue, NULL, 0, TIMEOUTS[i]), AT_EFULL);
            else
                ck_assert_int_eq(at_queue_get(queue, &byte, &size, TIMEOUTS[i]), AT_EEMPTY);
            ck_assert_double_ge(at_now() - begin, TIMEOUTS[i] - ROUNDING);
            ck_assert_double_lt(at_now() - begin, BOUND);
        }
        ck_assert_int_eq(at_queue_put(queue, NULL, 0, full ? -1 : BOUND), full ? AT_EFULL : 0);
    }
    ck_assert_int_eq(at_queue_get(queue, &byte, &size, AT_FOREVER), 0);
}
END_TEST

START_TEST(signals_neither_shorten_nor_lengthen_a_wait) { /* fault 13 */
    char byte = 0;
    size_t size = 1;
    use_queue(.capacity = 16);
    storm_begin();
    for (int full = 0; full < 2; full++) {
        double begin = at_now();
        if (full)
            require(at_queue_put(queue, NULL, 0, 0.3) == AT_EFULL);
        else
            require(at_queue_get(queue, &byte, &size, 0.3) == AT_EEMPTY);
        require(at_now() - begin >= 0.3 - ROUNDING && at_now() - begin < BOUND);
        require(at_queue_put(queue, NULL, 0, -1) == (full ? AT_EFULL : 0));
    }
    storm_end();
}
END_TEST

START_TEST(storms_of_signals_cost_no_message) {
    use_queue(.capacity = 4096);
    between_processes((struct traffic){2, 2, MANY, .largest = 100, .storm = true});
    use_queue(.maxsize = 1);
    between_processes((struct traffic){2, 2, MANY / 10, .largest = 100, .storm = true});
}
END_TEST

START_TEST(sleepers_are_woken) { /* each by its own message, or its own room */
    enum { SLEEPERS = 5 };
    use_queue(.maxsize = SLEEPERS);
    for (int full = 0; full < 2; full++) {
        pid_t sleepers[SLEEPERS];
        int number;
        for (int i = 0; full && i < SLEEPERS; i++)
            ck_assert_int_eq(at_put(queue, i), 0);
        for (int i = 0; i < SLEEPERS; i++)
            if ((sleepers[i] = fork()) == 0)
                _exit((full ? at_put(queue, i) : at_get(queue, &number)) == 0 ? 0 : 1);
        for (int i = 0; i < SLEEPERS; i++)
            await(is_blocked(sleepers[i], sleepers[i]));
        for (int i = 0; i < SLEEPERS; i++)
            ck_assert_int_eq(full ? at_get(queue, &number) : at_put(queue, i), 0);
        for (int i = 0; i < SLEEPERS; i++)
            ck_assert_int_eq(end_of(sleepers[i]), 0);
    }
    ck_assert_uint_eq(at_queue_qsize(queue), SLEEPERS);
}
END_TEST

START_TEST(small_message_goes_in_where_a_large_one_waits) {
    use_queue(.capacity = 4096);
    static char large[4000];
    ck_assert_int_eq(at_queue_put_nowait(queue, large, 2000), 0);
    ck_assert_int_eq(at_queue_put_nowait(queue, large, 2000), 0);
    pid_t first = fork();
    if (first == 0)
        _exit(at_queue_put(queue, large, 4000, BOUND) == 0 ? 0 : 1);
    await(is_blocked(first, first));
    pid_t second = fork();
    if (second == 0)
        _exit(at_queue_put(queue, large, 1000, BOUND) == 0 ? 0 : 1);
    await(is_blocked(second, second));
    size_t size = 2000;
    ck_assert_int_eq(at_queue_get_nowait(queue, large, &size), 0);
    ck_assert_int_eq(end_of(second), 0);
    for (int i = 0; i < 2; i++, size = sizeof large)
        ck_assert_int_eq(at_queue_get(queue, large, &size, BOUND), 0);
    ck_assert_int_eq(end_of(first), 0);
    ck_assert_uint_eq(at_queue_qsize(queue), 1);
}
END_TEST

SUITE_WITH("queue_shared", setup, teardown, processes_lose_none, threads_lose_none, those_who_take_several_lose_none,
           those_who_poll_lose_none, what_the_parent_put_before_a_fork_is_got_once, join_before_the_queue_is_drained,
           child_of_the_zygote_shares_what_was_before_it, timeouts_are_kept,
           signals_neither_shorten_nor_lengthen_a_wait, storms_of_signals_cost_no_message, sleepers_are_woken,
           small_message_goes_in_where_a_large_one_waits)
