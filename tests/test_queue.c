/* test_queue.c: the queue while nobody dies and nobody closes it: what goes in comes out; cases 29 to 32 and 34. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "queues.h"

/* Bytes of which any are different from most others, whose places or seeds are others. */
static void fill(unsigned char *bytes, size_t size, size_t seed) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)((i + seed * 31) * 0x9e3779b97f4a7c15 >> 56);
}

static void put_filled(size_t size, size_t seed, int expected) {
    unsigned char *bytes = malloc(size + 1);
    fill(bytes, size, seed);
    require(at_queue_put_nowait(queue, bytes, size) == expected);
    free(bytes);
}

static void get_filled(size_t size, size_t seed) {
    unsigned char *bytes = malloc(size + 1), *got = malloc(size + 1);
    fill(bytes, size, seed);
    size_t got_size = size;
    require(at_queue_get_nowait(queue, got, &got_size) == 0);
    require(got_size == size && memcmp(bytes, got, size) == 0);
    free(bytes);
    free(got);
}

static void put_number(int number) {
    require(at_put(queue, number) == 0);
}

static int get_number(void) {
    int number = -1;
    require(at_queue_get_exactly(queue, &number, sizeof number, BOUND) == 0);
    return number;
}

/* ---- one process */

START_TEST(what_is_put_is_got_in_order) {
    for (int i = 0; i < 1000; i++)
        put_number(i);
    for (int i = 0; i < 1000; i++)
        require(get_number() == i);
    char byte;
    size_t size = 1;
    ck_assert_int_eq(at_queue_get_nowait(queue, &byte, &size), AT_EEMPTY);
    ck_assert_uint_eq(size, 1);
}
END_TEST

