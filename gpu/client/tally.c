/* tally.c: counting what became of requests. */
#include "tally.h"

#include <stdlib.h>
#include <string.h>

const char *const outcome_names[OUTCOMES] = {
    [OUTCOME_RIGHT] = "right",         [OUTCOME_WRONG] = "wrong",   [OUTCOME_REFUSED] = "refused",
    [OUTCOME_CONNECT] = "connect",     [OUTCOME_RESET] = "reset",   [OUTCOME_TIMEOUT] = "timeout",
    [OUTCOME_MALFORMED] = "malformed", [OUTCOME_UNSENT] = "unsent",
};

static void end_slot(struct tally *tally) {
    if (tally->slot_count > 0 && tally->slot.count > 0)
        tally->slots[tally->slot_count - 1].p99 = histogram_quantile(&tally->slot, 0.99);
    histogram_clear(&tally->slot);
}

/* Where memory is short, or a run very long, what comes later is counted in the last slot that there is. */
static bool grow_slots(struct tally *tally, size_t wanted) {
    enum { MOST_SLOTS = 1000000 };
    if (wanted <= tally->slot_room)
        return true;
    if (wanted > MOST_SLOTS)
        return false;
    size_t room = wanted * 2 + 64;
    struct tally_slot *slots = realloc(tally->slots, room * sizeof *slots);
    if (slots == NULL)
        return false;
    tally->slots = slots;
    tally->slot_room = room;
    return true;
}

static struct tally_slot *slot_at(struct tally *tally, uint64_t moment) {
    size_t wanted = (size_t)(moment / TALLY_SLOT) + 1;
    if (wanted > tally->slot_count && grow_slots(tally, wanted)) {
        end_slot(tally);
        memset(tally->slots + tally->slot_count, 0, (wanted - tally->slot_count) * sizeof *tally->slots);
        tally->slot_count = wanted;
    }
    return tally->slot_count == 0 ? NULL : &tally->slots[tally->slot_count - 1];
}

void tally_end(struct tally *tally, enum outcome outcome, uint64_t moment, uint64_t latency) {
    struct tally_slot *slot = slot_at(tally, moment);
    tally->outcomes[outcome]++;
    if (outcome == OUTCOME_RIGHT) {
        histogram_add(&tally->latency, latency);
        histogram_add(&tally->slot, latency);
    }
    if (slot == NULL)
        return;
    if (outcome == OUTCOME_RIGHT)
        slot->right++;
    else
        slot->failed++;
}

static struct tally_device *device_named(struct tally *tally, const char *name, size_t length) {
    for (size_t i = 0; i < tally->device_count; i++) {
        struct tally_device *device = &tally->devices[i];
        if (strncmp(device->name, name, length) == 0 && device->name[length] == 0)
            return device;
    }
    if (tally->device_count == TALLY_DEVICES)
        return NULL;
    struct tally_device *device = &tally->devices[tally->device_count++];
    if (length > 0)
        memcpy(device->name, name, length);
    return device;
}

void tally_answer(struct tally *tally, const struct inference_answer *answer) {
    size_t length = answer->device.length < TALLY_DEVICE_NAME ? answer->device.length : TALLY_DEVICE_NAME - 1;
    struct tally_device *device = device_named(tally, length > 0 ? answer->device.bytes : "", length);
    if (device == NULL) {
        tally->other_devices++;
    } else {
        device->simulated = answer->simulated;
        device->answers++;
        device->rows += answer->rows;
    }
    tally->batches[answer->batch < TALLY_BATCHES ? answer->batch : TALLY_BATCHES - 1]++;
}

void tally_finish(struct tally *tally) {
    end_slot(tally);
}

static void merge_devices(struct tally *tally, const struct tally *other) {
    for (size_t i = 0; i < other->device_count; i++) {
        const struct tally_device *from = &other->devices[i];
        struct tally_device *device = device_named(tally, from->name, strlen(from->name));
        if (device == NULL) {
            tally->other_devices += from->answers;
            continue;
        }
        device->simulated = from->simulated;
        device->answers += from->answers;
        device->rows += from->rows;
    }
    tally->other_devices += other->other_devices;
}

static void merge_slots(struct tally *tally, const struct tally *other) {
    if (other->slot_count > 0)
        slot_at(tally, (uint64_t)(other->slot_count - 1) * TALLY_SLOT);
    for (size_t i = 0; i < other->slot_count && i < tally->slot_count; i++) {
        tally->slots[i].right += other->slots[i].right;
        tally->slots[i].failed += other->slots[i].failed;
        if (other->slots[i].p99 > tally->slots[i].p99)
            tally->slots[i].p99 = other->slots[i].p99;
    }
}

void tally_merge(struct tally *tally, const struct tally *other) {
    for (size_t i = 0; i < OUTCOMES; i++)
        tally->outcomes[i] += other->outcomes[i];
    for (size_t i = 0; i < TALLY_STATUSES; i++)
        tally->statuses[i] += other->statuses[i];
    for (size_t i = 0; i < TALLY_BATCHES; i++)
        tally->batches[i] += other->batches[i];
    tally->lost += other->lost;
    tally->duplicated += other->duplicated;
    tally->stray += other->stray;
    tally->retry_after += other->retry_after;
    tally->good += other->good;
    tally->waited += other->waited;
    tally->connects += other->connects;
    tally->bytes_sent += other->bytes_sent;
    tally->bytes_received += other->bytes_received;
    histogram_merge(&tally->latency, &other->latency);
    histogram_merge(&tally->queries, &other->queries);
    histogram_merge(&tally->lag, &other->lag);
    merge_devices(tally, other);
    merge_slots(tally, other);
    if (tally->fault == NULL)
        tally->fault = other->fault;
}

uint64_t tally_requests(const struct tally *tally) {
    uint64_t requests = 0;
    for (size_t i = 0; i < OUTCOMES; i++)
        requests += tally->outcomes[i];
    return requests;
}

uint64_t tally_failed(const struct tally *tally) {
    return tally_requests(tally) - tally->outcomes[OUTCOME_RIGHT];
}

void tally_free(struct tally *tally) {
    free(tally->slots);
    tally->slots = NULL;
    tally->slot_count = tally->slot_room = 0;
}
