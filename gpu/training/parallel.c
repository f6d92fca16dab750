/* parallel.c: starts the processes of a training, watches over them, and tells what they have learnt. */
#include "parallel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cards.h"
#include "child.h"

struct parallel {
    const struct parallel_options *options;
    struct team *team;
    int memory, bell;
    size_t told; /* of what is ready */
    struct child children[TEAM_MEMBERS];
    bool ended[TEAM_MEMBERS];
};

static bool is_card(const char *device) {
    return strcmp(device, "cpu") != 0;
}

size_t parallel_micro(const char *const *devices, size_t members, size_t batch) {
    bool cards = false;
    for (size_t i = 0; i < members; i++)
        cards = cards || is_card(devices[i]);
    size_t pieces = cards ? members : PARALLEL_MICROS, part = (batch + pieces - 1) / pieces;
    size_t least = cards ? 1 : PARALLEL_LEAST;
    return part > least ? part : batch < least ? batch : least;
}

/* ---- Whether NCCL may be asked */

/* NCCL is for cards, one for each member; for one alone there is nothing to add. */
static int choose_reduction(struct plan *plan, const char *const *devices, size_t members, struct failure *failure) {
    const char *reason = members == 1 ? "there is one process" : NULL;
    for (size_t i = 0; i < members; i++) {
        if (!is_card(devices[i]))
            reason = "not all devices are cards";
        for (size_t j = 0; j < i; j++)
            if (is_card(devices[i]) && strcmp(devices[i], devices[j]) == 0)
                reason = "several processes have one card";
    }
    if (reason != NULL && plan->reduction == REDUCE_NCCL)
        return fail(failure, -EINVAL, "--reduce nccl: %s; --reduce shared does without", reason);
    if (reason != NULL)
        plan->reduction = REDUCE_SHARED;
    return 0;
}

/* ---- Starting */

static int start_member(struct parallel *parallel, size_t index, struct failure *failure) {
    const char *device = parallel->options->devices[index];
    char number[24], memory[16], bell[16], texts[CARD_VARIABLES][96];
    at_variable variables[CARD_VARIABLES];
    snprintf(number, sizeof number, "%zu", index);
    snprintf(memory, sizeof memory, "%d", parallel->memory);
    snprintf(bell, sizeof bell, "%d", parallel->bell);
    const struct child_program program = {
        .executable = parallel->options->program,
        .command = AT_COMMAND(AT_ARGS("train", "--worker", number, device, memory, bell)),
        .variables = variables,
        .variable_count = cards_bind(device, variables, texts),
        .descriptors = (const int[]){parallel->memory, parallel->bell},
        .descriptor_count = 2,
    };
    return child_start(&parallel->children[index], &program, 0, failure);
}

static int start_all(struct parallel *parallel, const struct network *network, const struct dataset *dataset,
                     const struct plan *plan, struct failure *failure) {
    size_t members = parallel->options->members;
    parallel->memory = team_make(&parallel->team, plan, members, network, dataset, failure);
    if (parallel->memory < 0)
        return parallel->memory;
    parallel->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (parallel->bell < 0)
        return fail(failure, -errno, "starting the processes: %s", at_strerror(-errno));
    for (size_t i = 0; i < members; i++) {
        int result = start_member(parallel, i, failure);
        if (result != 0)
            return result;
    }
    return 0;
}

static void end_all(struct parallel *parallel) {
    for (size_t i = 0; i < parallel->options->members; i++)
        child_kill(&parallel->children[i], "the training is over");
    for (size_t i = 0; i < parallel->options->members; i++)
        child_free(&parallel->children[i]); /* waits for its end */
    if (parallel->memory >= 0)
        close(parallel->memory);
    if (parallel->bell >= 0)
        close(parallel->bell);
    at_shared_free(parallel->team);
}

/* ---- Watching */

