/* train.c: trains the model that lab 13 serves: draws digits, or takes those that are there, and learns them. */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataset.h"
#include "digits.h"
#include "new_file.h"
#include "training.h"
#include "whole.h"

/* Below LEAST there is no model; above ENOUGH there is no use in going on. The rate falls from epoch to epoch. */
static const double LEAST = 0.97, ENOUGH = 0.985;
static const float MOMENTUM = 0.9F, RATE_FALLS = 0.7F;

enum { WIDTH_MOST = 16384, IMAGES_MOST = 10000000 };

struct options {
    const char *data, *output;
    unsigned long seed, epochs, width, depth, batch, images;
    float rate;
};

static const char *program;
static volatile sig_atomic_t interrupted;

static void interrupt(int number) {
    interrupted = number;
}

/* Nothing is left half-way: what is being written is written or removed. The second one ends the program as usual. */
static void watch_interrupts(void) {
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- The command line */

static void usage(FILE *stream) {
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
        "  --help          this text\n",
        program);
}

static void misused(const char *option, const char *text, const char *wanted) {
    fprintf(stderr, "%s: --%s %s: must be %s; see --help\n", program, option, text, wanted);
    exit(2);
}

static unsigned long whole(const char *option, const char *text, unsigned long least, unsigned long most) {
    unsigned long number;
    const char *end = text;
    char wanted[80];
    snprintf(wanted, sizeof wanted, "a whole number from %lu to %lu", least, most);
    if (!whole_read(&end, least, most, &number) || *end != '\0')
        misused(option, text, wanted);
    return number;
}

static void read_hidden(struct options *options, const char *text) {
    const char *end = text;
    if (!whole_read(&end, 1, WIDTH_MOST, &options->width) || *end++ != 'x' ||
        !whole_read(&end, 1, MODEL_LAYERS - 1, &options->depth) || *end != '\0')
        misused("hidden", text, "as 512x2, a width up to 16384 and a depth up to 15");
}

static float read_rate(const char *text) {
    char *end;
    float rate = strtof(text, &end);
    if (end == text || *end != '\0' || !(rate > 0 && rate <= 10))
        misused("rate", text, "a number above 0, 10 at most");
    return rate;
}

static struct options read_options(int argc, char *argv[]) {
    enum { DATA = 256, OUTPUT, SEED, IMAGES, HIDDEN, EPOCHS, BATCH, RATE, HELP };
    static const struct option known[] = {
        {"data", required_argument, NULL, DATA},     {"output", required_argument, NULL, OUTPUT},
        {"seed", required_argument, NULL, SEED},     {"images", required_argument, NULL, IMAGES},
        {"hidden", required_argument, NULL, HIDDEN}, {"epochs", required_argument, NULL, EPOCHS},
        {"batch", required_argument, NULL, BATCH},   {"rate", required_argument, NULL, RATE},
        {"help", no_argument, NULL, HELP},           {0},
    };
    struct options options = {.data = "build/digits",
                              .output = "build/models/digits.safetensors",
                              .seed = 1,
                              .epochs = 6,
                              .width = 512,
                              .depth = 2,
                              .batch = 64,
                              .images = 60000,
                              .rate = 0.05F};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == DATA)
            options.data = optarg;
        else if (option == OUTPUT)
            options.output = optarg;
        else if (option == SEED)
            options.seed = whole("seed", optarg, 0, ULONG_MAX);
        else if (option == IMAGES)
            options.images = whole("images", optarg, 1, IMAGES_MOST);
        else if (option == HIDDEN)
            read_hidden(&options, optarg);
        else if (option == EPOCHS)
            options.epochs = whole("epochs", optarg, 1, 1000);
        else if (option == BATCH)
            options.batch = whole("batch", optarg, 1, 65536);
        else if (option == RATE)
            options.rate = read_rate(optarg);
        else {
            usage(option == HELP ? stdout : stderr);
            exit(option == HELP ? 0 : 2);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: %s: an argument that it does not take; see --help\n", program, argv[optind]);
        exit(2);
    }
    return options;
}

/* ---- The work */

/* The examples in the folder; those that it did not have are drawn. */
static int get_dataset(const struct options *options, struct dataset *dataset, struct failure *failure) {
    int result = dataset_read(dataset, options->data, failure);
    if (result == -ENOENT) {
        printf("drawing %lu digits into %s\n", options->images, options->data);
        result = dataset_draw(options->data, options->seed, options->images, &interrupted, failure);
        if (result == 0)
            result = dataset_read(dataset, options->data, failure);
    }
    if (result == 0)
        printf("%zu digits to learn from, %zu held out\n", dataset->train.count, dataset->held_out.count);
    return result;
}

static int new_network(const struct options *options, const struct examples *examples, struct network **network,
                       struct failure *failure) {
    uint32_t sizes[MODEL_LAYERS + 1] = {examples->rows * examples->columns};
    for (size_t i = 1; i <= options->depth; i++)
        sizes[i] = (uint32_t)options->width;
    sizes[options->depth + 1] = DIGIT_LABELS;
    return network_new(network, sizes, options->depth + 2, options->seed, failure);
}

