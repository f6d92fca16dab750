/* test_queue_schedules.c: queues under thousands of orders of their users' steps, and of their users' deaths. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "ledger.h"
#include "queue_internal.h"
#include "scheduler.h"
#include "watch.h"

SANITIZER_OPTIONS("", "")

enum {
    MOST_MESSAGES = 6, /* of a producer */
    MOST_AT_ONCE = 3,  /* taken by get_many */
    SMALL = 16,        /* bytes of a message, at least... */
    LARGE = 1008,      /* ...and at most: four of these, and what goes with them, fill a page */
    WARM = 256 * 1024, /* bytes of the ring after which an empty queue begins anew (queue_ring.c) */
};

static struct ledger *ledger;

/* What one run does; all of it is drawn. */
static struct {
    at_queue *queue;
    uint32_t producers, consumers, messages;
    uint32_t largest; /* bytes of a message */
    bool timeouts, deaths;
    uint32_t maxsize;
    uint32_t quota[LEDGER_RECEIVERS];                           /* messages after which a consumer leaves */
    int producer[LEDGER_PRODUCERS], consumer[LEDGER_RECEIVERS]; /* their threads */
    int closer;
} scene;

/* ---- those who use the queue */

static double draw_timeout(void) {
    uint32_t draw = schedule_draw(4);
    return draw == 0 ? 0 : draw == 1 && scene.timeouts ? 0.05 : AT_FOREVER;
}

static size_t draw_size(void) {
    uint32_t least = scene.largest == LARGE ? LARGE - UNIT : SMALL; /* so that a few large ones fill a ring */
    return least + schedule_draw(scene.largest - least + 1);
}

static void produce(void *arg) {
    uint32_t number = *(uint32_t *)arg;
    unsigned char buffer[LARGE];
    int result = 0;
    for (uint32_t i = 0; i < scene.messages && result != AT_ECLOSED; i++) {
        size_t size = draw_size();
        promise(ledger_put(ledger, number, buffer, size));
        result = at_queue_put(scene.queue, buffer, size, draw_timeout());
        if (result == AT_EFULL)
            result = at_queue_put(scene.queue, buffer, size, AT_FOREVER);
        promise(result == 0 || result == AT_ECLOSED);
        ledger_put_returned(ledger, buffer, result);
    }
}

/* Takes messages out in one of the ways there are: how many, or the error. */
static int get_some(unsigned char *buffer, size_t *size, uint32_t quota, double timeout) {
    void *copy;
    int result;
    if (scene.largest == SMALL && schedule_draw(2) == 0)
        return at_queue_get_many(scene.queue, buffer, *size = SMALL, quota < MOST_AT_ONCE ? (int)quota : MOST_AT_ONCE,
                                 timeout);
    if (scene.deaths || schedule_draw(4) != 0) /* who dies cannot free */
        return (result = at_queue_get(scene.queue, buffer, size, timeout)) != 0 ? result : 1;
    if ((result = at_queue_get_new(scene.queue, &copy, size, timeout)) != 0)
        return result;
    memcpy(buffer, copy, *size);
    free(copy);
    return 1;
}

static bool is_readable(void *descriptor) {
    struct pollfd polled = {.fd = *(int *)descriptor, .events = POLLIN};
    return poll(&polled, 1, 0) == 1;
}

/* Until its quota, or the queue is closed and drained; with the descriptor, if this consumer is one that polls it. */
static void consume(void *arg) {
    uint32_t number = *(uint32_t *)arg, last[LEDGER_PRODUCERS] = {0}, quota = scene.quota[number];
    unsigned char buffer[LARGE];
    bool polls = schedule_draw(3) == 0;
    int descriptor = polls ? at_queue_fileno(scene.queue) : -1, count = 0;
    while (count != AT_ECLOSED && quota > 0) {
        size_t size = LARGE;
        if (polls && count == AT_EEMPTY)
            schedule_await(is_readable, &descriptor, NULL);
        ledger_ask(ledger, number, MOST_AT_ONCE);
        count = get_some(buffer, &size, quota, polls ? 0 : draw_timeout());
        promise(count > 0 || count == AT_EEMPTY || (count == AT_ECLOSED && at_queue_empty(scene.queue)));
        for (int i = 0; i < count; i++, quota--)
            ledger_receive(ledger, last, buffer + (size_t)i * size, size);
        ledger_asked(ledger, number);
    }
}

/* ---- those who end it */

static bool have_ended(const int *threads, uint32_t count) {
    while (count > 0 && schedule_has_ended(threads[count - 1]))
        count--;
    return count == 0;
}

/*
 * All have put what they had to put, and taken what they had to take; where that is not agreed, or some may have died,
 * either will do.
 */
static bool is_time_to_close(void *unused) {
    (void)unused;
    bool put = have_ended(scene.producer, scene.producers), taken = have_ended(scene.consumer, scene.consumers);
    return scene.quota[0] < UINT32_MAX ? put && taken : put || taken;
}

static void close_in_time(void *early) {
    if (early == NULL)
        schedule_await(is_time_to_close, NULL, NULL);
    at_queue_close(scene.queue);
}

