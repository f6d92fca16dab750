/* test_queue_death.c: the queue when those who use it are killed or stopped; faults 8, 9, 11 and 12. */
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "queues.h"

/* What the processes of a test share. */
static struct {
    _Atomic int inside;         /* how many have been caught in the middle of a copy */
    _Atomic int put[4], got;    /* messages, by producer and by all */
    _Atomic char seen[1 << 26]; /* how often each one was got */
} * shared;

static void setup_shared(void) {
    setup();
    shared = at_shared_new(sizeof *shared);
    ck_assert_ptr_nonnull(shared);
}

static void teardown_shared(void) {
    teardown();
    at_shared_free((void *)shared);
}

/* From here on the queue is as any other. */
static void assert_works(void) {
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(put_number_within(i, BOUND), 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            require(get_number_within(BOUND) == i);
        require(put_number_within(3, BOUND) == 0);
        _exit(0);
    }
    ck_assert_int_eq(end_of(child), 0);
    ck_assert_int_eq(get_number_within(BOUND), 3);
    ck_assert_uint_eq(at_queue_qsize(queue), 0);
    ck_assert_int_eq(get_number_within(0), AT_EEMPTY);
}

/* ---- caught in the middle of a copy, with the lock: a page that the copy comes to is closed */

enum { MEBIBYTE = 1 << 20, PAGE = 1 << 16 };

static unsigned char *mebibyte;

static void open_page_when_told(int number) {
    (void)number;
    shared->inside++;
    raise(SIGSTOP); /* here the process is killed, or goes on */
    mprotect(mebibyte + MEBIBYTE / 2, PAGE, PROT_READ | PROT_WRITE);
}

