/* settings.c: reads what train is told on its command line. */
#include "settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "whole.h"

enum { WIDTH_MOST = 16384, IMAGES_MOST = 10000000 };

static void usage(const struct train_settings *settings, FILE *stream) {
    fprintf(
        stream,
        "usage: %s [OPTION...]\n"
        "Trains a network to read digits. It learns from MNIST's four files, unpacked, in a folder; where there is\n"
        "none of them, digits are drawn and stored there first. The same options give the same model, to the last\n"
        "bit, on the same machine.\n\n"
        "  --data FOLDER   where the examples are (default: build/digits)\n"
        "  --output FILE   where the model goes (default: build/models/digits.safetensors)\n"
        "  --seed N        of the drawings, the first weights and the order (default: 1)\n"
        "  --images N      how many digits to draw, and a sixth as many to be examined with (default: 60000)\n"
        "  --hidden WxD    hidden layers: how wide, and how many (default: 512x2)\n"
        "  --epochs N      how often to go through all examples, at most (default: 6); ends before when good\n"
        "  --batch N       examples of a step (default: 64)\n"
        "  --rate R        size of a step in the first epoch (default: 0.05)\n"
        "  --help          this text\n"
        "\n"
        "By several processes, which share each step:\n"
        "  --devices LIST  a process for each, with commas between: cpu, cuda:CARD; cuda: one for each card\n"
        "                  (default: one process, which does not cut its batches)\n"
        "  --micro N       examples of the pieces that a batch is cut into; on cores the model depends on this, and\n"
        "                  not on how many processes there are (default: an eighth of it, 32 at least; with cards:\n"
        "                  each process's part of it)\n"
        "  --reduce HOW    where gradients are added up: shared, in memory; nccl, on the cards; (default: nccl\n"
        "                  where each process has a card of its own and NCCL is there)\n",
        settings->program);
}

static void misused(const struct train_settings *settings, const char *option, const char *text, const char *wanted) {
    fprintf(stderr, "%s: --%s %s: must be %s; see --help\n", settings->program, option, text, wanted);
    exit(2);
}

static unsigned long whole(const struct train_settings *settings, const char *option, const char *text,
                           unsigned long least, unsigned long most) {
    unsigned long number;
    const char *end = text;
    char wanted[80];
    snprintf(wanted, sizeof wanted, "a whole number from %lu to %lu", least, most);
    if (!whole_read(&end, least, most, &number) || *end != '\0')
        misused(settings, option, text, wanted);
    return number;
}

static void read_hidden(struct train_settings *settings, const char *text) {
    const char *end = text;
    if (!whole_read(&end, 1, WIDTH_MOST, &settings->width) || *end++ != 'x' ||
        !whole_read(&end, 1, MODEL_LAYERS - 1, &settings->depth) || *end != '\0')
        misused(settings, "hidden", text, "as 512x2, a width up to 16384 and a depth up to 15");
}

static void read_rate(struct train_settings *settings, const char *text) {
    char *end;
    settings->rate = strtof(text, &end);
    if (end == text || *end != '\0' || !(settings->rate > 0 && settings->rate <= 10))
        misused(settings, "rate", text, "a number above 0, 10 at most");
}

static void read_reduction(struct train_settings *settings, const char *text) {
    if (strcmp(text, "shared") == 0)
        settings->reduction = REDUCE_SHARED;
    else if (strcmp(text, "nccl") == 0)
        settings->reduction = REDUCE_NCCL;
    else
        misused(settings, "reduce", text, "shared or nccl");
}

/* ---- The devices */

static void add_device(struct train_settings *settings, const char *text) {
    struct failure failure;
    if (trainer_check(text, &failure) != 0) {
        fprintf(stderr, "%s: --devices: %s\n", settings->program, failure.text);
        exit(2);
    }
    if (settings->device_count == TEAM_MEMBERS) {
        fprintf(stderr, "%s: --devices: more than %d; name fewer\n", settings->program, TEAM_MEMBERS);
        exit(2);
    }
    settings->devices[settings->device_count++] = text;
}

