/* serving_engine.h: what the suites about the engine share: one opened in a line, its loop, requests, answers. */
#ifndef ATELIER_TESTS_SERVING_ENGINE_H
#define ATELIER_TESTS_SERVING_ENGINE_H

#include <poll.h>

#include "engine_internal.h"
#include "serving.h"

/* A suite is its own worker: the engine executes it again, with --worker, before main and its tests begin. */
__attribute__((constructor)) static void become_worker(int argc, char *argv[]) {
    if (argc > 1 && strcmp(argv[1], "--worker") == 0)
        exit(worker_main(argc, argv));
}

/* Opens one; what the options leave out: two cpu devices, model tiny of the test's folder, 16 slots, batches of 8. */
static inline struct engine *open_engine(struct engine_options options) {
    static const char *const DEVICES[] = {"cpu", "cpu"}, *const MODELS[] = {"tiny"};
    if (options.devices == NULL) {
        options.devices = DEVICES;
        options.workers = options.mode == ENGINE_INLINE ? 1 : 2;
    }
    if (options.models == NULL) {
        options.models = MODELS;
        options.model_count = 1;
    }
    options.folder = folder;
    options.program = "/proc/self/exe";
    options.slots = options.slots > 0 ? options.slots : 16;
    options.in_flight = options.in_flight > 0 ? options.in_flight : 1;
    options.batching.most = options.batching.most > 0 ? options.batching.most : 8;
    struct engine *engine;
    struct failure failure;
    if (engine_open(&engine, &options, &failure) != 0)
        ck_abort_msg("%s", failure.text);
    return engine;
}

#define open_with(...) open_engine((struct engine_options){__VA_ARGS__})

/* One round of the loop, as the front does it: sleeps until the engine says that there is something to do. */
static inline void turn(struct engine *engine) {
    uint64_t moment = engine_next(engine), now = now_ns(), most = (uint64_t)BOUND * 1000000000;
    uint64_t wait = moment <= now ? 0 : moment - now < most ? moment - now : most;
    struct pollfd source = {.fd = engine_descriptor(engine), .events = POLLIN};
    struct timespec timeout = {.tv_sec = (time_t)(wait / 1000000000), .tv_nsec = (long)(wait % 1000000000)};
    require(ppoll(&source, 1, &timeout, NULL) >= 0 || errno == EINTR);
    while (engine_turn(engine))
        continue;
}