static void close_page(void) {
    mebibyte = mmap(NULL, MEBIBYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(mebibyte != MAP_FAILED);
    memset(mebibyte, 7, MEBIBYTE);
    require(mprotect(mebibyte + MEBIBYTE / 2, PAGE, PROT_NONE) == 0);
    signal(SIGSEGV, open_page_when_told);
}

/* A child that has stopped itself in the middle of its put, or its get. */
static pid_t start_caught(bool puts) {
    shared->inside = 0;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        size_t size = MEBIBYTE;
        close_page();
        int result = puts ? at_queue_put(queue, mebibyte, size, BOUND) : at_queue_get(queue, mebibyte, &size, BOUND);
        _exit(result == 0 && size == MEBIBYTE ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ck_assert(WIFSTOPPED(status));
    ck_assert_int_eq(shared->inside, 1);
    return child;
}

static void kill_child(pid_t child) {
    kill(child, SIGKILL);
    ck_assert_int_eq(end_of(child), -SIGKILL);
}

static void put_mebibyte(void) {
    unsigned char *bytes = malloc(MEBIBYTE);
    memset(bytes, 7, MEBIBYTE);
    ck_assert_int_eq(at_queue_put(queue, bytes, MEBIBYTE, BOUND), 0);
    free(bytes);
}

static void get_mebibyte(void) {
    void *data;
    size_t size;
    ck_assert_int_eq(at_queue_get_new(queue, &data, &size, BOUND), 0);
    ck_assert_uint_eq(size, MEBIBYTE);
    for (size_t i = 0; i < size; i++)
        require(((unsigned char *)data)[i] == 7);
    free(data);
}

START_TEST(message_of_a_killed_producer_never_comes) { /* fault 9 */
    for (int polled = 0; polled < 2; polled++)
        for (int i = 0; i < 5; i++) {
            if (polled)
                ck_assert_int_ge(at_queue_fileno(queue), 0);
            pid_t child = start_caught(true);
            ck_assert_int_eq(get_number_within(0.01), AT_EEMPTY);
            kill_child(child);
            ck_assert_int_eq(get_number_within(0.01), AT_EEMPTY);
            ck_assert_uint_eq(at_queue_qsize(queue), 0);
            if (i % 2)
                assert_works();
        }
    put_mebibyte();
    get_mebibyte();
}
END_TEST

START_TEST(message_of_a_killed_consumer_goes_to_another) { /* fault 8 */
    for (int i = 0; i < 5; i++) {
        put_mebibyte();
        pid_t child = start_caught(false);
        if (i % 2)
            ck_assert_int_eq(put_number_within(5, 0), 0); /* producers are not concerned */
        kill_child(child);
        get_mebibyte();
        if (i % 2)
            ck_assert_int_eq(get_number_within(0), 5);
        assert_works();
    }
}
END_TEST

START_TEST(closed_queue_of_a_killed_producer_says_so) {
    for (int i = 0; i < 2; i++) {
        use_queue();
        pid_t child = start_caught(true);
        if (i == 0)
            at_queue_close(queue); /* without the lock, after a while */
        kill_child(child);
        if (i == 1)
            at_queue_close(queue);
        ck_assert_int_eq(get_number_within(AT_FOREVER), AT_ECLOSED);
        ck_assert_int_eq(put_number_within(1, AT_FOREVER), AT_ECLOSED);
    }
}
END_TEST

START_TEST(stopped_producer_stops_no_clock) { /* fault 12 */
    static const double TIMEOUTS[] = {0, -1, 0.05, 0.3};
    ck_assert_int_eq(put_number_within(1, 0), 0);
    pid_t child = start_caught(true);
    ck_assert_int_eq(get_number_within(0), 1); /* consumers are not concerned */
    for (size_t i = 0; i < sizeof TIMEOUTS / sizeof *TIMEOUTS; i++) {
        double begin = at_now();
        ck_assert_int_eq(put_number_within(2, TIMEOUTS[i]), AT_EFULL);
        ck_assert_int_eq(get_number_within(TIMEOUTS[i]), AT_EEMPTY);
        ck_assert_double_ge(at_now() - begin, 2 * TIMEOUTS[i] - ROUNDING);
        ck_assert_double_lt(at_now() - begin, BOUND);
    }
    at_queue_close(queue);
    ck_assert_int_eq(put_number_within(2, 0.01), AT_EFULL); /* what it is, is behind the lock */
    ck_assert_int_eq(get_number_within(0.01), AT_EEMPTY);   /* a message may still come */
    kill(child, SIGCONT);
    get_mebibyte();
    ck_assert_int_eq(end_of(child), 0);
    ck_assert_int_eq(get_number_within(AT_FOREVER), AT_ECLOSED);
    ck_assert_int_eq(put_number_within(2, AT_FOREVER), AT_ECLOSED);
}
END_TEST

START_TEST(stopped_consumer_stops_no_clock) { /* fault 12 */
    put_mebibyte();
    pid_t child = start_caught(false);
    double begin = at_now();
    ck_assert_int_eq(put_number_within(2, 0), 0);
    ck_assert_int_eq(get_number_within(0), AT_EEMPTY);
    ck_assert_int_eq(get_number_within(0.3), AT_EEMPTY);
    ck_assert_double_ge(at_now() - begin, 0.3 - ROUNDING);
    ck_assert_double_lt(at_now() - begin, BOUND);
    kill(child, SIGCONT);
    ck_assert_int_eq(end_of(child), 0);
    ck_assert_int_eq(get_number_within(0), 2);
    assert_works();
}
END_TEST

/* ---- killed anywhere */

/* What one of those waits for who sleep at a queue that is full, or empty. */
static void change(bool full) {
    ck_assert_int_ge(full ? get_number_within(0) : put_number_within(1, 0), 0);
}

START_TEST(killed_sleepers_take_no_wake_with_them) { /* fault 11 */
    enum { SLEEPERS = 6 };
    for (int full = 0; full < 2; full++) {
        use_queue(.maxsize = SLEEPERS);
        pid_t sleepers[SLEEPERS];
        for (int i = 0; full && i < SLEEPERS; i++)
            ck_assert_int_eq(put_number_within(0, 0), 0);
        for (int i = 0; i < SLEEPERS; i++) {
            sleepers[i] = fork();
            if (sleepers[i] == 0)
                _exit((full ? put_number_within(1, AT_FOREVER) : get_number_within(AT_FOREVER)) >= 0 ? 0 : 1);
            await(is_blocked(sleepers[i], sleepers[i]));
        }
        for (int i = 0; i < SLEEPERS; i += 2)
            kill_child(sleepers[i]);
        change(full);
        kill(sleepers[1], SIGKILL); /* perhaps with its wake on the way, perhaps with the message */
        int end = end_of(sleepers[1]);
        ck_assert(end == -SIGKILL || end == 0);
        for (int i = 3; i < SLEEPERS; i += 2)
            change(full);
        for (int i = 3; i < SLEEPERS; i += 2)
            ck_assert_int_eq(end_of(sleepers[i]), 0);
    }
}
END_TEST

/* A message is 16 times its number, so that a torn one shows. */
enum { TIMES = 16, PRODUCERS = 2, CONSUMERS = 2 };

static void put_on(int producer) {
    while (shared->put[producer] < (int)sizeof shared->seen / PRODUCERS) {
        int message[TIMES], number = shared->put[producer];
        for (int i = 0; i < TIMES; i++)
            message[i] = number * PRODUCERS + producer;
        require(at_queue_put(queue, message, sizeof message, AT_FOREVER) == 0);
        shared->put[producer] = number + 1; /* killed before this, it is put again */
    }
    _exit(1); /* that were too many to remember */
}

static void get_on(void) {
    int message[TIMES];
    size_t size = sizeof message;
    while (at_queue_get(queue, message, &size, AT_FOREVER) == 0) {
        require(size == sizeof message);
        for (int i = 0; i < TIMES; i++)
            require(message[i] == message[0]);
        require(message[0] >= 0 && (size_t)message[0] < sizeof shared->seen);
        shared->seen[message[0]]++;
        shared->got++;
    }
    _exit(0);
}

static pid_t start_one(int which) {
    pid_t child = fork();
    require(child >= 0);
    if (child == 0) {
        if (which < PRODUCERS)
            put_on(which);
        else
            get_on();
    }
    return child;
}

static void kill_often(int kills) {
    pid_t children[PRODUCERS + CONSUMERS];
    int killed[2] = {0, 0};
    unsigned state = (unsigned)getpid();
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        children[i] = start_one(i);
    for (int i = 0; i < kills; i++) {
        state = state * 1103515245 + 12345;
        int which = (int)(state >> 16) % (PRODUCERS + CONSUMERS), got = shared->got;
        if (i % 8 == 0) /* none hangs, however many were killed before */
            await(shared->got > got + 10);
        kill_child(children[which]);
        killed[which < PRODUCERS]++;
        children[which] = start_one(which);
    }
    for (int i = 0; i < PRODUCERS; i++)
        kill_child(children[i]);
    killed[1] += PRODUCERS;
    at_queue_close(queue);
    for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++)
        ck_assert_int_eq(end_of(children[i]), 0);
    int lost = 0, doubled = 0;
    for (int producer = 0; producer < PRODUCERS; producer++)
        for (int i = 0; i < shared->put[producer]; i++) {
            int seen = shared->seen[i * PRODUCERS + producer];
            lost += seen == 0;
            doubled += seen > 1 ? seen - 1 : 0;
        }
    ck_assert_int_le(lost, killed[0]);    /* those in the hands of a consumer */
    ck_assert_int_le(doubled, killed[1]); /* those that a producer put again */
}

static const int KILLS = UNDER_TSAN || UNDER_ASAN ? 60 : 300;

START_TEST(killed_anywhere) { /* faults 8, 9, 11 */
    kill_often(KILLS);
}
END_TEST

START_TEST(killed_anywhere_in_a_small_queue) {
    use_queue(.capacity = 400);
    kill_often(KILLS);
}
END_TEST

SUITE_WITH("queue_death", setup_shared, teardown_shared, message_of_a_killed_producer_never_comes,
           message_of_a_killed_consumer_goes_to_another, closed_queue_of_a_killed_producer_says_so,
           stopped_producer_stops_no_clock, stopped_consumer_stops_no_clock, killed_sleepers_take_no_wake_with_them,
           killed_anywhere, killed_anywhere_in_a_small_queue)
