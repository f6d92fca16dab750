/* test_serving_batching_random.c: thousands of random calls of batching, each held against a plain list. */
#include "batching.h"
#include "watch.h"

enum { REQUESTS = 300, ROUNDS = 24, CALLS = 4000, ROOM = 40 };

/* Where each request is; it is free again when it was taken and will not return, was given up, or was removed. */
enum place { FREE, WAITS, TAKEN };
static struct waiting requests[REQUESTS];
static enum place places[REQUESTS];
static uint64_t orders[REQUESTS], orders_given;

static struct batching_options options;
static struct batching *batching;
static struct cost cost;
static uint64_t now, least;

static uint64_t seed = 1;

static uint64_t random_below(uint64_t bound) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (seed >> 33) % bound;
}

static int random_in(enum place place) {
    int start = (int)random_below(REQUESTS);
    for (int i = 0; i < REQUESTS; i++)
        if (places[(start + i) % REQUESTS] == place)
            return (start + i) % REQUESTS;
    return -1;
}

/* ---- the plain list: whatever waits, found by looking at all */

static unsigned level_of(int request) {
    return requests[request].priority == 0 ? 8 : requests[request].priority;
}

static bool before(int one, int other) {
    if (level_of(one) != level_of(other))
        return level_of(one) < level_of(other);
    return orders[one] < orders[other];
}

/* The first of those that wait behind this one; of all for -1; -1 when there is none. */
static int next_of(int request) {
    int next = -1;
    for (int i = 0; i < REQUESTS; i++)
        if (places[i] == WAITS && (request < 0 || before(request, i)) && (next < 0 || before(i, next)))
            next = i;
    return next;
}

static size_t rows_waiting(size_t *count) {
    size_t rows = 0;
    *count = 0;
    for (int i = 0; i < REQUESTS; i++)
        if (places[i] == WAITS) {
            rows += requests[i].rows;
            (*count)++;
        }
    return rows;
}

static int earliest(void) {
    int found = -1;
    for (int i = 0; i < REQUESTS; i++)
        if (places[i] == WAITS && requests[i].deadline != 0 &&
            (found < 0 || requests[i].deadline < requests[found].deadline))
            found = i;
    return found;
}

static bool is_late(int request) {
    uint64_t deadline = requests[request].deadline;
    return now >= deadline || (!options.keep_late && now + least > deadline);
}

static bool is_held_back(void) {
    size_t count, rows = rows_waiting(&count);
    if (count == 0 || options.delay == 0 || rows >= options.most || requests[next_of(-1)].alone)
        return count == 0;
    uint64_t until = UINT64_MAX;
    for (int i = 0; i < REQUESTS; i++)
        if (places[i] == WAITS && requests[i].arrived + options.delay < until)
            until = requests[i].arrived + options.delay;
    int first = earliest();
    if (first >= 0 && (requests[first].arrived + requests[first].deadline) / 2 < until)
        until = (requests[first].arrived + requests[first].deadline) / 2;
    return until > now;
}

static bool is_lost(int request) {
    return requests[request].deadline == 0 ||
           now + cost_predict(&cost, requests[request].rows) > requests[request].deadline;
}

/* Whether a batch of these many requests, with this one at the end, keeps the deadlines that can be kept. */
static bool keeps_deadlines(const int *batch, size_t count, uint32_t rows) {
    for (size_t i = 0; i < count; i++)
        if (!is_lost(batch[i]) && now + cost_predict(&cost, rows) > requests[batch[i]].deadline)
            return false;
    return true;
}

static size_t expected_batch(size_t workers, size_t room, int *batch) {
    size_t count, share = (rows_waiting(&count) + workers - 1) / workers;
    size_t most = share < options.most ? share : options.most, taken = 0;
    if (is_held_back())
        return 0;
    uint32_t rows = 0;
    for (int next = next_of(-1); next >= 0 && taken < room; next = next_of(next)) {
        if (taken > 0 && requests[next].model != requests[batch[0]].model)
            continue;
        batch[taken] = next;
        rows += requests[next].rows;
        if (taken > 0 && (requests[batch[0]].alone || requests[next].alone || rows > most ||
                          !keeps_deadlines(batch, taken + 1, rows)))
            break;
        taken++;
    }
    return taken;
}

