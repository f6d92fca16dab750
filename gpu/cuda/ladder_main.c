/*
 * ladder_main.c: kernels: one dense layer in six ways, each checked, timed, and set against what the card could do.
 *
 * Python:  torch.relu(torch.nn.functional.linear(x, w, b)), which is version 6
 * Expect:  no version is wrong; each of 1 to 4 takes less time than the one before, and 5 less than all in fp32
 * Try:     few rows, as a server has them, and then many: make lab13-kernels ARGS='--rows 1'
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "checked.h"
#include "ladder_table.h"
#include "ladder_trial.h"

static const char USAGE[] = "usage: kernels [OPTION]...\n"
                            "Computes a dense layer on a graphics card in six ways (gpu/cuda/ladder.cu), checks each, "
                            "and times those that are right.\n"
                            "\n"
                            "  --rows N       of the batch (1024)\n"
                            "  --inputs N     of the layer (4096)\n"
                            "  --outputs N    of the layer (4096)\n"
                            "  --version N    only that one, 1 to 6; may be given several times\n"
                            "  --card N       as CUDA counts them (0)\n"
                            "  --repeat N     how often each is timed, in turn with the others; the median counts (21, "
                            "the least there may be)\n"
                            "  --csv FILE     writes the table there, too\n"
                            "  --help         prints this\n"
                            "\n"
                            "Exit status: 0: all are right; 1: one is not, or there is no card; 2: bad usage.\n";

enum { REPEAT_LEAST = 21, REPEAT_MOST = 10000 };

/* ---- the command line */

static void bad_usage(const char *option, const char *value, unsigned least, unsigned most) {
    fprintf(stderr, "kernels: --%s %s: not a whole number from %u to %u; kernels --help lists the options\n", option,
            value, least, most);
    exit(2);
}

static uint32_t whole(const char *option, const char *text, uint32_t least, uint32_t most) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < least || value > most)
        bad_usage(option, text, least, most);
    return (uint32_t)value;
}

static void choose(struct ladder_settings *settings, const char *text) {
    int number = (int)whole("version", text, 1, 6);
    for (size_t i = 0; i < LADDER_VERSIONS; i++)
        settings->chosen[i] = settings->chosen[i] || ladder_versions[i].number == number;
}