START_TEST(arguments_that_make_no_sense_are_refused) {
    char byte = 1;
    size_t size = 1;
    void *data;
    double timeouts[] = {AT_FOREVER, 0, -1, 1};
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        ck_assert_int_eq(at_queue_put(NULL, &byte, 1, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_put(queue, NULL, 1, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get(NULL, &byte, &size, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get(queue, NULL, &size, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get(queue, &byte, NULL, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get_new(NULL, &data, &size, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get_new(queue, NULL, &size, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get_new(queue, &data, NULL, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get_many(NULL, &byte, 1, 1, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get_many(queue, NULL, 1, 1, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get_many(queue, &byte, 1, 0, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get_many(queue, &byte, 1, -1, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get_exactly(NULL, &byte, 1, timeouts[i]), -EINVAL);
        ck_assert_int_eq(at_queue_get_exactly(queue, NULL, 1, timeouts[i]), -EINVAL);
    }
    ck_assert_int_eq(at_queue_put_nowait(NULL, &byte, 1), -EINVAL);
    ck_assert_int_eq(at_queue_get_nowait(NULL, &byte, &size), -EINVAL);
    ck_assert_int_eq(at_queue_fileno(NULL), -EINVAL);
    ck_assert_uint_eq(at_queue_qsize(NULL), 0);
    ck_assert(at_queue_empty(NULL));
    ck_assert(!at_queue_full(NULL));
    at_queue_close(NULL);
    at_queue_free(NULL);
}
END_TEST

START_TEST(timeouts_that_make_no_sense_are_refused) {
    char byte = 1;
    size_t size = 1;
    void *data;
    struct {
        double timeout;
        int error;
    } cases[] = {{(double)NAN, -EINVAL}, {1e300, -EOVERFLOW}, {nextafter(AT_TIMEOUT_MAX, INFINITY), -EOVERFLOW}};
    for (int full = 0; full < 2; full++) { /* whether the call would have to wait or not */
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            ck_assert_int_eq(at_queue_put(queue, &byte, 1, cases[i].timeout), cases[i].error);
            ck_assert_int_eq(at_queue_get(queue, &byte, &size, cases[i].timeout), cases[i].error);
            ck_assert_int_eq(at_queue_get_new(queue, &data, &size, cases[i].timeout), cases[i].error);
            ck_assert_int_eq(at_queue_get_many(queue, &byte, 1, 1, cases[i].timeout), cases[i].error);
            ck_assert_int_eq(at_queue_get_exactly(queue, &byte, 1, cases[i].timeout), cases[i].error);
        }
        use_queue(.maxsize = 1);
        ck_assert_int_eq(at_queue_put(queue, &byte, 1, AT_TIMEOUT_MAX), 0);
    }
    ck_assert_uint_eq(at_queue_qsize(queue), 1);
    ck_assert_int_eq(at_queue_get(queue, &byte, &size, AT_TIMEOUT_MAX), 0);
}
END_TEST

START_TEST(sizes_from_nothing_to_a_mebibyte) {
    for (size_t size = 0; size < 200; size++)
        put_filled(size, size, 0);
    for (size_t size = 256; size <= 1 << 20; size *= 2)
        put_filled(size, size, 0);
    for (size_t size = 0; size < 200; size++)
        get_filled(size, size);
    for (size_t size = 256; size <= 1 << 20; size *= 2)
        get_filled(size, size);
    ck_assert(at_queue_empty(queue));
}
END_TEST

START_TEST(empty_message_is_a_message) {
    ck_assert_int_eq(at_queue_put_nowait(queue, NULL, 0), 0);
    ck_assert_int_eq(at_queue_put_nowait(queue, "", 0), 0);
    ck_assert_uint_eq(at_queue_qsize(queue), 2);
    size_t size = 0;
    ck_assert_int_eq(at_queue_get_nowait(queue, NULL, &size), 0);
    void *data = NULL;
    size = 5;
    ck_assert_int_eq(at_queue_get_new(queue, &data, &size, 0), 0);
    ck_assert_uint_eq(size, 0);
    ck_assert_ptr_nonnull(data);
    free(data);
    ck_assert_int_eq(at_queue_put_nowait(queue, NULL, 0), 0);
    ck_assert_int_eq(at_queue_get_many(queue, NULL, 0, 5, 0), 1);
}
END_TEST

START_TEST(largest_message_fits_wherever_the_last_one_ended) {
    static const size_t CAPACITIES[] = {1, 16, 100, 4096, 5000, 1 << 20, (1 << 20) + 1};
    for (size_t i = 0; i < sizeof CAPACITIES / sizeof *CAPACITIES; i++) {
        use_queue(.capacity = CAPACITIES[i]);
        size_t capacity = (CAPACITIES[i] + 15) / 16 * 16, largest = capacity - 16;
        for (int times = 0; times < 20; times++) {
            put_filled(largest + 1, 0, AT_ETOOLARGE);
            put_filled(largest, i, 0);
            put_filled(0, 0, AT_EFULL);
            put_filled(largest + 1, 0, AT_ETOOLARGE);
            get_filled(largest, i);
            if (largest == 0)
                continue;
            put_filled(largest / 5, 1, 0);
            put_filled(largest, i, AT_EFULL);
            get_filled(largest / 5, 1);
        }
        ck_assert_int_eq(at_queue_put(queue, "", SIZE_MAX, AT_FOREVER), AT_ETOOLARGE);
    }
    ck_assert_ptr_null(at_queue_new(.capacity = ((size_t)32 << 30) + 1));
}
END_TEST

START_TEST(as_many_as_fit) { /* 16 bytes for each message, and what a message has, rounded up to as much */
    use_queue(.capacity = 4096);
    for (int lap = 0; lap < 3; lap++) {
        for (int i = 0; i < 4096 / 32; i++)
            put_filled(16, (size_t)i, 0);
        put_filled(0, 0, AT_EFULL);
        ck_assert(!at_queue_full(queue)); /* by number */
        for (int i = 0; i < 4096 / 32; i++)
            get_filled(16, (size_t)i);
        ck_assert(at_queue_empty(queue));
        put_filled(16, 0, 0);
        get_filled(16, 0);
    }
}
END_TEST

/* Puts and gets with sizes that an own generator gives, some messages behind each other, for many laps of the ring. */
static void go_round(size_t capacity, size_t largest, size_t bytes) {
    use_queue(.capacity = capacity);
    size_t sizes[64], put = 0, got = 0, moved = 0;
    unsigned long state = capacity;
    unsigned char *message = malloc(largest + 1), *expected = malloc(largest + 1);
    while (moved < bytes) {
        state = state * 6364136223846793005 + 1442695040888963407;
        size_t size = (state >> 33) % (largest + 1), lag = (state >> 20) % 64;
        fill(message, size, put);
        if (put - got < 64 && at_queue_put_nowait(queue, message, size) == 0)
            sizes[put++ % 64] = size;
        while (put - got > lag) {
            size_t room = largest;
            require(at_queue_get_nowait(queue, message, &room) == 0);
            fill(expected, room, got);
            require(room == sizes[got++ % 64] && memcmp(message, expected, room) == 0);
            moved += room + 16;
        }
        require(at_queue_qsize(queue) == put - got);
    }
    free(message);
    free(expected);
}

START_TEST(many_laps) {
    go_round(256, 100, 100000);
    go_round(4096, 4080, 3000000);
    go_round(4096, 300, 1000000);
    go_round(1 << 20, 100, 5000000); /* these begin the ring anew whenever they have used a part of it and are empty */
    go_round(1 << 20, 60000, 50000000);
    go_round(3 << 19, 60000, 50000000);
}
END_TEST

START_TEST(queue_that_is_empty_now_and_then_takes_little_memory) {
    unsigned long before, after;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_int_eq(fscanf(file, "%*u %*u %lu", &before), 1);
    fclose(file);
    for (int i = 0; i < 20000; i++) {
        put_filled(3000, (size_t)i, 0);
        put_filled(1000, (size_t)i, 0);
        get_filled(3000, (size_t)i);
        get_filled(1000, (size_t)i);
    }
    file = fopen("/proc/self/statm", "r");
    ck_assert_int_eq(fscanf(file, "%*u %*u %lu", &after), 1);
    fclose(file);
    ck_assert_uint_lt(after, before + 512); /* pages that it shares; 64 MiB are 16 384 */
}
END_TEST

START_TEST(too_small_a_buffer_leaves_the_message) {
    put_filled(100, 1, 0);
    put_filled(5, 2, 0);
    char buffer[100] = "untouched";
    for (int i = 0; i < 3; i++) {
        size_t size = 99;
        ck_assert_int_eq(at_queue_get(queue, buffer, &size, AT_FOREVER), -EMSGSIZE);
        ck_assert_uint_eq(size, 100);
        size = 0;
        ck_assert_int_eq(at_queue_get(queue, NULL, &size, AT_FOREVER), -EMSGSIZE);
        ck_assert_uint_eq(size, 100);
        ck_assert_int_eq(at_queue_get_exactly(queue, buffer, 99, 0), -EMSGSIZE);
        ck_assert_str_eq(buffer, "untouched");
    }
    get_filled(100, 1);
    ck_assert_int_eq(at_queue_get_exactly(queue, buffer, 6, 0), -EMSGSIZE); /* nor one that is too large */
    ck_assert_int_eq(at_queue_get_exactly(queue, buffer, 5, 0), 0);
    ck_assert_int_eq(at_queue_get_exactly(queue, buffer, 5, 0), AT_EEMPTY);
}
END_TEST

START_TEST(new_memory_for_a_message) {
    void *data;
    size_t size;
    put_filled(1 << 20, 3, 0);
    ck_assert_int_eq(at_queue_get_new(queue, &data, &size, 0), 0);
    ck_assert_uint_eq(size, 1 << 20);
    unsigned char *expected = malloc(size);
    fill(expected, size, 3);
    ck_assert_mem_eq(data, expected, size);
    free(expected);
    free(data);
    ck_assert_int_eq(at_queue_get_new(queue, &data, &size, 0), AT_EEMPTY);
    ck_assert_ptr_null(data);
}
END_TEST

START_TEST(several_at_a_time) {
    int items[20];
    ck_assert_int_eq(at_queue_get_many(queue, items, sizeof *items, 10, -1), AT_EEMPTY);
    for (int i = 0; i < 25; i++)
        put_number(i);
    ck_assert_int_eq(at_queue_get_many(queue, items, sizeof *items, 20, AT_FOREVER), 20);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(items[i], i);
    put_filled(3, 0, 0);
    put_number(25);
    ck_assert_int_eq(at_queue_get_many(queue, items, sizeof *items, 20, AT_FOREVER), 5); /* up to one of another size */
    ck_assert_int_eq(items[4], 24);
    ck_assert_int_eq(at_queue_get_many(queue, items, sizeof *items, 20, AT_FOREVER), -EMSGSIZE);
    get_filled(3, 0);
    ck_assert_int_eq(at_queue_get_many(queue, items, sizeof *items, 1, AT_FOREVER), 1);
    ck_assert_int_eq(items[0], 25);
    ck_assert(at_queue_empty(queue));
}
END_TEST

START_TEST(values_of_any_type) {
    struct point {
        double x, y;
    } point = {1, 2}, got;
    ck_assert_int_eq(at_put(queue, point), 0);
    ck_assert_int_eq(at_put(queue, 'x'), 0);
    ck_assert_int_eq(at_put(queue, point.x + 1), 0);
    char letter;
    int number;
    double sum;
    ck_assert_int_eq(at_get(queue, &letter), -EMSGSIZE);
    ck_assert_int_eq(at_get(queue, &got), 0);
    ck_assert_double_eq(got.y, 2);
    ck_assert_int_eq(at_get(queue, &number), 0); /* 'x' is an int */
    ck_assert_int_eq(at_get(queue, &sum), 0);
    ck_assert_double_eq(sum, 2);
}
END_TEST

/* ---- cases */

START_TEST(full_by_number) { /* case 29 (test_put) */
    use_queue(.maxsize = 6);
    for (int i = 0; i < 6; i++) {
        ck_assert(!at_queue_full(queue));
        put_number(i);
    }
    ck_assert(at_queue_full(queue));
    ck_assert_int_eq(at_queue_put_nowait(queue, "x", 1), AT_EFULL);
    ck_assert_int_eq(at_queue_put(queue, "x", 1, -1), AT_EFULL);
    double begin = at_now();
    ck_assert_int_eq(at_queue_put(queue, "x", 1, 0.2), AT_EFULL);
    ck_assert_double_ge(at_now() - begin, 0.2 - ROUNDING);
    ck_assert_double_lt(at_now() - begin, BOUND);
    ck_assert_int_eq(get_number(), 0);
    ck_assert_int_eq(at_queue_put_nowait(queue, "x", 1), 0);
    ck_assert_uint_eq(at_queue_qsize(queue), 6);
}
END_TEST

START_TEST(counts_are_exact_when_all_is_quiet) { /* case 32 (test_qsize) */
    for (int i = 0; i < 100; i++) {
        ck_assert_uint_eq(at_queue_qsize(queue), (size_t)i);
        ck_assert_int_eq(at_queue_empty(queue), i == 0);
        put_number(i);
    }
    for (int i = 100; i > 0; i--) {
        ck_assert_uint_eq(at_queue_qsize(queue), (size_t)i);
        get_number();
    }
    ck_assert(at_queue_empty(queue));
    ck_assert(!at_queue_full(queue));
}
END_TEST

START_TEST(refused_message_takes_no_place) { /* case 34 (test_queue_feeder_donot_stop_onexc) */
    use_queue(.maxsize = 2, .capacity = 4096);
    put_filled(5000, 0, AT_ETOOLARGE);
    put_filled(4000, 1, 0);
    put_filled(1000, 0, AT_EFULL);
    ck_assert_uint_eq(at_queue_qsize(queue), 1);
    put_filled(10, 2, 0);
    get_filled(4000, 1);
    get_filled(10, 2);
}
END_TEST

START_TEST(queues_leave_nothing) {
    int descriptors = count_fds();
    for (int i = 0; i < 3000; i++) { /* 65 530 mappings are the system's limit, so a leak of some fails too */
        at_queue *other = at_queue_new(.capacity = (size_t)1 << (i % 36));
        require(other != NULL && at_queue_put_nowait(other, NULL, 0) == 0);
        at_queue_free(other);
    }
    ck_assert_int_eq(count_fds(), descriptors);
}
END_TEST

SUITE_WITH("queue", setup, teardown, what_is_put_is_got_in_order, arguments_that_make_no_sense_are_refused,
           timeouts_that_make_no_sense_are_refused, sizes_from_nothing_to_a_mebibyte, empty_message_is_a_message,
           largest_message_fits_wherever_the_last_one_ended, as_many_as_fit, many_laps,
           queue_that_is_empty_now_and_then_takes_little_memory, too_small_a_buffer_leaves_the_message,
           new_memory_for_a_message, several_at_a_time, values_of_any_type, full_by_number,
           counts_are_exact_when_all_is_quiet, refused_message_takes_no_place, queues_leave_nothing)