/* What has become ready since: the agreement, and epochs. */
static void say_news(struct parallel *parallel) {
    const struct parallel_options *options = parallel->options;
    eventfd_t rings;
    (void)!eventfd_read(parallel->bell, &rings);
    size_t ready = atomic_load_explicit(&parallel->team->ready, memory_order_acquire); /* of a member's tell */
    for (; parallel->told < ready; parallel->told++) {
        if (parallel->told == 0 && options->on_start != NULL)
            options->on_start(options->context, parallel->team);
        else if (parallel->told > 0 && options->on_epoch != NULL)
            options->on_epoch(options->context, parallel->told, &parallel->team->epochs[parallel->told - 1]);
    }
}

static bool is_interrupted(const struct parallel *parallel) {
    return parallel->options->interrupted != NULL && *parallel->options->interrupted != 0;
}

/*
 * Who ended without having learnt is told of: first one that was killed, for when one dies the others may fail since
 * they no longer hear of it.
 */
static int find_dead(struct parallel *parallel, struct failure *failure) {
    const struct parallel_options *options = parallel->options;
    size_t dead = options->members;
    for (size_t i = 0; i < options->members; i++) {
        struct child *child = &parallel->children[i];
        if (!parallel->ended[i])
            parallel->ended[i] = child_has_ended(child, false, 0);
        if (parallel->ended[i] && (child->signal != 0 || child->status != 0) &&
            (dead == options->members || (child->signal != 0 && parallel->children[dead].signal == 0)))
            dead = i;
    }
    if (dead == options->members)
        return 0;
    const struct child *child = &parallel->children[dead];
    const struct failure *said = &parallel->team->reports[dead].failure;
    return fail(failure, AT_EDIED, "process %zu (%.31s): %.260s; the training is over, and no model was written", dead,
                options->devices[dead], child->signal == 0 && said->text[0] != '\0' ? said->text : child->why);
}

/* A signal comes only while this process sleeps: none is missed between a look at the flag and the sleep. */
static void sleep_until_news(struct parallel *parallel, const sigset_t *before) {
    struct pollfd wanted[TEAM_MEMBERS + 1] = {{.fd = parallel->bell, .events = POLLIN}};
    nfds_t count = 1;
    for (size_t i = 0; i < parallel->options->members; i++)
        if (!parallel->ended[i])
            wanted[count++] = (struct pollfd){.fd = child_sentinel(&parallel->children[i]), .events = POLLIN};
    (void)!ppoll(wanted, count, NULL, before); /* EINTR, or too little memory: the caller looks, and comes again */
}

/* Until all have ended by themselves: then they have learnt all that they were to. */
static int watch(struct parallel *parallel, struct failure *failure) {
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &before);
    int result = 0;
    for (bool all_ended = false; result == 0 && !all_ended;) {
        result = find_dead(parallel, failure);
        say_news(parallel);
        if (is_interrupted(parallel))
            result = fail(failure, -EINTR, "interrupted; no model was written");
        all_ended = true;
        for (size_t i = 0; i < parallel->options->members; i++)
            all_ended = all_ended && parallel->ended[i];
        if (result == 0 && !all_ended)
            sleep_until_news(parallel, &before);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}

int parallel_learn(struct network *network, const struct dataset *dataset, const struct parallel_options *options,
                   double *accuracy, struct failure *failure) {
    struct parallel *parallel = calloc(1, sizeof *parallel);
    if (parallel == NULL)
        return fail(failure, -ENOMEM, "not enough memory to train");
    *parallel = (struct parallel){.options = options, .memory = -1, .bell = -1};
    struct plan plan = options->plan;
    if (plan.micro == 0)
        plan.micro = parallel_micro(options->devices, options->members, plan.batch);
    int result = choose_reduction(&plan, options->devices, options->members, failure);
    if (result == 0)
        result = start_all(parallel, network, dataset, &plan, failure);
    if (result == 0)
        result = watch(parallel, failure);
    if (result == 0) {
        struct team *team = parallel->team;
        memcpy(network->numbers, team_floats(team, team->numbers), network->count * sizeof(float));
        *accuracy = team->epochs[parallel->told - 2].accuracy;
    }
    end_all(parallel);
    free(parallel);
    return result;
}