/* ---- the calls */

static void add(void) {
    int i = random_in(FREE);
    if (i < 0)
        return;
    requests[i] = (struct waiting){.rows = (uint32_t)(1 + random_below(random_below(8) == 0 ? options.most : 3)),
                                   .arrived = now,
                                   .model = (uint32_t)random_below(3),
                                   .alone = random_below(20) == 0};
    requests[i].rows = requests[i].rows < options.most ? requests[i].rows : options.most;
    requests[i].priority = (uint8_t)(random_below(3) == 0 ? random_below(16) : 0);
    requests[i].deadline = random_below(2) == 0 ? now + random_below(2000) + 1 : 0;
    places[i] = WAITS;
    orders[i] = ++orders_given;
    batching_add(batching, &requests[i]);
}

static void give_back(void) {
    int i = random_in(TAKEN);
    if (i < 0)
        return;
    places[i] = WAITS;
    requests[i].alone = random_below(2) == 0;
    batching_return(batching, &requests[i]);
}

static void leave(void) {
    int i = random_in(random_below(4) == 0 ? TAKEN : WAITS);
    if (i < 0)
        return;
    places[i] = FREE;
    batching_remove(batching, &requests[i]);
    require(!requests[i].queued);
}

static void take(void) {
    struct waiting *batch[ROOM];
    int expected[ROOM + 1];
    size_t workers = 1 + random_below(4), room = 1 + random_below(ROOM);
    size_t count = expected_batch(workers, room, expected);
    require(batching_take(batching, now, &cost, workers, batch, room) == count);
    for (size_t i = 0; i < count; i++) {
        require(batch[i] == &requests[expected[i]] && !batch[i]->queued);
        places[expected[i]] = random_below(3) == 0 ? TAKEN : FREE;
    }
}

static void give_up(void) {
    int first = earliest();
    bool late = first >= 0 && is_late(first);
    struct waiting *given_up = batching_give_up(batching, now, least);
    require((given_up != NULL) == late);
    if (late) { /* which of several with this deadline is not said */
        require(given_up->deadline == requests[first].deadline && places[given_up - requests] == WAITS);
        places[given_up - requests] = FREE;
    }
}

/* To the moment that batching_next says, if it is not far, and not a nanosecond before does anything change. */
static void go_on(void) {
    uint64_t next = batching_next(batching, now, least);
    bool held_back = is_held_back();
    int first = earliest();
    require(next >= now);
    if (next > now && next < now + 3000) {
        now = next - 1;
        require(is_held_back() == held_back && (first < 0 || !is_late(first)));
        now = next;
        require(is_held_back() != held_back || (first >= 0 && is_late(first)));
    }
    now += random_below(60);
}

static void begin_round(void) {
    static const uint64_t DELAYS[] = {0, 0, 40, 500};
    options = (struct batching_options){.most = (uint32_t)(1 + random_below(32)), .delay = DELAYS[random_below(4)]};
    options.keep_late = random_below(3) == 0;
    cost = (struct cost){.alpha = (double)random_below(200), .beta = (double)random_below(30)};
    least = random_below(300);
    now = 1;
    memset(places, 0, sizeof places);
    batching = batching_new(&options);
    require(batching != NULL);
}

START_TEST(random_calls_do_as_a_plain_list) {
    static void (*const OPERATIONS[])(void) = {take, give_back, leave, give_up, go_on, add, add, add, add, add};
    for (int round = 0; round < ROUNDS; round++) {
        begin_round();
        for (int call = 0; call < CALLS; call++) {
            bool fills_up = call / 200 % 2 == 0;
            OPERATIONS[random_below(fills_up ? 10 : 6)]();
            size_t count, rows = rows_waiting(&count);
            require(batching_requests(batching) == count && batching_rows(batching) == rows);
        }
        now = UINT64_MAX / 4;
        while (batching_requests(batching) > 0)
            take();
        require(next_of(-1) < 0);
        batching_free(batching);
    }
}
END_TEST

SUITE("serving_batching_random", random_calls_do_as_a_plain_list)
