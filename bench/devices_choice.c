/* devices_choice.c: which devices are measured: those that are told, else all cards, else simulated ones. */
#include <stdlib.h>
#include <string.h>

#include "calibration.h"
#include "cards.h"
#include "console.h"
#include "devices.h"

/* Where no card was calibrated: no particular card. */
static const char NO_CARD[] = "2000:30";

static bool is_card(const char *text) {
    return strncmp(text, "cuda:", 5) == 0;
}

static void add(struct series *series, const char *text) {
    if (series->count == DEVICES_MOST) {
        note("bench: DEVICES: more than %d devices are not measured", DEVICES_MOST);
        exit(2);
    }
    snprintf(series->texts[series->count++], sizeof series->texts[0], "%.31s", text);
    series->simulated |= device_is_simulated(text);
}

static void refuse(const char *why) {
    note("bench: DEVICES: %s", why);
    exit(2);
}

static void add_told(struct series *series, const char *told, size_t card_count, const char *no_cards) {
    size_t simulated = 0;
    while (*told != '\0') {
        char text[100], card[32];
        struct failure failure;
        size_t length = strcspn(told, ",");
        snprintf(text, sizeof text, "%.*s", (int)length, told);
        told += length;
        told += *told == ',';
        if (strcmp(text, "cuda") == 0) {
            if (card_count == 0)
                refuse(no_cards);
            for (size_t i = 0; i < card_count; i++) {
                snprintf(card, sizeof card, "cuda:%zu", i);
                add(series, card);
            }
            continue;
        }
        if (device_check(text, &failure) != 0)
            refuse(failure.text);
        add(series, text);
        simulated += device_is_simulated(text);
    }
    if (simulated > 0 && simulated < series->count)
        refuse("simulated and real ones in one list: what the former answer is no model's");
}

/* "cuda:0 cuda:1 (NVIDIA H200)", "simulated: sim:2000:30"; of many the first two and the last. */
static void name_series(struct series *series, const struct card_facts *cards, size_t card_count) {
    bool same = true;
    size_t length = 0;
    for (size_t i = 1; i < series->count; i++)
        same &= strcmp(series->texts[i], series->texts[0]) == 0;
    series->name = series->simulated ? "simulated" : "devices";
    if (series->simulated)
        length += (size_t)snprintf(series->title, DEVICE_TITLE, "simulated: ");
    for (size_t i = 0; i < (same ? 1 : series->count) && length < DEVICE_TITLE; i++) {
        const char *between = i == 0 ? "" : i > 2 ? " ... " : " ";
        if (i < 2 || i + 1 == series->count)
            length +=
                (size_t)snprintf(series->title + length, DEVICE_TITLE - length, "%s%s", between, series->texts[i]);
    }
    for (size_t i = 0; i < series->count; i++) {
        size_t card = is_card(series->texts[i]) ? strtoul(series->texts[i] + 5, NULL, 10) : card_count;
        if (card < card_count)
            snprintf(series->uuids[i], sizeof series->uuids[i], "%s", cards[card].uuid);
        series->emulated |= card < card_count && card_is_emulated(cards[card].name);
        if (card < card_count && i == 0 && length < DEVICE_TITLE)
            snprintf(series->title + length, DEVICE_TITLE - length, " (%s)", cards[card].name);
    }
}

/* The name of a calibrated card, in the order of their names: of this one, or of any; false where there is none. */
static bool find_calibrated(const char *wanted, char name[CALIBRATION_NAME]) {
    char names[64 * CALIBRATION_NAME], *rest;
    static struct calibration calibration;
    calibration_list(names, sizeof names);
    for (char *one = strtok_r(names, ", ", &rest); one != NULL; one = strtok_r(NULL, ", ", &rest))
        if ((wanted == NULL || strcmp(one, wanted) == 0) && calibration_read(&calibration, one, NULL) == 0 &&
            is_card(calibration.device)) {
            snprintf(name, CALIBRATION_NAME, "%s", one);
            return true;
        }
    return false;
}

static void add_simulated(struct series *series, const char *card, size_t count) {
    char text[8 + CALIBRATION_NAME];
    snprintf(text, sizeof text, "sim:%s", card != NULL ? card : NO_CARD);
    while (series->count < count)
        add(series, text);
}

size_t devices_choose(struct series series[SERIES_MOST], const char *told, size_t most) {
    static struct card_facts cards[CARDS_MOST];
    struct failure no_cards = {.text = "there is no card"};
    size_t card_count = cards_list(cards, &no_cards), count = 1;
    char name[CALIBRATION_NAME];
    for (size_t i = 0; i < SERIES_MOST; i++)
        series[i] = (struct series){.count = 0};
    if (told != NULL && *told != '\0')
        add_told(&series[0], told, card_count, no_cards.text);
    else if (card_count > 0)
        add_told(&series[0], "cuda", card_count, no_cards.text);
    else
        add_simulated(&series[0], find_calibrated(NULL, name) ? name : NULL, most);
    if (series[0].count == 0)
        refuse("none is named");
    name_series(&series[0], cards, card_count);
    if (series[0].count == 1 && is_card(series[0].texts[0])) {
        size_t card = strtoul(series[0].texts[0] + 5, NULL, 10);
        calibration_name(name, series[0].texts[0], card < card_count ? cards[card].name : "");
        bool known = find_calibrated(name, name);
        if (known) {
            add_simulated(&series[1], name, most);
            name_series(&series[1], cards, card_count);
        } else {
            series[1] = (struct series){.name = "simulated", .title = "simulated: more such cards", .simulated = true};
            snprintf(series[1].missing, DEVICE_REASON,
                     "this card was not calibrated: make calibrate DEVICES=%s lets it be simulated by the dozen",
                     series[0].texts[0]);
        }
        count = 2;
    }
    return count;
}

size_t devices_sharing(const struct series *series, size_t count) {
    size_t sharing = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i && is_card(series->texts[i]); j++)
            if (is_card(series->texts[j]) &&
                strtoul(series->texts[i] + 5, NULL, 10) == strtoul(series->texts[j] + 5, NULL, 10)) {
                sharing++;
                break;
            }
    return sharing;
}
