/* settings_devices.c: which devices serve is told to use: all cards for "cuda", a core each for nothing at all. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "inject.h"
#include "settings.h"

static void refuse_devices(const char *text) __attribute__((noreturn));

static void refuse_devices(const char *text) {
    fprintf(stderr, "serve: --devices: %s\n", text);
    exit(2);
}

/* A cpu for each core that this process may use. */
static void default_devices(struct settings *settings) {
    cpu_set_t cores;
    size_t count = sched_getaffinity(0, sizeof cores, &cores) == 0 ? (size_t)CPU_COUNT(&cores) : 1;
    if (settings->mode == SERVE_SERIAL)
        count = 1;
    for (size_t i = 0; i < count && i < ENGINE_WORKERS; i++)
        settings->devices[settings->device_count++] = "cpu";
}

/* ---- cards */

/* What follows "cuda" in the text of a card, or of all of them; NULL: it is another device. */
static const char *behind_cuda(const char *device) {
    static const char NAME[] = "cuda";
    size_t length = sizeof NAME - 1;
    bool is_card = strncmp(device, NAME, length) == 0 && (device[length] == ':' || device[length] == '\0');
    return is_card ? device + length : NULL;
}

/* "cuda" and "cuda:bf16" are all cards; "cuda:1" is one, and so "cuda:" with nothing behind it was meant to be. */
static bool is_all_cards(const char *device) {
    const char *behind = behind_cuda(device);
    return behind != NULL && (*behind == '\0' || (behind[1] != '\0' && (behind[1] < '0' || behind[1] > '9')));
}

static void add(const char **devices, size_t *count, const char *device) {
    if (*count == ENGINE_WORKERS)
        refuse_devices("too many");
    devices[(*count)++] = device;
}

/* Each card by its number, with what was asked of all. The texts last as long as the program. */
static void add_all_cards(const char *text, const char **devices, size_t *count) {
    static struct card_facts cards[CARDS_MOST];
    struct failure failure = {.text = ""};
    char message[sizeof failure.text + 100], device[100];
    snprintf(device, sizeof device, "cuda:0%.90s", behind_cuda(text));
    if (device_check(device, &failure) != 0) {
        snprintf(message, sizeof message, "\"%.60s\", all cards, each as %s", text, failure.text);
        refuse_devices(message);
    }
    size_t found = cards_list(cards, &failure);
    if (found == 0) {
        snprintf(message, sizeof message, "%.60s: no card: %s; name other devices, as cpu", text, failure.text);
        refuse_devices(message);
    }
    for (size_t i = 0; i < found; i++) {
        char *one;
        if (cards[i].uuid[0] == '\0') {
            fprintf(stderr, "serve: card %zu does not answer, and is left out; nvidia-smi may say why\n", i);
            continue;
        }
        if (asprintf(&one, "cuda:%zu%s", i, behind_cuda(text)) < 0)
            at_fatal("serve: no memory for --devices");
        add(devices, count, one);
    }
}

static void expand_cards(struct settings *settings) {
    const char *devices[ENGINE_WORKERS];
    size_t count = 0;
    for (size_t i = 0; i < settings->device_count; i++)
        if (is_all_cards(settings->devices[i]))
            add_all_cards(settings->devices[i], devices, &count);
        else
            add(devices, &count, settings->devices[i]);
    memcpy(settings->devices, devices, count * sizeof *devices);
    settings->device_count = count;
}

/* The number of a card, CARDS_MOST for another device, or for one that no machine has. */
static unsigned number_of_card(const char *device) {
    const char *behind = behind_cuda(device);
    unsigned long number = behind != NULL && *behind == ':' ? strtoul(behind + 1, NULL, 10) : CARDS_MOST;
    return number < CARDS_MOST ? (unsigned)number : CARDS_MOST;
}

static size_t count_cards(const struct settings *settings) {
    size_t count = 0;
    for (size_t i = 0; i < settings->device_count; i++)
        count += behind_cuda(settings->devices[i]) != NULL;
    return count;
}

/* Where the driver does not say what there is, the worker that finds nothing will. */
static void check_cards(const struct settings *settings) {
    static struct card_facts cards[CARDS_MOST];
    struct failure nobody_hears_it;
    if (count_cards(settings) == 0)
        return;
    size_t found = cards_list(cards, &nobody_hears_it);
    for (size_t i = 0; i < settings->device_count && found > 0; i++) {
        const char *device = settings->devices[i];
        if (behind_cuda(device) == NULL || cards_number_here(number_of_card(device)) < found)
            continue;
        char message[200];
        snprintf(message, sizeof message, "%.60s: there %s %zu card%s here, from cuda:0; nvidia-smi -L lists them",
                 device, found == 1 ? "is" : "are", found, found == 1 ? "" : "s");
        refuse_devices(message);
    }
}

void settings_say_shared(const struct settings *settings) {
    unsigned workers[CARDS_MOST + 1] = {0};
    for (size_t i = 0; i < settings->device_count; i++)
        workers[number_of_card(settings->devices[i])]++;
    for (unsigned card = 0; card < CARDS_MOST; card++)
        if (workers[card] > 1)
            fprintf(stderr,
                    "serve: %u workers share card %u: they take turns; one process a card is the fast way, unless MPS "
                    "runs\n",
                    workers[card], card);
}

/* ---- all of it */

static void check_faults(const struct settings *settings) {
    struct failure failure;
    struct inject_cuda fault;
    if (settings->inject == NULL)
        return;
    if (inject_check(settings->inject, &failure) != 0) {
        fprintf(stderr, "serve: %s\n", failure.text);
        exit(2);
    }
    bool child = settings->listening >= 0; /* of SERVE_PROCESSES: another may be on a card */
    if (!child && count_cards(settings) == 0 && inject_cuda(settings->inject, &fault)) {
        fprintf(stderr, "serve: --inject cuda=%d@...: no device is a card; add one to --devices, as cuda:0\n",
                fault.error);
        exit(2);
    }
}

void settings_devices(struct settings *settings) {
    struct failure failure;
    if (settings->device_count == 0)
        default_devices(settings);
    expand_cards(settings);
    for (size_t i = 0; i < settings->device_count; i++)
        if (device_check(settings->devices[i], &failure) != 0)
            refuse_devices(failure.text);
    check_cards(settings);
    check_faults(settings);
    if (settings->mode == SERVE_SERIAL && settings->device_count > 1) {
        fprintf(stderr, "serve: --mode serial has one device, not %zu\n", settings->device_count);
        exit(2);
    }
}
