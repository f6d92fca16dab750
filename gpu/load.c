/* load.c: the load generator: asks a server for inference, and measures what its answers take and whether they are
 * right. */
#include <errno.h>
#include <signal.h>

#include "load_settings.h"
#include "report.h"

enum { QUESTIONS = 64 };

static atomic_bool interrupted;

static void interrupt(int signal) {
    (void)signal;
    atomic_store_explicit(&interrupted, true, memory_order_relaxed); /* read by the run, which takes nothing else */
}

static void print_json(json_t *json) {
    json_dumpf(json, stdout, JSON_SORT_KEYS);
    putchar('\n');
    json_decref(json);
}

static int write_series(const char *path, const struct load_result *result, struct failure *failure) {
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return fail(failure, -errno, "%s: %s; choose another file", path, at_strerror(-errno));
    report_series(file, result);
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad)
        return fail(failure, -EIO, "%s: cannot be written; is the disk full?", path);
    return 0;
}

/* 0: all was right; 1: something was not; negative: the run could not be. */
static int verdict(const struct load_result *result) {
    const struct tally *tally = &result->tally;
    return tally_failed(tally) + tally->duplicated + tally->stray > 0 || tally->outcomes[OUTCOME_RIGHT] == 0;
}

static int run_once(const struct load_settings *settings, struct failure *failure) {
    static struct load_result result; /* too large for a stack */
    int code = load_run(&result, &settings->load, failure);
    if (code != 0)
        return code;
    if (settings->json)
        print_json(report_json(&settings->load, &result));
    else
        report_print(stdout, &settings->load, &result);
    code = settings->series != NULL ? write_series(settings->series, &result, failure) : 0;
    if (code == 0)
        code = verdict(&result);
    load_result_free(&result);
    return code;
}

static void tell_trial(void *file, const struct load_trial *trial) {
    report_trial(file, trial);
}

static int find_rate(struct load_settings *settings, struct failure *failure) {
    static struct load_search search;
    settings->load.context = settings->json ? stderr : stdout;
    int code = load_find_rate(&search, &settings->load, tell_trial, failure);
    if (code != 0 && code != -EINTR)
        return code;
    if (settings->json)
        print_json(report_search_json(&settings->load, &search));
    else
        report_search(stdout, &settings->load, &search);
    if (code == 0 && search.rate > 0 && settings->series != NULL)
        code = write_series(settings->series, &search.result, failure);
    if (code == 0)
        code = search.rate == 0;
    load_search_free(&search);
    return code;
}

static int load(struct load_settings *settings, struct target *target, struct questions *questions,
                struct failure *failure) {
    FILE *series = settings->series != NULL ? fopen(settings->series, "a") : NULL;
    if (settings->series != NULL && series == NULL)
        return fail(failure, -errno, "--series %s: %s; choose another file", settings->series, at_strerror(-errno));
    if (series != NULL)
        fclose(series); /* it was only to be seen, before the run, that it can be written */
    int code = target_describe(target, settings->model, 10, failure);
    if (code == 0)
        code = questions_make(questions, target, QUESTIONS, settings->rows, settings->load.seed, failure);
    if (code == 0 && settings->load.verify)
        code = questions_answer(questions, settings->source, settings->models, failure);
    if (code != 0)
        return code;
    return settings->find_rate ? find_rate(settings, failure) : run_once(settings, failure);
}

int main(int argc, char *argv[]) {
    struct load_settings settings = load_settings_read(argc, argv);
    struct target target;
    struct questions questions = {0};
    struct failure failure = {{0}};
    if (target_parse(&target, settings.url, &failure) != 0) {
        fprintf(stderr, "load: %s\n", failure.text);
        return 2;
    }
    /* The second Ctrl-C ends the program at once. */
    sigaction(SIGINT, &(struct sigaction){.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND}, NULL);
    settings.load.stop = &interrupted;
    settings.load.target = &target;
    settings.load.questions = &questions;
    int code = load(&settings, &target, &questions, &failure);
    if (code < 0)
        fprintf(stderr, "load: %s\n", failure.text);
    questions_free(&questions);
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        fprintf(stderr, "load: stdout cannot be written; is it closed, or the disk full?\n");
        return 1;
    }
    return code == 0 ? 0 : 1;
}