static bool closer_has_ended(void *unused) {
    (void)unused;
    return schedule_has_ended(scene.closer);
}

static void close_again(void *unused) {
    (void)unused;
    schedule_await(closer_has_ended, NULL, NULL);
    at_queue_close(scene.queue);
}

/* ---- a run */

/* As if much had been put in and taken out before: at the end of the ring, of its warm part, or of all positions. */
static void move_to(at_queue *queue, uint32_t position) {
    struct queue_shared *shared = queue->shared;
    shared->head = shared->head_seen = shared->tail = shared->tail_seen = place_of(schedule_draw(3) - 1, position);
    shared->looked = position - schedule_draw(2) * 4096;
}

static at_queue *draw_queue(void) {
    bool large = schedule_draw(4) == 0;                          /* and so never full by its bytes */
    bool full = schedule_draw(2) == 0 || scene.largest == LARGE; /* up to the last byte of the ring */
    size_t capacity = large ? 2 * (size_t)WARM : full ? 4096 : scene.largest + UNIT + schedule_draw(4) * scene.largest;
    at_queue *queue = at_queue_new(.capacity = capacity, .maxsize = scene.maxsize);
    promise(queue != NULL);
    queue->spins = schedule_draw(8) == 0;
    uint32_t end = schedule_draw(2) == 0 ? UINT32_MAX : queue->units * 3 - 1;
    move_to(queue, large && schedule_draw(2) == 0 ? queue->units + WARM / UNIT + 1 : end - schedule_draw(8));
    return queue;
}

/*
 * Either each consumer goes on until the queue is closed, or it takes what has been agreed: all, or as much as makes
 * room for the rest. Then whoever leaves must not take a wake with it that another needs.
 */
static void draw_quotas(void) {
    bool agreed = !scene.deaths && schedule_draw(2) == 0;
    uint32_t total = scene.producers * scene.messages;
    if (agreed && scene.largest == SMALL) { /* each takes two units */
        uint32_t room =
            scene.queue->capacity / 2 < scene.queue->maxsize ? scene.queue->capacity / 2 : scene.queue->maxsize;
        total -= schedule_draw(1 + (room < total ? room : total));
    }
    for (uint32_t i = 0; i < scene.consumers; i++)
        scene.quota[i] = agreed ? total / scene.consumers + (i < total % scene.consumers) : UINT32_MAX;
}

static void drain(void) {
    promise(scene.maxsize == 0 || at_queue_qsize(scene.queue) <= scene.maxsize);
    unsigned char buffer[LARGE];
    uint32_t last[LEDGER_PRODUCERS] = {0};
    for (size_t size = LARGE; at_queue_get_nowait(scene.queue, buffer, &size) == 0; size = LARGE)
        ledger_receive(ledger, last, buffer, size);
}

static void use_a_queue(void) {
    static uint32_t numbers[] = {0, 1, 2, 3, 4, 5, 6, 7};
    if (ledger == NULL)
        ledger = ledger_new(MOST_MESSAGES);
    ledger_clear(ledger);
    scene.deaths = schedule_draw(2) == 0;
    scene.timeouts = schedule_draw(2) == 0;
    schedule_begin(&(struct schedule_rules){
        .deaths = scene.deaths ? 1 + schedule_draw(3) : 0, .timeouts = scene.timeouts, .patience = scene.deaths});
    scene.producers = 1 + schedule_draw(3);
    scene.consumers = 1 + schedule_draw(3);
    scene.messages = 1 + schedule_draw(MOST_MESSAGES);
    scene.largest = (uint32_t[]){SMALL, SMALL, 64, LARGE}[schedule_draw(4)];
    scene.maxsize = schedule_draw(2) * (1 + schedule_draw(3));
    scene.queue = draw_queue();
    draw_quotas();
    for (uint32_t i = 0; i < scene.producers; i++)
        scene.producer[i] = schedule_add("producer", produce, &numbers[i], true);
    for (uint32_t i = 0; i < scene.consumers; i++)
        scene.consumer[i] = schedule_add("consumer", consume, &numbers[i], true);
    bool early = scene.quota[0] == UINT32_MAX && schedule_draw(8) == 0;
    scene.closer = schedule_add("closer", close_in_time, early ? &scene : NULL, true);
    schedule_add("closer2", close_again, NULL, false);
    schedule_run();
    for (uint32_t i = 0; i < scene.consumers; i++)
        if (schedule_was_killed(scene.consumer[i]) != NULL)
            ledger_bury(ledger, i);
    drain();
    const char *wrong = ledger_balance(ledger);
    if (wrong != NULL)
        schedule_fail("%s", wrong);
    at_queue_free(scene.queue);
}

START_TEST(no_order_of_steps_and_deaths_breaks_a_queue) {
    schedule_seeds(UNDER_TSAN || UNDER_ASAN ? 500 : 10000, use_a_queue);
}
END_TEST

SUITE("queue_schedules", no_order_of_steps_and_deaths_breaks_a_queue)
