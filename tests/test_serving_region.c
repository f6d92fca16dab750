/* test_serving_region.c: the memory of the front and its workers: its layout, who may attach, and bells. */
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "region.h"
#include "watch.h"

enum { SLOTS = 5, INPUTS = 7, OUTPUTS = 3, ROWS = 4 };

static struct region *made(int *descriptor) {
    struct region *region;
    ok(region_new(&region, SLOTS, INPUTS, OUTPUTS, ROWS, descriptor));
    return region;
}

/* Where a number lies in its region, in bytes. */
static size_t at(const struct region *region, const void *place) {
    return (size_t)((const char *)place - (const char *)region);
}

START_TEST(slots_lie_apart_and_each_has_room_for_its_rows) {
    int descriptor;
    struct region *region = made(&descriptor);
    size_t end = sizeof *region;
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct slot *slot = region_slot(region, i);
        ck_assert_uint_ge(at(region, slot), end);
        ck_assert_uint_ge(at(region, region_input(region, i)), at(region, slot + 1));
        end = at(region, region_input(region, i) + INPUTS * ROWS);
        ck_assert_uint_ge(at(region, region_output(region, i)), end);
        end = at(region, region_output(region, i) + OUTPUTS * ROWS);
        ck_assert_uint_eq((uintptr_t)slot % 64, 0);
        ck_assert_uint_eq((uintptr_t)region_input(region, i) % 64, 0);
        ck_assert_uint_eq((uintptr_t)region_output(region, i) % 64, 0);
        memset(region_input(region, i), 1, INPUTS * ROWS * sizeof(float));
        memset(region_output(region, i), 2, OUTPUTS * ROWS * sizeof(float));
        ck_assert_int_eq(slot_state_of(atomic_load(&slot->word)), SLOT_FREE);
    }
    region_free(region);
    close(descriptor);
}
END_TEST

START_TEST(both_sides_see_the_same) {
    int descriptor;
    struct region *region = made(&descriptor), *other;
    ok(region_attach(&other, descriptor));
    region_input(region, 4)[27] = 5;
    atomic_store(&region_slot(region, 2)->word, slot_word(SLOT_CLAIMED, 9, 77));
    ck_assert_float_eq(region_input(other, 4)[27], 5);
    ck_assert_uint_eq(atomic_load(&region_slot(other, 2)->word), slot_word(SLOT_CLAIMED, 9, 77));
    region_free(region);
    region_input(other, 0)[0] = 1;
    region_free(other);
    close(descriptor);
}
END_TEST

/* In both views: a device may be given these pages whole, and write to them. */
START_TEST(the_pages_of_the_slots_are_all_of_them_and_writable) {
    int descriptor;
    struct region *region = made(&descriptor), *other;
    ok(region_attach(&other, descriptor));
    for (int i = 0; i < 2; i++) {
        struct region *view = i == 0 ? region : other;
        void *memory;
        size_t size;
        region_slots(view, &memory, &size);
        ck_assert_uint_eq((uintptr_t)memory % REGION_PAGE, 0);
        ck_assert_uint_eq(size % REGION_PAGE, 0);
        ck_assert_uint_le((uintptr_t)memory, (uintptr_t)region_slot(view, 0));
        ck_assert_uint_gt((uintptr_t)memory, (uintptr_t)view);
        ck_assert_uint_ge((uintptr_t)memory + size, (uintptr_t)region_slot(view, SLOTS - 1) + view->slot_size);
        for (size_t page = 0; page < size; page += REGION_PAGE) {
            volatile char *byte = (char *)memory + page;
            *byte = *byte; /* what it could not, would end the test */
        }
        ((volatile char *)memory)[size - 1] = 0;
    }
    region_free(region);
    region_free(other);
    close(descriptor);
}
END_TEST

START_TEST(a_word_keeps_its_parts_apart) {
    uint64_t word = slot_word(SLOT_FAILED, 0xffff, UINT32_MAX);
    ck_assert_int_eq(slot_state_of(word), SLOT_FAILED);
    ck_assert_uint_ne(word, slot_word(SLOT_FAILED, 0xfffe, UINT32_MAX));
    ck_assert_uint_ne(word, slot_word(SLOT_FAILED, 0xffff, UINT32_MAX - 1));
    ck_assert_uint_ne(word, slot_word(SLOT_DONE, 0xffff, UINT32_MAX));
}
END_TEST

START_TEST(what_is_no_region_is_refused) {
    struct region *region;
    ck_assert_int_eq(region_attach(&region, -1), -EBADF);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(region_attach(&region, null), -EINVAL);
    close(null);
    static const size_t SIZES[] = {1, 4096, 1 << 20};
    for (size_t i = 0; i < 3; i++) { /* shared memory, but of somebody else: too small, or without the mark */
        void *memory;
        int descriptor = ok(at_shared_open(&memory, SIZES[i]));
        ck_assert_int_eq(region_attach(&region, descriptor), -EINVAL);
        ck_assert_ptr_null(region);
        at_shared_free(memory);
        close(descriptor);
    }
}
END_TEST