static void add_cards(struct train_settings *settings) {
    static struct card_facts cards[CARDS_MOST];
    static char names[CARDS_MOST][28];
    struct failure failure = {""};
    size_t count = cards_list(cards, &failure);
    if (count == 0) {
        fprintf(stderr, "%s: --devices cuda: no card was found: %s\n", settings->program, failure.text);
        exit(2);
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "cuda:%zu", i);
        add_device(settings, names[i]);
    }
}

static void read_devices(struct train_settings *settings, const char *list) {
    free(settings->texts);
    settings->device_count = 0;
    char *rest = settings->texts = strdup(list);
    if (rest == NULL) {
        fprintf(stderr, "%s: not enough memory\n", settings->program);
        exit(1);
    }
    for (const char *device; (device = strsep(&rest, ",")) != NULL;) {
        if (strcmp(device, "cuda") == 0)
            add_cards(settings);
        else
            add_device(settings, device);
    }
}

/* ---- All of it */

enum { DATA = 256, OUTPUT, SEED, IMAGES, HIDDEN, EPOCHS, BATCH, RATE, DEVICES, MICRO, REDUCE, HELP };

static void read_option(struct train_settings *settings, int option, const char *text) {
    switch (option) {
    case DATA:
        settings->data = text;
        break;
    case OUTPUT:
        settings->output = text;
        break;
    case SEED:
        settings->seed = whole(settings, "seed", text, 0, ULONG_MAX);
        break;
    case IMAGES:
        settings->images = whole(settings, "images", text, 1, IMAGES_MOST);
        break;
    case HIDDEN:
        read_hidden(settings, text);
        break;
    case EPOCHS:
        settings->epochs = whole(settings, "epochs", text, 1, TEAM_EPOCHS);
        break;
    case BATCH:
        settings->batch = whole(settings, "batch", text, 1, SUM_MICROS);
        break;
    case RATE:
        read_rate(settings, text);
        break;
    case DEVICES:
        read_devices(settings, text);
        break;
    case MICRO:
        settings->micro = whole(settings, "micro", text, 1, SUM_MICROS);
        break;
    case REDUCE:
        read_reduction(settings, text);
        break;
    default:
        usage(settings, option == HELP ? stdout : stderr);
        exit(option == HELP ? 0 : 2);
    }
}

/* Options that would change nothing are a mistake. */
static void check_together(struct train_settings *settings) {
    if (settings->device_count == 0 && (settings->micro != 0 || settings->reduction != REDUCE_AUTOMATIC)) {
        fprintf(stderr, "%s: --micro and --reduce are for several processes: name their --devices\n",
                settings->program);
        exit(2);
    }
    if (settings->micro > settings->batch)
        settings->micro = settings->batch;
}

void train_settings_read(struct train_settings *settings, int argc, char *argv[]) {
    static const struct option known[] = {
        {"data", required_argument, NULL, DATA},
        {"output", required_argument, NULL, OUTPUT},
        {"seed", required_argument, NULL, SEED},
        {"images", required_argument, NULL, IMAGES},
        {"hidden", required_argument, NULL, HIDDEN},
        {"epochs", required_argument, NULL, EPOCHS},
        {"batch", required_argument, NULL, BATCH},
        {"rate", required_argument, NULL, RATE},
        {"micro", required_argument, NULL, MICRO},
        {"devices", required_argument, NULL, DEVICES},
        {"reduce", required_argument, NULL, REDUCE},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    *settings = (struct train_settings){.program = argv[0],
                                        .data = "build/digits",
                                        .output = "build/models/digits.safetensors",
                                        .seed = 1,
                                        .epochs = 6,
                                        .width = 512,
                                        .depth = 2,
                                        .batch = 64,
                                        .images = 60000,
                                        .rate = 0.05F};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;)
        read_option(settings, option, optarg);
    if (optind < argc) {
        fprintf(stderr, "%s: %s: an argument that it does not take; see --help\n", settings->program, argv[optind]);
        exit(2);
    }
    check_together(settings);
}
