/* ladder.c: the same requests, served in one way after another; see ladder.h. */
#include "ladder.h"

#include <ctype.h>
#include <string.h>

#include "own_server.h"

enum { QUESTIONS = 16, SEED = 13, CLIENTS = 32, WORKERS = 64 };

/* Nothing else is read by it. */
static bool is_stopped(const struct ladder *ladder) {
    return atomic_load_explicit(ladder->stop, memory_order_relaxed);
}

bool all_were_right(const struct load_result *result, const char *name) {
    const struct tally *tally = &result->tally;
    if (tally_failed(tally) + tally->duplicated + tally->stray == 0 || result->interrupted)
        return true;
    fprintf(stderr, "%s: of %llu requests not answered rightly:", name, (unsigned long long)tally_requests(tally));
    for (size_t i = 0; i < OUTCOMES; i++)
        if (i != OUTCOME_RIGHT && tally->outcomes[i] > 0)
            fprintf(stderr, " %s %llu,", outcome_names[i], (unsigned long long)tally->outcomes[i]);
    fprintf(stderr, " answered twice %llu\n", (unsigned long long)tally->duplicated);
    return false;
}

static const struct way {
    const char *name, *mode, *batch;
    bool one; /* device only */
} WAYS[] = {
    {"one behind another (serial)", "serial", "1", true},
    {"a server for each device (processes)", "processes", "1", false},
    {"one queue for all (shared-queue)", "shared-queue", "1", false},
    {"... and batches of those that wait", "shared-queue", "64", false},
};

struct shares {
    uint64_t of[WORKERS];
};

static void count_worker(void *context, const struct load_answer *answer) {
    struct shares *shares = context;
    if (answer->answer != NULL && answer->answer->worker < WORKERS)
        shares->of[answer->answer->worker]++;
}

/* The answers say how many rows ran with theirs; so a batch of b was said b times. */
static double rows_of_a_batch(const struct tally *tally) {
    double rows = 0, batches = 0;
    for (size_t i = 1; i < TALLY_BATCHES; i++) {
        rows += (double)tally->batches[i];
        batches += (double)tally->batches[i] / (double)i;
    }
    return batches > 0 ? rows / batches : 0;
}

static void print_way(const struct way *way, const struct load_result *result, const struct shares *shares) {
    const struct histogram *latency = &result->tally.latency;
    printf("%-37s %7.2f %10.0f %8.1f %8.1f %8.1f ", way->name, result->seconds, result->achieved,
           (double)histogram_quantile(latency, 0.5) * 1e-6, (double)histogram_quantile(latency, 0.99) * 1e-6,
           rows_of_a_batch(&result->tally));
    for (size_t i = 0; i < WORKERS; i++)
        if (shares->of[i] > 0)
            printf(" %llu", (unsigned long long)shares->of[i]);
    putchar('\n');
}

/* Returns as ladder_climb. */
static int load(const struct ladder *ladder, const struct target *target, struct questions *questions,
                const struct way *way, struct failure *failure) {
    static struct load_result result; /* too large for a stack */
    struct shares shares = {{0}};
    struct load_options options = {.scenario = LOAD_CLOSED,
                                   .target = target,
                                   .questions = questions,
                                   .connections = CLIENTS,
                                   .requests = ladder->requests,
                                   .patience = 60,
                                   .verify = true,
                                   .tolerance = ladder->tolerance,
                                   .stop = ladder->stop,
                                   .answered = count_worker,
                                   .context = &shares};
    int code = 0;
    if (questions->count == 0 && (code = questions_make(questions, target, QUESTIONS, 1, SEED, failure)) == 0)
        code = questions_answer(questions, ladder->model, "build/models", failure);
    if (code == 0)
        code = load_run(&result, &options, failure);
    if (code != 0)
        return code;
    bool right = all_were_right(&result, way->name);
    if (!result.interrupted)
        print_way(way, &result, &shares);
    load_result_free(&result);
    return right ? 0 : 1;
}

/* The first of the list; of "cuda" and "cuda:bf16", which are all cards, the first card. */
static void first_device(const char *list, char *device, size_t size) {
    static const char CARDS[] = "cuda";
    size_t length = strcspn(list, ","), name = sizeof CARDS - 1;
    bool cards = length >= name && strncmp(list, CARDS, name) == 0 && (length == name || list[name] == ':');
    if (cards && (length == name || !isdigit((unsigned char)list[name + 1])))
        snprintf(device, size, "%s:0%.*s", CARDS, (int)(length - name), list + name);
    else
        snprintf(device, size, "%.*s", (int)length, list);
}

/* Returns as ladder_climb. */
static int try_way(const struct ladder *ladder, const struct way *way, struct questions *questions,
                   struct failure *failure) {
    char first[64];
    const char *options[10] = {"--mode", way->mode, "--batch", way->batch, "--models", ladder->model};
    if (ladder->devices != NULL) {
        first_device(ladder->devices, first, sizeof first);
        options[6] = "--devices";
        options[7] = way->one ? first : ladder->devices;
    }
    struct own_server server;
    int result = own_server_start(&server, NULL, options, ladder->model, ladder->stop, failure);
    if (result != 0)
        return result;
    result = load(ladder, &server.target, questions, way, failure);
    int returncode = own_server_stop(&server);
    if (result < 0 || returncode == 0 || is_stopped(ladder))
        return result;
    fprintf(stderr, "%s: its server ended with %d\n", way->name, returncode);
    return 1;
}

int ladder_climb(const struct ladder *ladder, struct failure *failure) {
    struct questions questions = {0};
    int broken = 0, result = 0;
    printf("%-37s %7s %10s %8s %8s %8s  %s\n", "", "seconds", "requests/s", "p50 ms", "p99 ms", "rows of",
           "answers of");
    printf("%-37s %7s %10s %8s %8s %8s  %s\n", "", "", "", "", "", "a batch", "each worker");
    for (size_t i = 0; result >= 0 && !is_stopped(ladder) && i < sizeof WAYS / sizeof *WAYS; i++) {
        result = try_way(ladder, &WAYS[i], &questions, failure);
        broken = broken || result > 0;
    }
    questions_free(&questions);
    return result < 0 ? result : broken;
}