/* Stores the part of the held-out digits that the network reads rightly in the end. */
static int learn(const struct options *options, struct network *network, const struct dataset *dataset,
                 double *accuracy, struct failure *failure) {
    struct training *training =
        training_new(network, &dataset->train,
                     &(struct training_options){
                         .batch = options->batch, .momentum = MOMENTUM, .seed = options->seed, .stop = &interrupted});
    if (training == NULL)
        return fail(failure, -ENOMEM, "not enough memory to train");
    float rate = options->rate;
    *accuracy = 0;
    for (size_t epoch = 0; epoch < options->epochs && *accuracy < ENOUGH && interrupted == 0; epoch++) {
        double begin = at_now(), loss;
        if (training_epoch(training, epoch, rate, &loss) != 0)
            break;
        *accuracy = training_accuracy(training, &dataset->held_out);
        printf("epoch %zu: loss %.4f, %.2f%% of those held out, %.1f s\n", epoch + 1, loss, *accuracy * 100,
               at_now() - begin);
        rate *= RATE_FALLS;
    }
    training_free(training);
    if (interrupted != 0)
        return fail(failure, -EINTR, "interrupted; no model was written");
    if (!(*accuracy >= LEAST))
        return fail(failure, -EINVAL,
                    "%.2f%% of the digits held out are read rightly, and %.0f%% are needed; no model was "
                    "written: try more --epochs, another --rate or more --images",
                    *accuracy * 100, LEAST * 100);
    return 0;
}

/* What was written is read, as the server will, and has to be what was learnt. */
static int check_written(const struct network *network, const char *path, struct failure *failure) {
    char source[PATH_MAX + 2];
    struct model *model;
    snprintf(source, sizeof source, "%s%s", strchr(path, '/') != NULL ? "" : "./", path);
    int result = model_open(&model, source, "", failure);
    if (result != 0)
        return result;
    bool same = model->depth == network->model.depth;
    for (size_t i = 0; same && i < model->depth; i++) {
        const struct layer *read = &model->layers[i], *learnt = &network->model.layers[i];
        size_t outputs = learnt->outputs, weights = outputs * learnt->inputs;
        same = read->inputs == learnt->inputs && read->outputs == learnt->outputs &&
               memcmp(read->weight, learnt->weight, weights * sizeof(float)) == 0 &&
               memcmp(read->bias, learnt->bias, outputs * sizeof(float)) == 0;
    }
    printf("%s: hash %016llx\n", path, (unsigned long long)model->hash);
    model_free(model);
    return same ? 0 : fail(failure, -EIO, "%s: reads otherwise than it was written; is the disk sound?", path);
}

static int save(const struct options *options, const struct network *network, double accuracy,
                struct failure *failure) {
    char seed[24], right[24];
    snprintf(seed, sizeof seed, "%lu", options->seed);
    snprintf(right, sizeof right, "%.4f", accuracy);
    const struct metadatum metadata[] = {{"input", "input"},  {"output", "output"}, {"activation", "softmax"},
                                         {"accuracy", right}, {"seed", seed},       {"task", "digits"}};
    int result = make_folders_of(options->output, failure);
    if (result == 0)
        result = network_save(network, options->output, metadata, sizeof metadata / sizeof metadata[0], failure);
    return result == 0 ? check_written(network, options->output, failure) : result;
}

/* Whether the model can be written, asked before half a minute of work and not after it. */
static int check_output(const char *path, struct failure *failure) {
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    /* Folders that are not there are made when there is something to put into them. */
    do {
        const char *parent = dirname(folder); /* it may lie within, or be a constant */
        memmove(folder, parent, strlen(parent) + 1);
    } while (access(folder, F_OK) != 0 && errno == ENOENT);
    if (access(folder, W_OK) == 0)
        return 0;
    return fail(failure, -errno, "%s: %s cannot be written to: %s; choose another --output", path, folder,
                at_strerror(-errno));
}

int main(int argc, char *argv[]) {
    program = argv[0];
    struct options options = read_options(argc, argv);
    struct failure failure = {""};
    struct dataset dataset = {0};
    struct network *network = NULL;
    double begin = at_now(), accuracy = 0;
    setlinebuf(stdout);
    watch_interrupts();
    int result = check_output(options.output, &failure);
    if (result == 0)
        result = get_dataset(&options, &dataset, &failure);
    if (result == 0)
        result = new_network(&options, &dataset.train, &network, &failure);
    if (result == 0)
        result = learn(&options, network, &dataset, &accuracy, &failure);
    if (result == 0)
        result = save(&options, network, accuracy, &failure);
    if (result == 0)
        printf("%.2f%% of the %zu held-out digits are read rightly, after %.1f s\n", accuracy * 100,
               dataset.held_out.count, at_now() - begin);
    else
        fprintf(stderr, "%s: %s\n", program, failure.text);
    network_free(network);
    dataset_free(&dataset);
    return interrupted != 0 && result != 0 ? 128 + interrupted : result != 0;
}
