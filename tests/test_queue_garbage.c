/* test_queue_garbage.c: garbage in the queue's shared memory: errors, never a step outside of it; fault 28. */
#include <stdatomic.h>
#include <sys/mman.h>

#include "queue_internal.h"
#include "watch.h"

enum { CAPACITY = 1 << 16 };

static at_queue *queue;
static unsigned char *header_end; /* what lies between the header and the ring: it stays as it is */
static size_t header_left;

static void setup(void) {
    ck_assert_ptr_nonnull(queue = at_queue_new(.capacity = CAPACITY));
    header_end = (unsigned char *)(queue->shared + 1);
    header_left = (size_t)(queue->ring - header_end);
    /* Behind the ring nothing can be touched. */
    void *end = (unsigned char *)queue->shared + queue->length;
    void *guard = mmap(end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    ck_assert(guard == end || errno == EEXIST);
}

static void teardown(void) {
    for (size_t i = 0; i < header_left; i++)
        require(header_end[i] == 0);
    at_queue_free(queue);
}

/* ---- an own generator, so that a failure comes again: its seed is the number of the round */

static uint64_t state;

static uint64_t any(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t any_below(uint64_t limit) {
    return any() % limit;
}

/* Numbers that are near to what may stand there, or to where it overflows, more often than others. */
static uint64_t garbage(uint64_t now) {
    switch (any_below(9)) {
    case 0:
        return any();
    case 1:
        return 0;
    case 2:
        return UINT64_MAX - any_below(40);
    case 3:
        return now + any_below(64) - 32;
    case 4:
        return now + (any_below(64) << 32);
    case 5:
        return now ^ (uint64_t)1 << any_below(64);
    case 6:
        return now + any_below(2 * CAPACITY / UNIT);
    case 7:
        return now - any_below(2 * CAPACITY / UNIT);
    default:
        return any_below(3 * CAPACITY);
    }
}

static void spoil(_Atomic uint64_t *word) {
    atomic_store(word, garbage(atomic_load(word)));
}

static void spoil_small(_Atomic uint32_t *word) {
    atomic_store(word, (uint32_t)garbage(atomic_load(word)));
}

static void spoil_record(uint32_t position) {
    struct record *record = record_at(queue, position);
    spoil(any_below(2) ? &record->place : &record->size);
}

static void spoil_something(void) {
    struct queue_shared *shared = queue->shared;
    switch (any_below(9)) {
    case 0:
        spoil(&shared->head);
        break;
    case 1:
        spoil(&shared->tail);
        break;
    case 2:
        spoil(&shared->head_seen);
        break;
    case 3:
        spoil(&shared->tail_seen);
        break;
    case 4:
        spoil(&shared->detour);
        break;
    case 5:
        spoil_small(any_below(2) ? &shared->looked : &shared->descriptor);
        break;
    case 6:
        spoil_small(any_below(2) ? &shared->not_empty.word : &shared->not_full.word);
        break;
    case 7:
        spoil_record(position_of(atomic_load(&shared->tail)));
        break;
    default:
        spoil_record((uint32_t)any_below(2 * CAPACITY / UNIT));
    }
}

/* ---- calls, each with memory of exactly its size, for AddressSanitizer to watch */

static double any_timeout(void) {
    return any_below(50) == 0 ? 0.001 : 0;
}

static void put_something(void) {
    size_t size = any_below(4) ? any_below(200) : any_below(CAPACITY + 1);
    unsigned char *bytes = malloc(size);
    memset(bytes, 5, size);
    int result = at_queue_put(queue, bytes, size, any_timeout());
    require(result == 0 || result == AT_EFULL || result == AT_ETOOLARGE || result == -EBADMSG);
    free(bytes);
}

static void get_something(void) {
    size_t size = any_below(3) ? any_below(200) : any_below(CAPACITY), room = size;
    unsigned char *bytes = malloc(size);
    int result = at_queue_get(queue, bytes, &size, any_timeout());
    require(result == 0 || result == AT_EEMPTY || result == -EMSGSIZE || result == -EBADMSG);
    require(result == 0 ? size <= room : result == -EMSGSIZE ? size > room && size <= CAPACITY - UNIT : size == room);
    free(bytes);
}

static void get_something_new(void) {
    size_t size;
    void *data;
    int result = at_queue_get_new(queue, &data, &size, any_timeout());
    require(result == 0 || result == AT_EEMPTY || result == -EBADMSG);
    require(result != 0 || size <= CAPACITY - UNIT);
    free(data);
}

static void get_several(void) {
    size_t size = any_below(200);
    int most = 1 + (int)any_below(20);
    unsigned char *items = malloc(size * (size_t)most);
    int result = at_queue_get_many(queue, items, size, most, any_timeout());
    require((result >= 1 && result <= most) || result == AT_EEMPTY || result == -EMSGSIZE || result == -EBADMSG);
    free(items);
}

static void call_something(void) {
    switch (any_below(8)) {
    case 0:
        get_something();
        break;
    case 1:
        get_something_new();
        break;
    case 2:
        get_several();
        break;
    case 3:
        at_queue_qsize(queue);
        at_queue_empty(queue);
        at_queue_full(queue);
        break;
    default:
        put_something();
    }
}

static const int ROUNDS = UNDER_TSAN || UNDER_ASAN ? 2000 : 10000;

START_TEST(garbage_now_and_then) {
    for (int round = 1; round <= ROUNDS; round++) {
        state = (uint64_t)round * 0x9e3779b97f4a7c15;
        teardown();
        queue = at_queue_new(.capacity = CAPACITY, .maxsize = any_below(3) ? 0 : any_below(50));
        require(queue != NULL);
        header_end = (unsigned char *)(queue->shared + 1);
        /* So that they overflow soon, and so that there are detours. */
        uint64_t begin = any_below(2) ? 0 : UINT64_MAX - any_below(1000);
        queue->shared->head = queue->shared->head_seen = begin;
        queue->shared->tail = queue->shared->tail_seen = begin;
        for (int i = 0; i < 30; i++)
            call_something();
        for (int i = 0; i < 30; i++) {
            spoil_something();
            for (uint64_t calls = any_below(4); calls > 0; calls--)
                call_something();
        }
    }
}
END_TEST

/* Another process that writes garbage while calls are made. */
START_TEST(garbage_all_the_time) {
    pid_t child = fork();
    if (child == 0)
        for (state = 1;;)
            spoil_something();
    state = 2;
    for (int i = 0; i < 20 * ROUNDS; i++)
        call_something();
    kill(child, SIGKILL);
    ck_assert_int_eq(end_of(child), -SIGKILL);
}
END_TEST

START_TEST(what_was_garbage_is_said) {
    ck_assert_int_eq(at_queue_put(queue, "abc", 3, 0), 0);
    char buffer[3];
    size_t size = sizeof buffer;
    uint64_t head = queue->shared->head, tail = queue->shared->tail;

    queue->shared->head = head + CAPACITY / UNIT; /* more than fits */
    queue->shared->head_seen = queue->shared->head;
    ck_assert_int_eq(at_queue_get_nowait(queue, buffer, &size), -EBADMSG);
    queue->shared->head = queue->shared->head_seen = head;

    record_at(queue, 0)->size = 17; /* more than there is up to head */
    ck_assert_int_eq(at_queue_get_nowait(queue, buffer, &size), -EBADMSG);
    record_at(queue, 0)->size = 3;

    record_at(queue, 0)->place = 5; /* another message */
    ck_assert_int_eq(at_queue_get_nowait(queue, buffer, &size), -EBADMSG);
    record_at(queue, 0)->place = 0;

    queue->shared->tail = tail + 1; /* in the middle of one */
    ck_assert_int_eq(at_queue_get_nowait(queue, buffer, &size), -EBADMSG);
    queue->shared->tail = queue->shared->tail_seen = place_of(0, (uint32_t)-CAPACITY);
    ck_assert_int_eq(at_queue_put(queue, "abc", 3, 0), -EBADMSG);
    queue->shared->tail = tail;

    ck_assert_int_eq(at_queue_get_nowait(queue, buffer, &size), 0);
    ck_assert_mem_eq(buffer, "abc", 3);
}
END_TEST

SUITE_WITH("queue_garbage", setup, teardown, garbage_now_and_then, garbage_all_the_time, what_was_garbage_is_said)
