/* traffic.c: takes samples of a channel, and compares what arrived with what was sent. */
#include "traffic.h"

#include <time.h>

#include "console.h"

enum {
    FEWEST = 16, /* messages that say anything; and how many are tried first */
    MOST_FIRST = 1024,
    FIRST_BYTES = 1 << 20,
    WARM_BYTES = 80 << 20,
    SAMPLE_NS = 4000000, /* a stream is about so long: what it takes to wake its processes does not show */
    TOO_LONG = 16,       /* times as long */
    WARM_TRIPS = 100,
    PAUSE_NS = 100000,
    MOST_CHANNELS = 16
};

struct traffic traffic;
char traffic_message[LARGEST];
double traffic_warm_seconds = 0.3;

static struct channel *tried[MOST_CHANNELS];
static size_t tried_count;

bool traffic_plan(struct traffic plan) {
    traffic = plan;
    return true;
}

void traffic_pause(void) {
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    nanosleep(&pause, NULL);
}

/* One stream: ns for each message; 0 after Ctrl-C. */
static double stream_once(struct channel *channel) {
    if (channel->crew.count == 0 || !crew_round(&channel->crew, channel->messages, 0))
        return 0;
    uint64_t count = 0, sum = 0, messages = channel->messages;
    for (size_t i = 0; i < channel->crew.count; i++) {
        count += channel->crew.stage->parts[i].count;
        sum += channel->crew.stage->parts[i].sum;
    }
    if (count != messages * traffic.pairs || sum != traffic.pairs * (messages * (messages - 1) / 2))
        wrong_result("%s: %zu messages of %zu arrived, or not these", channel->name, (size_t)count,
                     (size_t)messages * traffic.pairs);
    double ns = crew_ns(&channel->crew);
    if (ns > TOO_LONG * SAMPLE_NS && messages > FEWEST)
        channel->messages /= 2; /* the machine has become busy since the messages were counted */
    return ns / (double)count;
}

/* Finds out how many messages make a sample. */
static void calibrate(struct channel *channel) {
    size_t first_messages = FIRST_BYTES / traffic.size;
    channel->messages = first_messages < FEWEST ? FEWEST : first_messages < MOST_FIRST ? first_messages : MOST_FIRST;
    for (;;) {
        double first = stream_once(channel), second = stream_once(channel);
        double all = (first < second ? first : second) * (double)(channel->messages * traffic.pairs);
        double factor = all > 0 ? SAMPLE_NS / all : 0;
        if (factor < 1.5 || channel->messages == MOST_MESSAGES)
            return;
        double messages = (double)channel->messages * (factor < 8 ? factor : 8);
        channel->messages = messages < MOST_MESSAGES ? (size_t)messages : MOST_MESSAGES;
    }
}

/* A queue goes through all of its memory before it comes round to pages that it has touched. */
static void warm_up(struct channel *channel) {
    uint64_t start = now_ns();
    double bytes = 0;
    while (bytes < WARM_BYTES && seconds_since(start) < traffic_warm_seconds && stream_once(channel) > 0)
        bytes += (double)(channel->messages * traffic.pairs * (traffic.size + 16));
}

static bool ready(struct channel *channel) {
    if (channel->tried)
        return channel->opened;
    if (tried_count == MOST_CHANNELS)
        return false;
    tried[tried_count++] = channel;
    channel->tried = true;
    channel->opened = channel->open();
    if (!channel->opened ||
        !crew_start(&channel->crew, channel->name, 2 * traffic.pairs, traffic.trip ? channel->trip : channel->stream))
        return false;
    if (!traffic.trip) {
        calibrate(channel);
        warm_up(channel);
    }
    return true;
}

size_t channel_take(struct channel *channel, struct observation *samples, size_t count) {
    if (!ready(channel))
        return 0;
    if (traffic.trip) {
        if (channel->crew.count == 0 || !crew_round(&channel->crew, traffic.asleep ? 2 : WARM_TRIPS, count))
            return 0;
        for (size_t i = 0; i < count; i++)
            samples[i] = (struct observation){.ns = channel->crew.stage->ns[i]};
        return count;
    }
    for (size_t i = 0; i < count; i++) {
        samples[i] = (struct observation){.ns = stream_once(channel)};
        if (samples[i].ns <= 0)
            return 0;
    }
    return count;
}

void channels_close(void) {
    while (tried_count > 0) {
        struct channel *channel = tried[--tried_count];
        crew_end(&channel->crew);
        if (channel->opened)
            channel->close();
        channel->opened = channel->tried = false;
    }
}
