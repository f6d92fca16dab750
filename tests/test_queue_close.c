/* test_queue_close.c: how a queue is closed, and the descriptor that poll finds readable; case 33. */
#include <poll.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "queues.h"

/* ---- close */

static void assert_closed(void) {
    static const double TIMEOUTS[] = {AT_FOREVER, 0, -1, 100};
    size_t size = 0;
    void *data;
    for (size_t i = 0; i < sizeof TIMEOUTS / sizeof *TIMEOUTS; i++) {
        ck_assert_int_eq(at_queue_put(queue, NULL, 0, TIMEOUTS[i]), AT_ECLOSED);
        ck_assert_int_eq(at_queue_get(queue, NULL, &size, TIMEOUTS[i]), AT_ECLOSED);
        ck_assert_int_eq(at_queue_get_new(queue, &data, &size, TIMEOUTS[i]), AT_ECLOSED);
        ck_assert_int_eq(at_queue_get_many(queue, NULL, 0, 9, TIMEOUTS[i]), AT_ECLOSED);
        ck_assert_int_eq(at_queue_get_exactly(queue, NULL, 0, TIMEOUTS[i]), AT_ECLOSED);
    }
}

START_TEST(closed_queue_is_drained_and_then_says_so) { /* case 33 (test_closed_queue_put_get_exceptions) */
    use_queue(.maxsize = 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(at_put(queue, i), 0);
    for (int times = 0; times < 2; times++) {
        at_queue_close(queue);
        ck_assert_int_eq(put_number_within(1, AT_FOREVER), AT_ECLOSED);
        ck_assert_uint_eq(at_queue_qsize(queue), 3);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(get_number_within(AT_FOREVER), i);
    for (int times = 0; times < 2; times++) {
        assert_closed();
        at_queue_close(queue);
    }
}
END_TEST

START_TEST(empty_queue_is_closed) {
    at_queue_close(queue);
    assert_closed();
}
END_TEST

START_TEST(message_too_large_or_no_buffer_stay_errors) {
    char byte;
    size_t size = 1;
    use_queue(.capacity = 16);
    at_queue_close(queue);
    ck_assert_int_eq(at_queue_put(queue, &byte, 1, 0), AT_ETOOLARGE);
    ck_assert_int_eq(at_queue_get(queue, NULL, &size, 0), -EINVAL);
}
END_TEST

START_TEST(one_process_closes_for_all) {
    pid_t child = fork();
    if (child == 0) {
        at_queue_close(queue);
        _exit(0);
    }
    ck_assert_int_eq(end_of(child), 0);
    assert_closed();
}
END_TEST

START_TEST(those_who_wait_return) {
    enum { SLEEPERS = 3 };
    for (int full = 0; full < 2; full++) {
        use_queue(.maxsize = 1);
        ck_assert_int_eq(full ? put_number_within(1, 0) : 0, 0);
        pid_t sleepers[SLEEPERS];
        for (int i = 0; i < SLEEPERS; i++)
            if ((sleepers[i] = fork()) == 0)
                _exit((full ? put_number_within(2, AT_FOREVER) : get_number_within(AT_FOREVER)) == AT_ECLOSED ? 0 : 1);
        for (int i = 0; i < SLEEPERS; i++)
            await(is_blocked(sleepers[i], sleepers[i]));
        at_queue_close(queue);
        for (int i = 0; i < SLEEPERS; i++)
            ck_assert_int_eq(end_of(sleepers[i]), 0);
        ck_assert_int_eq(full ? get_number_within(0) : 1, 1);
        assert_closed();
    }
}
END_TEST

static struct { _Atomic int put, got; } * count;

static int put_until_closed(void *unused) {
    (void)unused;
    int result, number = 0;
    while ((result = put_number_within(number, AT_FOREVER)) == 0)
        number = ++count->put;
    return result == AT_ECLOSED ? 0 : 1;
}

static int get_until_closed(void *unused) {
    (void)unused;
    int result;
    while ((result = get_number_within(AT_FOREVER)) >= 0)
        count->got++;
    return result == AT_ECLOSED ? 0 : 1;
}

START_TEST(what_was_put_before_is_got_by_somebody) {
    count = at_shared_new(sizeof *count);
    for (int times = 0; times < 50; times++) {
        use_queue(.capacity = times % 2 ? 4096 : 0);
        count->put = count->got = 0;
        at_process *children[4];
        for (int i = 0; i < 4; i++)
            children[i] = started(.target = i % 2 ? put_until_closed : get_until_closed);
        await(count->got > 10 * times);
        at_queue_close(queue);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(finish(children[i]), 0);
        ck_assert_int_eq(count->got, count->put);
    }
    at_shared_free((void *)count);
}
END_TEST

/* ---- the descriptor */

static bool is_readable_within(double seconds) {
    struct pollfd descriptor = {.fd = at_queue_fileno(queue), .events = POLLIN};
    require(descriptor.fd >= 0);
    require(poll(&descriptor, 1, (int)(seconds * 1000)) >= 0);
    require((descriptor.revents & ~POLLIN) == 0);
    return descriptor.revents != 0;
}

#define is_readable() is_readable_within(0)

START_TEST(descriptor_is_readable_when_there_is_a_message) {
    ck_assert(!is_readable());
    ck_assert_int_eq(at_queue_fileno(queue), at_queue_fileno(queue));
    for (int times = 0; times < 3; times++) {
        for (int i = 0; i < 5; i++) {
            ck_assert_int_eq(put_number_within(i, 0), 0);
            ck_assert(is_readable());
        }
        for (int i = 0; i < 5; i++) {
            ck_assert(is_readable());
            ck_assert_int_eq(get_number_within(0), i);
        }
        ck_assert(!is_readable());
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(get_number_within(0), AT_EEMPTY);
            ck_assert(!is_readable());
        }
    }
}
END_TEST

START_TEST(descriptor_tells_of_messages_that_were_there_before) {
    ck_assert_int_eq(put_number_within(7, 0), 0);
    ck_assert(is_readable());
    ck_assert_int_eq(get_number_within(0), 7);
    ck_assert(!is_readable());
}
END_TEST

START_TEST(descriptor_stays_readable_when_closed) {
    for (int used_before = 0; used_before < 2; used_before++) {
        use_queue();
        ck_assert(!used_before || !is_readable());
        ck_assert_int_eq(put_number_within(7, 0), 0);
        at_queue_close(queue);
        ck_assert(is_readable());
        ck_assert_int_eq(get_number_within(0), 7);
        for (int i = 0; i < 3; i++) {
            ck_assert(is_readable());
            ck_assert_int_eq(get_number_within(0), AT_ECLOSED);
        }
    }
}
END_TEST

static const int ROUNDS = UNDER_TSAN || UNDER_ASAN ? 1000 : 10000;

static int put_rounds(void *unused) {
    (void)unused;
    for (int i = 0; i < ROUNDS; i++)
        require(put_number_within(i, AT_FOREVER) == 0);
    return 0;
}

START_TEST(no_message_is_missed_by_poll) { /* every one is heard of by poll alone, from processes and threads */
    enum { PRODUCERS = 3 };
    /* ThreadSanitizer does not see the order that other processes make between the threads of this one. */
    int threads = UNDER_TSAN ? 0 : 1;
    at_process *producers[PRODUCERS];
    at_thread *thread = at_thread_new(.target = put_rounds);
    use_queue(.capacity = 4096);
    for (int i = 0; i < PRODUCERS; i++)
        producers[i] = started(.target = put_rounds);
    if (threads == 1)
        start(thread);
    for (int got = 0; got < (PRODUCERS + threads) * ROUNDS;) {
        require(is_readable_within(BOUND));
        while (get_number_within(0) >= 0)
            got++;
    }
    if (threads == 1)
        join(thread);
    at_thread_free(thread);
    for (int i = 0; i < PRODUCERS; i++)
        ck_assert_int_eq(finish(producers[i]), 0);
    ck_assert(!is_readable());
    pid_t child = fork();
    if (child == 0) {
        at_queue_close(queue);
        _exit(0);
    }
    ck_assert(is_readable_within(BOUND));
    ck_assert_int_eq(end_of(child), 0);
}
END_TEST

START_TEST(queue_works_without_descriptor) { /* fault 15 */
    struct rlimit limit, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){0, limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    at_queue *other = at_queue_new();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_ptr_nonnull(other);
    ck_assert_int_eq(at_queue_fileno(other), -EMFILE);
    int number = 5;
    ck_assert_int_eq(at_put(other, number), 0);
    ck_assert_int_eq(at_get(other, &number), 0);
    ck_assert_int_eq(number, 5);
    ck_assert_int_eq(at_queue_fileno(other), -EMFILE);
    at_queue_close(other);
    ck_assert_int_eq(at_put(other, number), AT_ECLOSED);
    at_queue_free(other);
}
END_TEST

SUITE_WITH("queue_close", setup, teardown, closed_queue_is_drained_and_then_says_so, empty_queue_is_closed,
           message_too_large_or_no_buffer_stay_errors, one_process_closes_for_all, those_who_wait_return,
           what_was_put_before_is_got_by_somebody, descriptor_is_readable_when_there_is_a_message,
           descriptor_tells_of_messages_that_were_there_before, descriptor_stays_readable_when_closed,
           no_message_is_missed_by_poll, queue_works_without_descriptor)
