/* test_queue_points.c: processes that are killed at each named point of a queue's code, one by one and two by two. */
#include "points.h"

#include "error.h"
#include "ledger.h"
#include "queue_internal.h"

SANITIZER_OPTIONS("", "")

enum {
    VICTIMS = 2,
    ROUNDS = 12,       /* of a victim */
    MESSAGES = 40,     /* of the producer that survives */
    SIZE = 32,         /* bytes of a message */
    WARM = 256 * 1024, /* bytes of the ring after which an empty queue begins anew (queue_ring.c) */
};

static struct ledger *ledger;
static at_queue *queue;

/* Puts the next message in; false when the queue is closed. */
static bool put(uint32_t producer, double timeout) {
    char buffer[SIZE];
    hold(ledger_put(ledger, producer, buffer, SIZE));
    int result = at_queue_put(queue, buffer, SIZE, timeout);
    hold(result == 0 || result == AT_ECLOSED || result == AT_EFULL);
    ledger_put_returned(ledger, buffer, result);
    return result != AT_ECLOSED;
}

/* Takes up to two out; false when the queue is closed and drained. */
static bool get(uint32_t receiver, uint32_t *last, double timeout) {
    char buffer[2 * SIZE];
    ledger_ask(ledger, receiver, 2);
    int count = at_queue_get_many(queue, buffer, SIZE, 2, timeout);
    hold(count > 0 || count == AT_EEMPTY || count == AT_ECLOSED);
    for (int i = 0; i < count; i++)
        ledger_receive(ledger, last, buffer + (size_t)i * SIZE, SIZE);
    ledger_asked(ledger, receiver);
    return count != AT_ECLOSED;
}

/* Those who may be killed do everything there is to do. */
static void be_victim(uint32_t number) {
    uint32_t last[LEDGER_PRODUCERS] = {0};
    bool open = put(number, AT_FOREVER);
    hold(at_queue_fileno(queue) >= 0);
    for (int round = 0; round < ROUNDS && open; round++) {
        open = put(number, 0.001) && put(number, 0);
        open = get(number, last, 0.0005) && open;
        for (int i = 0; i < 3 && open; i++)
            open = get(number, last, i == 2 ? 0.002 : 0);
    }
    at_queue_close(queue);
}

static void consume(uint32_t number) {
    uint32_t last[LEDGER_PRODUCERS] = {0};
    while (get(number, last, AT_FOREVER))
        ;
}

static void produce(uint32_t number) {
    for (int i = 0; i < MESSAGES && put(number, AT_FOREVER); i++)
        ;
}

static pid_t forked(void (*body)(uint32_t), uint32_t number, bool mortal) {
    pid_t pid = fork();
    if (pid == 0) {
        immortal = mortal ? 0 : getpid();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        body(number);
        _exit(EXIT_SUCCESS);
    }
    hold(pid > 0);
    return pid;
}

/* So that the first message begins the ring anew. */
static void move_on(void) {
    uint64_t place = place_of(7, 3 * queue->units + WARM / UNIT + 1);
    struct queue_shared *shared = queue->shared;
    shared->head = shared->head_seen = shared->tail = shared->tail_seen = place;
    shared->looked = position_of(place) - WARM / UNIT;
}

static void end_well(pid_t process) {
    int end = end_of(process);
    if (end != 0)
        fail_experiment("one that was not to be killed ended with %d", end);
}

static void run(void) {
    pid_t victims[VICTIMS];
    ledger = ledger_new(256);
    hold(ledger != NULL && (queue = at_queue_new(.capacity = 2 * WARM, .maxsize = 2)) != NULL);
    move_on();
    for (uint32_t i = 0; i < VICTIMS; i++)
        victims[i] = forked(be_victim, i, true);
    pid_t producer = forked(produce, VICTIMS, false), consumer = forked(consume, VICTIMS, false);
    for (uint32_t i = 0; i < VICTIMS; i++) {
        int end = end_of(victims[i]);
        hold(end == 0 || end == -SIGKILL);
        ledger_bury(ledger, i);
    }
    at_queue_close(queue);
    end_well(producer);
    end_well(consumer);
    uint32_t last[LEDGER_PRODUCERS] = {0};
    while (get(VICTIMS, last, 0))
        ;
    const char *wrong = ledger_balance(ledger);
    if (wrong != NULL)
        fail_experiment("%s", wrong);
    at_queue_free(queue);
    ledger_free(ledger);
}

START_TEST(a_death_at_any_point_costs_at_most_what_the_dead_one_held) {
    static const char *const PREFIXES[] = {"process_lock.", "queue.", "event."};
    kill_at_all_points(PREFIXES, 3, run);
}
END_TEST

SUITE("queue_points", a_death_at_any_point_costs_at_most_what_the_dead_one_held)
