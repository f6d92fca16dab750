/* train.c: trains the model that lab 13 serves: draws digits, or takes those that are there, and learns them. */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "dataset.h"
#include "digits.h"
#include "new_file.h"
#include "standard_streams.h"
#include "training.h"
#include "training/member.h"
#include "training/parallel.h"
#include "training/settings.h"

/* Below LEAST there is no model; above ENOUGH there is no use in going on. The rate falls from epoch to epoch. */
static const double LEAST = 0.97, ENOUGH = 0.985;
static const float MOMENTUM = 0.9F, RATE_FALLS = 0.7F;

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

/* ---- The work */

/* The examples in the folder; those that it did not have are drawn. */
static int get_dataset(const struct train_settings *settings, struct dataset *dataset, struct failure *failure) {
    int result = dataset_read(dataset, settings->data, failure);
    if (result == -ENOENT) {
        printf("drawing %lu digits into %s\n", settings->images, settings->data);
        result = dataset_draw(settings->data, settings->seed, settings->images, &interrupted, failure);
        if (result == 0)
            result = dataset_read(dataset, settings->data, failure);
    }
    if (result == 0)
        printf("%zu digits to learn from, %zu held out\n", dataset->train.count, dataset->held_out.count);
    return result;
}

static int new_network(const struct train_settings *settings, const struct examples *examples, struct network **network,
                       struct failure *failure) {
    uint32_t sizes[MODEL_LAYERS + 1] = {examples->rows * examples->columns};
    for (size_t i = 1; i <= settings->depth; i++)
        sizes[i] = (uint32_t)settings->width;
    sizes[settings->depth + 1] = DIGIT_LABELS;
    return network_new(network, sizes, settings->depth + 2, settings->seed, failure);
}

static void say_epoch(void *context, size_t number, const struct epoch *epoch) {
    (void)context;
    printf("epoch %zu: loss %.4f, %.2f%% of those held out, %.1f s\n", number, epoch->loss, epoch->accuracy * 100,
           epoch->seconds);
}

/* In this process alone. Stores the part of the held-out digits that the network reads rightly in the end. */
static int learn_alone(const struct train_settings *settings, struct network *network, const struct dataset *dataset,
                       double *accuracy, struct failure *failure) {
    struct training *training =
        training_new(network, &dataset->train,
                     &(struct training_options){
                         .batch = settings->batch, .momentum = MOMENTUM, .seed = settings->seed, .stop = &interrupted});
    if (training == NULL)
        return fail(failure, -ENOMEM, "not enough memory to train");
    float rate = settings->rate;
    *accuracy = 0;
    for (size_t number = 0; number < settings->epochs && *accuracy < ENOUGH && interrupted == 0; number++) {
        double begin = at_now(), loss;
        if (training_epoch(training, number, rate, &loss) != 0)
            break;
        *accuracy = training_accuracy(training, &dataset->held_out);
        say_epoch(NULL, number + 1, &(struct epoch){loss, *accuracy, at_now() - begin});
        rate *= RATE_FALLS;
    }
    training_free(training);
    return interrupted == 0 ? 0 : fail(failure, -EINTR, "interrupted; no model was written");
}

/* Who takes part, and where the gradients meet. */
static void say_start(void *context, const struct team *team) {
    const struct train_settings *settings = context;
    for (size_t i = 0; i < team->members; i++)
        if (team->reports[i].description[0] != '\0')
            printf("process %zu: %s, %s\n", i, settings->devices[i], team->reports[i].description);
    printf("%zu process%s, gradients of %zu examples at a time, added up ", team->members,
           team->members == 1 ? "" : "es", team->plan.micro);
    if (team->reduction == REDUCE_NCCL)
        printf("on the cards by NCCL\n");
    else
        printf("in shared memory%s%s\n", team->reason.text[0] != '\0' ? ": " : "", team->reason.text);
}

static int learn_together(const struct train_settings *settings, struct network *network, const struct dataset *dataset,
                          double *accuracy, struct failure *failure) {
    const struct parallel_options options = {
        .program = "/proc/self/exe", /* also when the file has been replaced since */
        .devices = settings->devices,
        .members = settings->device_count,
        .plan = {.batch = settings->batch,
                 .micro = settings->micro,
                 .rate = settings->rate,
                 .falls = RATE_FALLS,
                 .momentum = MOMENTUM,
                 .seed = settings->seed,
                 .epochs = settings->epochs,
                 .enough = ENOUGH,
                 .reduction = settings->reduction},
        .interrupted = &interrupted,
        .on_start = say_start,
        .on_epoch = say_epoch,
        .context = (void *)(uintptr_t)settings,
    };
    return parallel_learn(network, dataset, &options, accuracy, failure);
}

static int learn(const struct train_settings *settings, struct network *network, const struct dataset *dataset,
                 double *accuracy, struct failure *failure) {
    int result = settings->device_count == 0 ? learn_alone(settings, network, dataset, accuracy, failure)
                                             : learn_together(settings, network, dataset, accuracy, failure);
    if (result != 0)
        return result;
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

static int save(const struct train_settings *settings, const struct network *network, double accuracy,
                struct failure *failure) {
    char seed[24], right[24];
    snprintf(seed, sizeof seed, "%lu", settings->seed);
    snprintf(right, sizeof right, "%.4f", accuracy);
    const struct metadatum metadata[] = {{"input", "input"},  {"output", "output"}, {"activation", "softmax"},
                                         {"accuracy", right}, {"seed", seed},       {"task", "digits"}};
    int result = make_folders_of(settings->output, failure);
    if (result == 0)
        result = network_save(network, settings->output, metadata, sizeof metadata / sizeof metadata[0], failure);
    return result == 0 ? check_written(network, settings->output, failure) : result;
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
    open_standard_streams();
    if (argc > 1 && strcmp(argv[1], "--worker") == 0) {
        prctl(PR_SET_NAME, "train"); /* it was started as "exe" */
        return member_main(argc, argv);
    }
    struct train_settings settings;
    train_settings_read(&settings, argc, argv);
    struct failure failure = {""};
    struct dataset dataset = {0};
    struct network *network = NULL;
    double begin = at_now(), accuracy = 0;
    setlinebuf(stdout);
    watch_interrupts();
    int result = check_output(settings.output, &failure);
    if (result == 0)
        result = get_dataset(&settings, &dataset, &failure);
    if (result == 0)
        result = new_network(&settings, &dataset.train, &network, &failure);
    if (result == 0)
        result = learn(&settings, network, &dataset, &accuracy, &failure);
    if (result == 0)
        result = save(&settings, network, accuracy, &failure);
    if (result == 0)
        printf("%.2f%% of the %zu held-out digits are read rightly, after %.1f s\n", accuracy * 100,
               dataset.held_out.count, at_now() - begin);
    else
        fprintf(stderr, "%s: %s\n", settings.program, failure.text);
    network_free(network);
    dataset_free(&dataset);
    free(settings.texts);
    return interrupted != 0 && result != 0 ? 128 + interrupted : result != 0;
}
