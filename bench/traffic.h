/*
 * traffic.h: what the rows about queues measure, the same for every way to carry a message, a channel.
 *
 * A stream: producers put N messages, consumers take N, and the time runs from the first put to the last get. A trip:
 * a message goes to another process, which sends it back. Every message carries a number, at both ends if it is long
 * enough, and what arrives is checked: of each producer in rising order, and all of them once.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "crew.h"
#include "measure.h"

struct traffic {
    size_t size;        /* bytes of a message */
    size_t pairs;       /* so many producers and so many consumers */
    bool one_at_a_time; /* the queue holds one message at most: the next is put when the last was taken */
    bool trip;          /* there and back, instead of a stream */
    bool asleep;        /* before each trip a pause, long enough for both sides to sleep */
};

/* What the channels are to carry from now on; for a comparison's `before`. Always true. */
bool traffic_plan(struct traffic traffic);
extern struct traffic traffic;

/* How long a channel for streams is warmed up, at the most. */
extern double traffic_warm_seconds;

enum { LANES = 2, LARGEST = 1 << 20, MOST_MESSAGES = 1 << 20 };

/*
 * A lane is a queue: streams have one, trips have one each way. A channel that has but one producer and one consumer
 * has a lane for each pair. Both calls wait as long as it takes and return false on failure.
 */
typedef bool put_message(size_t lane, const void *data, size_t size);
typedef bool get_message(size_t lane, void *data, size_t size);

struct channel {
    const char *name;
    bool (*open)(void); /* makes the lanes for the plan, before the crew is forked; false: it cannot, and has said so */
    void (*close)(void);
    crew_member *stream, *trip;
    struct crew crew;
    size_t messages; /* in a sample; 0: not known yet */
    bool tried, opened;
};

size_t channel_take(struct channel *channel, struct observation *samples, size_t count);

/* Ends all that was opened; for a comparison's `after`. */
void channels_close(void);

/* The number in a message: whether it is its producer's last, which producer, and which of its messages. */
enum { PRODUCER_SHIFT = 48 };
static const uint64_t last_message = (uint64_t)1 << 63;

static inline void stamp(char *message, size_t size, uint64_t number) {
    uint64_t inverse = ~number;
    memcpy(message, &number, sizeof number);
    if (size >= 2 * sizeof number)
        memcpy(message + size - sizeof inverse, &inverse, sizeof inverse);
}

/* The number, or UINT64_MAX when the two ends do not fit. */
static inline uint64_t stamped(const char *message, size_t size) {
    uint64_t number, inverse;
    memcpy(&number, message, sizeof number);
    if (size >= 2 * sizeof number) {
        memcpy(&inverse, message + size - sizeof inverse, sizeof inverse);
        if (inverse != ~number)
            return UINT64_MAX;
    }
    return number;
}

extern char traffic_message[LARGEST]; /* each process has its own */

#define TRAFFIC static inline __attribute__((always_inline))

/* Both are inlined into a function for each channel, so that no call stands between a channel and its time. */
TRAFFIC void traffic_stream(struct stage *stage, size_t index, bool own_lanes, put_message *put, get_message *get) {
    struct part *part = &stage->parts[index];
    size_t pairs = traffic.pairs, size = traffic.size;
    /* Of two pairs on two cores, each has both: the consumers' lanes are turned by one. */
    size_t lane = !own_lanes ? 0 : index < pairs ? index : (index + 1) % pairs;
    if (index < pairs) { /* a producer */
        uint64_t number = (uint64_t)index << PRODUCER_SHIFT;
        part->start = now_ns();
        for (size_t i = 1; i <= stage->messages; i++, number++) {
            stamp(traffic_message, size, i < stage->messages ? number : number | last_message);
            if (!put(lane, traffic_message, size))
                crew_wrong(stage, "put failed at message %zu of %zu", i, stage->messages);
        }
        return;
    }
    uint64_t number, next[CREW_MOST] = {0}, count = 0, sum = 0;
    do { /* each consumer ends with some producer's last message: there are as many of these as of those */
        if (!get(lane, traffic_message, size))
            crew_wrong(stage, "get failed after %zu messages", (size_t)count);
        number = stamped(traffic_message, size);
        size_t producer = (number & ~last_message) >> PRODUCER_SHIFT;
        uint64_t place = number & (((uint64_t)1 << PRODUCER_SHIFT) - 1);
        if (number == UINT64_MAX || producer >= pairs || place < next[producer])
            crew_wrong(stage, "message %zu is torn, or not in order: %#llx", (size_t)count, (unsigned long long)number);
        next[producer] = place + 1;
        count++;
        sum += place;
    } while ((number & last_message) == 0);
    *part = (struct part){.end = now_ns(), .count = count, .sum = sum};
}

void traffic_pause(void);

TRAFFIC void traffic_trip(struct stage *stage, size_t index, put_message *put, get_message *get) {
    size_t first = index == 0 ? 0 : 1, warm_up = stage->messages, trips = warm_up + stage->samples;
    for (size_t i = 0; i < trips; i++) {
        uint64_t start = 0;
        if (index == 0) {
            if (traffic.asleep)
                traffic_pause();
            stamp(traffic_message, traffic.size, i);
            start = now_ns();
            if (!put(first, traffic_message, traffic.size))
                crew_wrong(stage, "put failed at trip %zu", i);
        }
        if (!get(1 - first, traffic_message, traffic.size) || stamped(traffic_message, traffic.size) != i)
            crew_wrong(stage, "trip %zu: another message came, or none", i);
        if (index == 0 && i >= warm_up)
            stage->ns[i - warm_up] = (double)(now_ns() - start);
        if (index == 1 && !put(first, traffic_message, traffic.size))
            crew_wrong(stage, "put failed on the way back of trip %zu", i);
    }
}

/* NAME_take of a channel whose functions are NAME_open, NAME_close, NAME_put and NAME_get. */
#define CHANNEL(prefix, title, own_lanes)                                                                              \
    static void prefix##_stream(struct stage *stage, size_t index) {                                                   \
        traffic_stream(stage, index, own_lanes, prefix##_put, prefix##_get);                                           \
    }                                                                                                                  \
    static void prefix##_trip(struct stage *stage, size_t index) {                                                     \
        traffic_trip(stage, index, prefix##_put, prefix##_get);                                                        \
    }                                                                                                                  \
    size_t prefix##_take(struct observation *samples, size_t count) {                                                  \
        static struct channel channel = {.name = title,                                                                \
                                         .open = prefix##_open,                                                        \
                                         .close = prefix##_close,                                                      \
                                         .stream = prefix##_stream,                                                    \
                                         .trip = prefix##_trip};                                                       \
        return channel_take(&channel, samples, count);                                                                 \
    }

#endif