START_TEST(a_region_that_is_too_large_is_an_error) {
    struct region *region;
    int descriptor;
    ck_assert_int_eq(region_new(&region, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, &descriptor), -ENOMEM);
    ck_assert_int_eq(region_new(&region, UINT32_MAX, 1 << 24, 1 << 24, DEVICE_BATCH, &descriptor), -ENOMEM);
}
END_TEST

/* ---- bells */

static struct bell bell;
static int descriptor;

static void set_up_bell(void) {
    atomic_store(&bell.asleep, 0);
    descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    require(descriptor >= 0);
}

static bool is_ringing(void) {
    struct pollfd ringing = {.fd = descriptor, .events = POLLIN};
    return poll(&ringing, 1, 0) == 1;
}

START_TEST(only_who_sleeps_is_rung_for) {
    set_up_bell();
    bell_ring(&bell, descriptor);
    ck_assert(!is_ringing());
    bell_sleep(&bell);
    ck_assert(!is_ringing());
    bell_ring(&bell, descriptor);
    ck_assert(is_ringing());
    bell_awake(&bell, descriptor);
    ck_assert(!is_ringing());
    bell_ring(&bell, descriptor);
    ck_assert(!is_ringing());
    close(descriptor);
}
END_TEST

/* One who has taken the sleeper's word away, and has not written yet: so slow, or stopped, or dead. */
static void ring_half(void) {
    atomic_store(&bell.asleep, 0);
}

static void ring_other_half(void) {
    require(eventfd_write(descriptor, 1) == 0);
}

START_TEST(a_ring_that_comes_late_does_not_ring_for_ever) {
    set_up_bell();
    bell_sleep(&bell);
    ring_half();
    bell_awake(&bell, descriptor); /* something else woke it */
    ring_other_half();
    for (int i = 0; i < 2; i++) { /* it wakes once for nothing, and then sleeps */
        bell_sleep(&bell);
        bell_awake(&bell, descriptor);
    }
    bell_sleep(&bell);
    ck_assert(!is_ringing());
    bell_ring(&bell, descriptor);
    ck_assert(is_ringing());
    close(descriptor);
}
END_TEST

START_TEST(a_ring_that_never_comes_costs_nobody_the_next) {
    set_up_bell();
    bell_sleep(&bell);
    ring_half();
    for (int i = 0; i < 3; i++) {
        bell_awake(&bell, descriptor);
        bell_sleep(&bell);
        ck_assert(!is_ringing());
    }
    bell_ring(&bell, descriptor);
    ck_assert(is_ringing());
    close(descriptor);
}
END_TEST

/* Two who hand a number to and fro: each waits for the other's, and a ring that is lost is waited for too long. */
enum { ROUNDS = 10000 };

static struct side {
    struct bell bell;
    int descriptor;
    _Atomic unsigned number;
} sides[2];

static void await_number(struct side *side, unsigned number) {
    while (atomic_load_explicit(&side->number, memory_order_acquire) != number) {
        bell_sleep(&side->bell);
        if (atomic_load_explicit(&side->number, memory_order_acquire) != number) {
            struct pollfd ringing = {.fd = side->descriptor, .events = POLLIN};
            require(poll(&ringing, 1, (int)BOUND * 1000) == 1);
        }
        bell_awake(&side->bell, side->descriptor);
    }
}

static void hand_over(struct side *side, unsigned number) {
    atomic_store_explicit(&side->number, number, memory_order_release);
    bell_ring(&side->bell, side->descriptor);
}

static int answer_all(void *unused) {
    (void)unused;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        await_number(&sides[1], i);
        hand_over(&sides[0], i);
    }
    return 0;
}

START_TEST(no_ring_is_lost_in_many_rounds) {
    for (int i = 0; i < 2; i++)
        sides[i].descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    at_thread *other = at_thread_new(.target = answer_all);
    start(other);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        hand_over(&sides[1], i);
        await_number(&sides[0], i);
    }
    join(other);
    at_thread_free(other);
    for (int i = 0; i < 2; i++)
        close(sides[i].descriptor);
}
END_TEST

SUITE("serving_region", slots_lie_apart_and_each_has_room_for_its_rows, both_sides_see_the_same,
      the_pages_of_the_slots_are_all_of_them_and_writable, a_word_keeps_its_parts_apart, what_is_no_region_is_refused,
      a_region_that_is_too_large_is_an_error, only_who_sleeps_is_rung_for,
      a_ring_that_comes_late_does_not_ring_for_ever, a_ring_that_never_comes_costs_nobody_the_next,
      no_ring_is_lost_in_many_rounds)
