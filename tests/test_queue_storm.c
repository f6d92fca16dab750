/* test_queue_storm.c: producers and consumers of a queue that are killed at random, ten thousand times. */
#include <stdio.h>
#include <sys/prctl.h>

#include "error.h"
#include "ledger.h"
#include "watch.h"

SANITIZER_OPTIONS("", "")

enum {
    KILLS = UNDER_TSAN || UNDER_ASAN ? 500 : 10000,
    KILLS_OF_A_QUEUE = 100, /* then it is closed and drained, and the books are balanced */
    PRODUCERS = 2,
    CONSUMERS = 2,
    MESSAGES = 1 << 18, /* of a producer to one queue, at most */
    LARGEST = 600,      /* bytes of a message */
    AT_ONCE = 4,        /* taken by get_many */
    LONGEST_LIFE = 600, /* microseconds until some are killed */
};

static struct ledger *ledger;
static at_queue *queue;
static bool many; /* all messages have one size, and consumers take several at a time */

/* The library's promises and the ledger's, in processes that report by their exit code. */
#define hold(condition) ((condition) ? (void)0 : break_off(#condition))

static __attribute__((noreturn)) void break_off(const char *what) {
    fprintf(stderr, "does not hold: %s\n", what);
    _exit(EXIT_FAILURE);
}

static void produce(uint32_t number, uint32_t dice) {
    unsigned char buffer[LARGEST];
    for (;;) {
        size_t size = many ? 40 : sizeof(struct message) + (size_t)rand_r(&dice) % (LARGEST - sizeof(struct message));
        if (!ledger_put(ledger, number, buffer, size))
            return;
        int result = at_queue_put(queue, buffer, size, AT_FOREVER);
        hold(result == 0 || result == AT_ECLOSED);
        ledger_put_returned(ledger, buffer, result);
        if (result != 0)
            return;
    }
}

static void consume(uint32_t number, uint32_t dice) {
    uint32_t last[LEDGER_PRODUCERS] = {0};
    unsigned char buffer[LARGEST];
    for (;;) {
        size_t size = many ? 40 : LARGEST;
        double timeout = rand_r(&dice) % 4 == 0 ? 0.001 : AT_FOREVER;
        ledger_ask(ledger, number, many ? AT_ONCE : 1);
        int count = many ? at_queue_get_many(queue, buffer, size, AT_ONCE, timeout)
                         : at_queue_get(queue, buffer, &size, timeout);
        hold(count >= 0 || count == AT_EEMPTY || count == AT_ECLOSED);
        if (count == 0)
            count = 1;
        for (int i = 0; i < count; i++)
            ledger_receive(ledger, last, buffer + (size_t)i * size, size);
        ledger_asked(ledger, number);
        if (count == AT_ECLOSED)
            return;
    }
}

/* A new one in this place: first the producers', then the consumers'. */
static pid_t spawn(uint32_t place, uint32_t dice) {
    pid_t pid = fork();
    require(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (place < PRODUCERS)
        produce(place, dice);
    else
        consume(place - PRODUCERS, dice);
    _exit(EXIT_SUCCESS);
}

/* The process in this place has been killed; notes what a consumer may have had in hand. */
static void bury(pid_t pid, uint32_t place) {
    int end = end_of(pid);
    require(end == -SIGKILL || end == 0); /* a producer may have had no more messages */
    if (place >= PRODUCERS)
        ledger_bury(ledger, place - PRODUCERS);
}

/* Kills some of them, and puts others in their places: how many. */
static int kill_some(pid_t *pids, uint32_t *dice) {
    uint32_t chosen = (uint32_t)rand_r(dice) % (1u << (PRODUCERS + CONSUMERS));
    for (uint32_t place = 0; place < PRODUCERS + CONSUMERS; place++)
        if ((chosen >> place & 1) != 0)
            kill(pids[place], SIGKILL);
    for (uint32_t place = 0; place < PRODUCERS + CONSUMERS; place++)
        if ((chosen >> place & 1) != 0) {
            bury(pids[place], place);
            pids[place] = spawn(place, (uint32_t)rand_r(dice));
        }
    return __builtin_popcount(chosen);
}

static void sleep_microseconds(unsigned microseconds) {
    struct timespec time = {.tv_nsec = 1000 * (long)microseconds};
    nanosleep(&time, NULL);
}

/* One queue: kills at random, then all that were not killed have to end by themselves. */
static uint64_t storm_over_a_queue(uint32_t *dice) {
    static const size_t CAPACITIES[] = {1 << 11, 1 << 13, 1 << 20, 0};
    pid_t pids[PRODUCERS + CONSUMERS];
    queue = at_queue_new(.capacity = CAPACITIES[rand_r(dice) % 4], .maxsize = (size_t)rand_r(dice) % 2 * 3);
    require(queue != NULL);
    for (uint32_t place = 0; place < PRODUCERS + CONSUMERS; place++)
        pids[place] = spawn(place, (uint32_t)rand_r(dice));
    for (int kills = 0; kills < KILLS_OF_A_QUEUE; kills += kill_some(pids, dice))
        sleep_microseconds((unsigned)rand_r(dice) % LONGEST_LIFE);
    at_queue_close(queue);
    for (uint32_t place = 0; place < PRODUCERS + CONSUMERS; place++)
        require(end_of(pids[place]) == 0); /* one that hangs is stopped by the test's time limit */
    require(at_queue_empty(queue));
    const char *wrong = ledger_balance(ledger);
    if (wrong != NULL)
        ck_abort_msg("%s", wrong);
    uint64_t messages = 0;
    for (uint32_t producer = 0; producer < PRODUCERS; producer++)
        messages += ledger->next[producer];
    at_queue_free(queue);
    ledger_clear(ledger);
    return messages;
}

static void storm(uint32_t dice) {
    uint64_t messages = 0;
    ledger = ledger_new(MESSAGES);
    require(ledger != NULL);
    for (int kills = 0; kills < KILLS / 2; kills += KILLS_OF_A_QUEUE)
        messages += storm_over_a_queue(&dice);
    printf("%d kills, %llu messages\n", KILLS / 2, (unsigned long long)messages);
    ledger_free(ledger);
}

/* The seed says what is done; when the kills come, the kernel decides, too. */
START_TEST(kills_cost_what_the_dead_had_in_hand) {
    storm(1);
}
END_TEST

START_TEST(the_same_when_they_take_several_at_a_time) {
    many = true;
    storm(2);
}
END_TEST

SUITE("queue_storm", kills_cost_what_the_dead_had_in_hand, the_same_when_they_take_several_at_a_time)