static const struct option OPTIONS[] = {
    {"rows", required_argument, NULL, 'r'},
    {"inputs", required_argument, NULL, 'i'},
    {"outputs", required_argument, NULL, 'o'},
    {"version", required_argument, NULL, 'v'},
    {"card", required_argument, NULL, 'c'},
    {"repeat", required_argument, NULL, 'n'},
    {"csv", required_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void take_option(struct ladder_settings *settings, int option, const char *name) {
    switch (option) {
    case 'r':
        settings->rows = whole(name, optarg, 1, LADDER_MOST);
        break;
    case 'i':
        settings->inputs = whole(name, optarg, 1, LADDER_MOST);
        break;
    case 'o':
        settings->outputs = whole(name, optarg, 1, LADDER_MOST);
        break;
    case 'v':
        choose(settings, optarg);
        break;
    case 'c':
        settings->card = whole(name, optarg, 0, CARDS_MOST - 1);
        break;
    case 'n':
        settings->repeat = whole(name, optarg, REPEAT_LEAST, REPEAT_MOST);
        break;
    case 'f':
        settings->csv = optarg;
        break;
    case 'h':
        fputs(USAGE, stdout);
        exit(fflush(stdout) != 0);
    default:
        fprintf(stderr, "kernels --help lists the options\n");
        exit(2);
    }
}

static struct ladder_settings read_settings(int argc, char *argv[]) {
    struct ladder_settings settings = {.rows = 1024, .inputs = 4096, .outputs = 4096, .repeat = REPEAT_LEAST};
    int option, place = 0;
    bool any = false;
    while ((option = getopt_long(argc, argv, "", OPTIONS, &place)) != -1)
        take_option(&settings, option, OPTIONS[place].name);
    if (optind < argc) {
        fprintf(stderr, "kernels: %s: not an option; kernels --help lists the options\n", argv[optind]);
        exit(2);
    }
    for (size_t i = 0; i < LADDER_VERSIONS; i++)
        any = any || settings.chosen[i];
    for (size_t i = 0; i < LADDER_VERSIONS; i++)
        settings.chosen[i] = settings.chosen[i] || !any;
    return settings;
}

/* ---- the card */

static int use_card(struct ladder_card *card, uint32_t number, struct failure *failure) {
    static struct cudaDeviceProp properties; /* large */
    struct failure reason;
    int count = 0, attributes[4], result = CUDA(&reason, cudaGetDeviceCount(&count));
    const enum cudaDeviceAttr wanted[] = {cudaDevAttrComputeCapabilityMajor, cudaDevAttrComputeCapabilityMinor,
                                          cudaDevAttrMultiProcessorCount, cudaDevAttrClockRate};
    if (result != 0)
        return fail(failure, result, "this needs a graphics card of NVIDIA's: %.300s", reason.text);
    if (number >= (uint32_t)count)
        return fail(failure, -ENODEV, "--card %u: there are %d here, counted from 0; nvidia-smi -L lists them", number,
                    count);
    result = CUDA(failure, cudaSetDevice((int)number));
    if (result == 0)
        result = CUDA(failure, cudaGetDeviceProperties(&properties, (int)number));
    for (size_t i = 0; i < 4 && result == 0; i++)
        result = CUDA(failure, cudaDeviceGetAttribute(&attributes[i], wanted[i], (int)number));
    if (result != 0)
        return result;
    *card = (struct ladder_card){.major = attributes[0], .minor = attributes[1]};
    card->multiprocessors = attributes[2];
    card->kilohertz = attributes[3];
    snprintf(card->name, sizeof card->name, "%s", properties.name);
    card->emulated = card_is_emulated(card->name);
    return 0;
}

/* ---- the runs */

static int check_all(struct ladder_table *table, struct ladder_trial *trial, struct failure *failure) {
    int result = 0;
    for (size_t i = 0; i < LADDER_VERSIONS && result == 0; i++) {
        struct ladder_line *line = &table->lines[i];
        if (!table->settings.chosen[i])
            continue;
        result = ladder_trial_check(trial, &ladder_versions[i], &line->error, failure);
        line->right = line->error <= ladder_versions[i].tolerance;
    }
    return result;
}

static int by_size(const void *left, const void *right) {
    double first = *(const double *)left, second = *(const double *)right;
    return (first > second) - (first < second);
}

/* All in turn, and that many times: what else happens on the card happens to all of them. */
static int time_all(struct ladder_table *table, struct ladder_trial *trial, struct failure *failure) {
    const uint32_t repeat = table->settings.repeat;
    int result = 0;
    for (uint32_t j = 0; j < repeat; j++)
        for (size_t i = 0; i < LADDER_VERSIONS && result == 0; i++)
            if (table->lines[i].right)
                result = ladder_trial_time(trial, &ladder_versions[i], &table->lines[i].times[j], failure);
    for (size_t i = 0; i < LADDER_VERSIONS && result == 0; i++) {
        struct ladder_line *line = &table->lines[i];
        if (!line->right)
            continue;
        qsort(line->times, repeat, sizeof *line->times, by_size);
        line->low = line->times[repeat / 4];
        line->median = line->times[repeat / 2];
        line->high = line->times[repeat - 1 - repeat / 4];
    }
    return result;
}

static int run(struct ladder_table *table, struct failure *failure) {
    struct ladder_trial trial;
    double *times = malloc((size_t)table->settings.repeat * LADDER_VERSIONS * sizeof *times);
    int result = times == NULL ? fail(failure, -ENOMEM, "memory is short; take a smaller --repeat") : 0;
    if (result == 0)
        result =
            ladder_trial_open(&trial, table->settings.rows, table->settings.inputs, table->settings.outputs, failure);
    if (result == 0) {
        for (size_t i = 0; i < LADDER_VERSIONS; i++)
            table->lines[i].times = times + i * table->settings.repeat;
        result = check_all(table, &trial, failure);
        if (result == 0 && !table->card.emulated)
            result = time_all(table, &trial, failure);
        ladder_trial_close(&trial);
    }
    free(times);
    return result;
}

int main(int argc, char *argv[]) {
    struct ladder_table table = {.settings = read_settings(argc, argv)};
    struct failure failure;
    bool right = false;
    for (size_t i = 0; i < LADDER_VERSIONS; i++)
        table.lines[i] = (struct ladder_line){.error = NAN, .median = NAN, .low = NAN, .high = NAN};
    int result = use_card(&table.card, table.settings.card, &failure);
    if (result == 0)
        result = run(&table, &failure);
    if (result == 0)
        right = ladder_table_print(&table);
    if (result == 0 && table.settings.csv != NULL)
        result = ladder_table_write(&table, &failure);
    if (result != 0)
        fprintf(stderr, "kernels: %s\n", failure.text);
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        fprintf(stderr, "kernels: stdout cannot be written; is it closed, or the disk full?\n");
        return 1;
    }
    return result == 0 && right ? 0 : 1;
}