/* Turns until the condition holds. An engine that forgets to wake up, or to name the moment, fails the test. */
#define turn_until(engine, condition)                                                                                  \
    do {                                                                                                               \
        double end_of_turns = at_now() + BOUND;                                                                        \
        while (!(condition)) {                                                                                         \
            require(at_now() < end_of_turns && #condition);                                                            \
            turn(engine);                                                                                              \
        }                                                                                                              \
    } while (0)

/* All is ready: each worker, and each model that was named. */
static inline bool all_ready(const struct engine *engine) {
    const struct model_view *model;
    for (size_t i = 0; i < engine->worker_count; i++)
        if (engine->workers[i].state != WORKER_READY)
            return false;
    for (size_t i = 0; (model = engine_model(engine, i)) != NULL; i++)
        if (model->state != MODEL_READY)
            return false;
    return true;
}

#define ready_with(...) make_ready(open_with(__VA_ARGS__))

static inline struct engine *make_ready(struct engine *engine) {
    turn_until(engine, all_ready(engine));
    return engine;
}

/* ---- requests */

struct question {
    struct engine *engine;
    struct task *task; /* NULL once it is over */
    float value;
    unsigned answers;
    int status; /* 200, or the problem's */
    char text[300];
    float output[TINY_OUTPUTS];
    struct infer_service service;
};

static inline void hear_answer(struct task *task, const struct problem *problem) {
    struct question *question = task->context;
    require(question->task == task);
    question->answers++;
    require(question->answers == 1);
    question->task = NULL;
    question->status = problem->status == 0 ? 200 : problem->status;
    question->service = task->service;
    if (problem->status == 0)
        memcpy(question->output, task->output, sizeof question->output);
    else
        snprintf(question->text, sizeof question->text, "%s", problem->text);
}

/* Takes a place, and puts the row there. */
static inline void begin(struct engine *engine, struct question *question, const char *model, float value) {
    struct problem problem;
    *question = (struct question){.engine = engine, .value = value};
    question->task = engine_begin(engine, model, NULL, &problem);
    if (question->task == NULL)
        ck_abort_msg("%d: %s", problem.status, problem.text);
    draw_row(value, question->task->input);
    question->task->done = hear_answer;
    question->task->context = question;
    question->task->waiting.rows = 1;
}

static inline void submit(struct question *question) {
    engine_submit(question->engine, question->task);
}

static inline void pose(struct engine *engine, struct question *question, float value) {
    begin(engine, question, "tiny", value);
    submit(question);
}

/* With so many milliseconds left. */
static inline void pose_by(struct engine *engine, struct question *question, float value, unsigned milliseconds) {
    begin(engine, question, "tiny", value);
    question->task->waiting.deadline = now_ns() + (uint64_t)milliseconds * 1000000;
    submit(question);
}

static inline void abandon(struct question *question) {
    engine_abandon(question->engine, question->task);
    question->task = NULL;
}

static inline bool all_answered(const struct question *questions, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (questions[i].answers == 0)
            return false;
    return true;
}

static inline void require_status(const struct question *question, int status) {
    if (question->answers != 1 || question->status != status)
        ck_abort_msg("question %g: %u answers, %d %s", (double)question->value, question->answers, question->status,
                     question->text);
}

static inline void require_right(const struct question *question, float scale) {
    require_status(question, 200);
    if (!is_answer(question->output, question->value, scale))
        ck_abort_msg("question %g: answered with %g, %g, %g", (double)question->value, (double)question->output[0],
                     (double)question->output[1], (double)question->output[2]);
}

/* Poses them all, waits, and looks at the answers. */
static inline void converse(struct engine *engine, struct question *questions, size_t count, float scale) {
    for (size_t i = 0; i < count; i++)
        pose(engine, &questions[i], (float)i);
    turn_until(engine, all_answered(questions, count));
    for (size_t i = 0; i < count; i++)
        require_right(&questions[i], scale);
}

/* ---- the end */

static inline size_t free_slots(const struct engine *engine) {
    size_t count = 0;
    for (const struct request *request = engine->free; request != NULL; request = request->next_free) {
        require(request->state == SLOT_FREE);
        count++;
    }
    return count;
}

/* Nobody is left, no place is lost, and what was counted adds up. */
static inline void require_whole(struct engine *engine) {
    turn_until(engine, engine_idle(engine));
    ck_assert_uint_eq(engine_tasks(engine), 0);
    ck_assert_uint_eq(free_slots(engine), engine_slots(engine));
    ck_assert_uint_eq(batching_requests(engine->batching), 0);
    ck_assert_uint_eq(batching_rows(engine->batching), 0);
    for (size_t i = 0; i < engine->model_count; i++)
        ck_assert_uint_eq(engine->models[i].tasks, 0);
}

static inline void finish_engine(struct engine *engine) {
    require_whole(engine);
    engine_close(engine);
}

/* A few turns after the last event, nothing is left to be done: the loop sleeps, and nobody wakes it. */
static inline void require_asleep(struct engine *engine) {
    struct pollfd source = {.fd = engine_descriptor(engine), .events = POLLIN};
    for (int turns = 0;; turns++) {
        require(turns < 20);
        (void)engine_turn(engine);
        if (engine_next(engine) > now_ns() + 500000000 && poll(&source, 1, 20) == 0)
            return;
    }
}

/* ---- workers */

static inline int pid_of(const struct engine *engine, size_t worker) {
    struct worker_view view;
    engine_worker(engine, worker, &view);
    return view.pid;
}

static inline void send_signal(const struct engine *engine, size_t worker, int number) {
    require(pid_of(engine, worker) > 0 && kill(pid_of(engine, worker), number) == 0);
}

/* Whether its process is stopped. */
static inline bool is_stopped(int pid) {
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 0;
    if (file != NULL)
        fclose(file);
    return state == 'T';
}

static inline uint64_t restarts(const struct engine *engine) {
    uint64_t sum = 0;
    for (size_t i = 0; i < engine->worker_count; i++)
        sum += engine->workers[i].restarts;
    return sum;
}

#endif
