/* metrics_cards.c: the graphics cards' own numbers, under the names that Triton gives them; NVML says them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "metrics_internal.h"

/* A card that workers have. */
struct card {
    size_t workers;
    char uuid[sizeof((struct card_facts *)NULL)->uuid];
    double memory; /* bytes, all of it */
    bool known;    /* the rest: */
    struct card_state state;
};

static double utilisation(const struct card *card) {
    return card->state.utilisation;
}

static double power(const struct card *card) {
    return card->state.power;
}

static double memory_used(const struct card *card) {
    return card->state.memory_used;
}

static double energy(const struct card *card) {
    return card->state.energy;
}

static double memory(const struct card *card) {
    return card->memory;
}

static double workers(const struct card *card) {
    return (double)card->workers;
}

/* perf_analyzer reads a name, {gpu_uuid="..."} with no other label, and a number without an exponent. */
static const struct card_metric {
    const char *name, *type, *help;
    double (*value)(const struct card *card);
    bool of_state;
} METRICS[] = {
    {"nv_gpu_utilization", "gauge", "Part of the time in which the card computed, 0 to 1", utilisation, true},
    {"nv_gpu_power_usage", "gauge", "Power that the card draws, in watts", power, true},
    {"nv_gpu_memory_used_bytes", "gauge", "Memory of the card that is in use", memory_used, true},
    {"nv_gpu_memory_total_bytes", "gauge", "Memory of the card", memory, false},
    {"nv_energy_consumption", "counter", "Energy since the driver was loaded, in joules", energy, true},
    {"atelier_card_workers", "gauge", "Workers that share the card", workers, false},
};

/* Counts the workers of each card, by the number that it has here. Returns whether any has one. */
static bool count_workers(const struct engine *engine, struct card cards[CARDS_MOST]) {
    static const char CUDA[] = "cuda:";
    bool any = false;
    for (size_t i = 0; i < engine_workers(engine); i++) {
        struct worker_view worker;
        engine_worker(engine, i, &worker);
        if (strncmp(worker.device, CUDA, sizeof CUDA - 1) != 0)
            continue;
        unsigned number = cards_number_here((unsigned)strtoul(worker.device + sizeof CUDA - 1, NULL, 10));
        if (number < CARDS_MOST)
            cards[number].workers++;
        any = true;
    }
    return any;
}

static void ask_for_states(struct card cards[CARDS_MOST]) {
    static struct card_facts facts[CARDS_MOST]; /* which do not change; only the front asks */
    static size_t count;
    struct failure failure;
    if (count == 0)
        count = cards_list(facts, &failure);
    for (size_t i = 0; i < count; i++) {
        struct card *card = &cards[i];
        if (card->workers == 0)
            continue;
        memcpy(card->uuid, facts[i].uuid, sizeof card->uuid);
        card->memory = (double)facts[i].memory;
        card->known = cards_state(card->uuid, &card->state);
    }
}

static bool is_said(const struct card *card, const struct card_metric *metric) {
    return card->workers > 0 && *card->uuid != '\0' && (card->known || !metric->of_state) &&
           isfinite(metric->value(card));
}

void write_card_metrics(FILE *out, const struct engine *engine) {
    struct card cards[CARDS_MOST] = {0};
    if (!count_workers(engine, cards))
        return;
    ask_for_states(cards);
    for (size_t i = 0; i < sizeof METRICS / sizeof *METRICS; i++) {
        const struct card_metric *metric = &METRICS[i];
        bool described = false;
        for (size_t j = 0; j < CARDS_MOST; j++) {
            if (!is_said(&cards[j], metric))
                continue;
            if (!described)
                describe(out, metric->name, metric->type, metric->help);
            described = true;
            fprintf(out, "%s{gpu_uuid=\"%s\"} %.3f\n", metric->name, label(cards[j].uuid).text,
                    metric->value(&cards[j]));
        }
    }
}
