/* test_cuda_lanes.c: two batches on a card at once, whatever the order in which it works; bells; several workers. */
#include "cuda_card.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "thread.h"

/* ---- two lanes */

static void begin_job(struct device *device, size_t lane, size_t place, const struct job *job) {
    struct failure failure;
    job_clear(job);
    if (device_begin(device, lane, place, job->parts, job->count, &failure) < 0)
        ck_abort_msg("%s", failure.text);
}

static void finish_job(struct device *device, size_t lane, const struct job *job) {
    struct failure failure;
    if (device_finish(device, lane, &failure) < 0)
        ck_abort_msg("%s", failure.text);
    job_check(job, CUDA_TOLERANCE_FP32);
}

static unsigned draw(unsigned below) {
    return (unsigned)((number() + 1) / 2 * (float)below) % below;
}

/* Begins, looks and finishes in a random order, loads; two models, parts in the card's reach and not. */
static void interleave(const char *text, struct area *area, int steps) {
    enum { JOBS = 12, MOST = 9 };
    struct model *models[2] = {model_of((uint32_t[]){20, 33, 7, 0}, false), model_of((uint32_t[]){5, 4, 0}, false)};
    struct job jobs[JOBS];
    const struct job *running[DEVICE_LANES] = {NULL};
    struct device device =
        card_opened(text, (struct device_options){.batch = MOST, .memory = area->memory, .memory_size = area->size});
    area->used = 0;
    load_at(&device, 0, models[0]);
    load_at(&device, 4, models[1]);
    for (size_t i = 0; i < JOBS; i++)
        job_make(&jobs[i], models[i % 2], draw(MOST) + 1, area, (int)draw(4));
    for (int step = 0; step < steps; step++) {
        size_t lane = draw(DEVICE_LANES), next = draw(JOBS);
        if (step % 10 == 9)
            load_at(&device, 7, models[lane]);
        else if (draw(3) == 0)
            require(device_poll(&device, lane, NULL) >= 0);
        else if (running[lane] != NULL) {
            finish_job(&device, lane, running[lane]);
            running[lane] = NULL;
        } else if (running[1 - lane] != &jobs[next]) {
            begin_job(&device, lane, next % 2 * 4, &jobs[next]);
            running[lane] = &jobs[next];
        }
    }
    for (size_t lane = 0; lane < DEVICE_LANES; lane++)
        if (running[lane] != NULL)
            finish_job(&device, lane, running[lane]);
    card_closed(&device);
    for (size_t i = 0; i < JOBS; i++)
        job_free(&jobs[i]);
    discard(models[0]);
    discard(models[1]);
}

static void batches_in_both_lanes(void) {
    struct area area = area_make(1 << 20);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        if (emulated.seed != NULL)
            emulated.seed(seed);
        interleave(seed % 2 == 0 ? "cuda:0" : "cuda:0:spin", &area, 60);
    }
    munmap(area.memory, area.size);
}
ON_EACH_CARD(batches_in_both_lanes)

static void a_lane_takes_one_batch(void) {
    struct model *model = model_of((uint32_t[]){5, 4, 0}, false);
    struct device device = card_opened("cuda:0", (struct device_options){.batch = 4});
    struct job jobs[2];
    struct failure failure;
    load_at(&device, 0, model);
    job_make(&jobs[0], model, 3, NULL, NOWHERE);
    job_make(&jobs[1], model, 4, NULL, NOWHERE);
    ck_assert_uint_eq(device_lanes(&device), 2);
    ck_assert_int_eq(device_poll(&device, 0, &failure), 1);
    ok(device_finish(&device, 0, &failure));
    begin_job(&device, 0, 0, &jobs[0]);
    ck_assert_int_eq(device_begin(&device, 0, 0, jobs[1].parts, jobs[1].count, &failure), -EINVAL);
    ck_assert_str_eq(failure.text, "device \"cuda:0\": lane 0 has a batch that was not finished");
    ck_assert_int_eq(device_infer(&device, 0, jobs[1].parts, jobs[1].count, &failure), -EINVAL);
    ck_assert_int_eq(device_begin(&device, 2, 0, jobs[1].parts, jobs[1].count, &failure), -EINVAL);
    begin_job(&device, 1, 0, &jobs[1]);
    await(device_poll(&device, 1, &failure) == 1);
    finish_job(&device, 1, &jobs[1]);
    finish_job(&device, 0, &jobs[0]);
    job_run(&device, 0, &jobs[1], CUDA_TOLERANCE_FP32);
    card_closed(&device);
    job_free(&jobs[0]);
    job_free(&jobs[1]);
    discard(model);
}
ON_EACH_CARD(a_lane_takes_one_batch)

/* What was begun ends first, and its answers are right, though its model is gone when they are asked for. */
static void models_come_and_go_while_batches_run(void) {
    struct model *models[2] = {model_of((uint32_t[]){20, 33, 7, 0}, false), model_of((uint32_t[]){9, 4, 0}, false)};
    struct device device = card_opened("cuda:0", (struct device_options){.batch = 6});
    struct job jobs[2];
    job_make(&jobs[0], models[0], 5, NULL, NOWHERE);
    job_make(&jobs[1], models[1], 6, NULL, NOWHERE);
    for (int i = 0; i < 3; i++) {
        load_at(&device, 0, models[0]);
        begin_job(&device, 0, 0, &jobs[0]);
        load_at(&device, 1, models[1]);
        begin_job(&device, 1, 1, &jobs[1]);
        if (i == 0)
            load_at(&device, 0, models[1]);
        else
            device_unload(&device, 0);
        device_unload(&device, 1);
        finish_job(&device, 1, &jobs[1]);
        finish_job(&device, 0, &jobs[0]);
    }
    load_at(&device, 0, models[0]);
    begin_job(&device, 1, 0, &jobs[0]);
    card_closed(&device); /* with a batch under way */
    job_free(&jobs[0]);
    job_free(&jobs[1]);
    discard(models[0]);
    discard(models[1]);
}
ON_EACH_CARD(models_come_and_go_while_batches_run)

/* From begin to finish a card must not be told anything that makes it wait. */
START_TEST(a_batch_is_three_calls) {
    use_emulated_card();
    struct model *model = model_of((uint32_t[]){20, 33, 7, 0}, false);
    struct area area = area_make(1 << 16);
    struct device device =
        card_opened("cuda:0", (struct device_options){.batch = 8, .memory = area.memory, .memory_size = area.size});
    struct job jobs[2];
    load_at(&device, 0, model);
    job_make(&jobs[0], model, 8, &area, INPUTS | OUTPUTS);
    job_make(&jobs[1], model, 5, NULL, NOWHERE);
    uint64_t calls = emulated.calls("*"), launches = emulated.calls("cudaGraphLaunch");
    uint64_t records = emulated.calls("cudaEventRecord"), waits = emulated.calls("cudaEventSynchronize");
    for (int i = 0; i < 5; i++) {
        begin_job(&device, 0, 0, &jobs[0]);
        begin_job(&device, 1, 0, &jobs[1]);
        finish_job(&device, 0, &jobs[0]);
        finish_job(&device, 1, &jobs[1]);
    }
    ck_assert_uint_eq(emulated.calls("cudaGraphLaunch") - launches, 10);
    ck_assert_uint_eq(emulated.calls("cudaEventRecord") - records, 10);
    ck_assert_uint_eq(emulated.calls("cudaEventSynchronize") - waits, 10);
    ck_assert_uint_eq(emulated.calls("*") - calls, 30);
    card_closed(&device);
    job_free(&jobs[0]);
    job_free(&jobs[1]);
    munmap(area.memory, area.size);
    discard(model);
}
END_TEST

/* ---- bells */

/* When it rings the batch is over. */
static void a_bell_rings_at_the_end_of_a_batch(void) {
    struct model *model = model_of((uint32_t[]){20, 33, 7, 0}, false);
    int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct device device = card_opened("cuda:0", (struct device_options){.batch = 8, .bell = bell});
    struct pollfd rung = {.fd = bell, .events = POLLIN};
    struct job job;
    struct failure failure;
    eventfd_t count;
    load_at(&device, 0, model);
    job_make(&job, model, 7, NULL, NOWHERE);
    ck_assert_int_eq(poll(&rung, 1, 0), 0); /* not by what ran when it was loaded */
    for (size_t lane = 0; lane < DEVICE_LANES; lane++) {
        begin_job(&device, lane, 0, &job);
        ck_assert_int_eq(poll(&rung, 1, (int)(1000 * BOUND)), 1);
        ck_assert_int_eq(device_poll(&device, lane, &failure), 1);
        finish_job(&device, lane, &job);
        ok(eventfd_read(bell, &count));
        ck_assert_uint_eq(count, 1);
    }
    card_closed(&device);
    job_free(&job);
    discard(model);
    close(bell);
}
ON_EACH_CARD(a_bell_rings_at_the_end_of_a_batch)

/* ---- several workers on one card */

/* The memory stays pinned until the last of them is closed. */
static void devices_share_memory(void) {
    struct model *model = model_of((uint32_t[]){12, 20, 5, 0}, false);
    struct area area = area_make(1 << 16);
    struct device_options options = {.batch = 9, .memory = area.memory, .memory_size = area.size};
    struct device devices[3];
    struct job job;
    job_make(&job, model, 9, &area, INPUTS | OUTPUTS);
    for (size_t i = 0; i < 3; i++) {
        devices[i] = card_opened("cuda:0", options);
        load_at(&devices[i], 0, model);
        ck_assert(strstr(devices[i].description, "; slots pinned") != NULL);
    }
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = i; j < 3; j++)
            job_run(&devices[j], 0, &job, CUDA_TOLERANCE_FP32);
        device_close(&devices[i]);
    }
    ck_assert_uint_eq(card_holds(), 0);
    job_free(&job);
    munmap(area.memory, area.size);
    discard(model);
}
ON_EACH_CARD(devices_share_memory)

struct sharer {
    struct area *area;
    size_t index;
    struct at_thread *thread;
};

static pthread_mutex_t drawing = PTHREAD_MUTEX_INITIALIZER; /* of made_models.h's numbers there is one sequence */

static int share(void *argument) {
    const struct sharer *sharer = argument;
    struct area part = {sharer->area->memory + sharer->index * 100000, 100000, 0};
    struct job job;
    pthread_mutex_lock(&drawing);
    struct model *model = model_of((uint32_t[]){12, 20, 5, 0}, false);
    job_make(&job, model, 9, &part, INPUTS | OUTPUTS);
    pthread_mutex_unlock(&drawing);
    struct device_options options = {.batch = 9, .memory = sharer->area->memory, .memory_size = sharer->area->size};
    for (int i = 0; i < 3; i++) {
        struct device device = card_opened(sharer->index % 2 == 0 ? "cuda:0" : "cuda:0:spin", options);
        require(strstr(device.description, "; slots pinned") != NULL);
        load_at(&device, 0, model);
        for (int j = 0; j < 5; j++) {
            begin_job(&device, 1, 0, &job);
            finish_job(&device, 1, &job);
        }
        device_close(&device);
    }
    job_free(&job);
    discard(model);
    return 0;
}

/* Threads of one process, each with a device of its own, in the same memory. */
static void threads_share_a_card(void) {
    enum { THREADS = 3 };
    struct area area = area_make(1 << 20);
    struct sharer sharers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        sharers[i] = (struct sharer){.area = &area, .index = i};
        sharers[i].thread = at_thread_new(.target = share, .arg = &sharers[i]);
        start(sharers[i].thread);
    }
    for (size_t i = 0; i < THREADS; i++) {
        join(sharers[i].thread);
        at_thread_free(sharers[i].thread);
    }
    ck_assert_uint_eq(card_holds(), 0);
    munmap(area.memory, area.size);
}
ON_EACH_CARD(threads_share_a_card)

/* ---- the card's own clock */

static const enum card_time TIMES[] = {CARD_BATCH, CARD_PRODUCTS, CARD_AT_BEST};

/* Between two batches, which it leaves alone; and it keeps nothing. */
static void times_are_taken_beside_batches(void) {
    struct model *model = model_of((uint32_t[]){20, 33, 7, 0}, false);
    struct device device = card_opened("cuda:0", (struct device_options){.batch = 8}), core = opened("cpu");
    struct job job;
    struct failure failure;
    double ns;
    load_at(&device, 3, model);
    job_make(&job, model, 5, NULL, NOWHERE);
    uint64_t held = card_holds();
    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        ns = -1;
        begin_job(&device, 1, 3, &job);
        ck_assert_msg(cuda_device_time(&device, 3, 5, TIMES[i], 48, &ns, &failure) == 0, "%s", failure.text);
        ck_assert_double_ge(ns, 0);
        finish_job(&device, 1, &job);
        ck_assert_uint_eq(card_holds(), held);
    }
    ck_assert_int_eq(cuda_device_time(&device, 2, 5, CARD_BATCH, 48, &ns, &failure), -EINVAL);
    ck_assert_int_eq(cuda_device_time(&core, 3, 5, CARD_BATCH, 48, &ns, &failure), -ENOTSUP);
    device_close(&core);
    card_closed(&device);
    job_free(&job);
    discard(model);
}
ON_EACH_CARD(times_are_taken_beside_batches)

/* Memory that is short at any of its calls is an error, and the next one is none. */
START_TEST(times_that_fail_leave_nothing) {
    static const char *const CALLS[] = {"cudaEventCreate", "cudaEventRecord", "cudaGraphLaunch",
                                        "cudaMalloc",      "cublasLtMatmul",  "cudaMemcpyAsync"};
    use_emulated_card();
    struct model *model = model_of((uint32_t[]){20, 33, 7, 0}, false);
    struct device device = card_opened("cuda:0", (struct device_options){.batch = 8});
    load_at(&device, 0, model);
    uint64_t held = card_holds();
    size_t failed = 0;
    for (size_t call = 0; call < sizeof CALLS / sizeof *CALLS; call++)
        for (size_t i = 0; i < 2 * sizeof TIMES / sizeof *TIMES; i++) {
            char fault[64];
            struct failure failure;
            double ns;
            snprintf(fault, sizeof fault, "%s:2@%zu", CALLS[call], i % 2 + 1);
            emulated.fault(fault);
            failed += cuda_device_time(&device, 0, 3, TIMES[i / 2], 16, &ns, &failure) == -ENOMEM;
            emulated.fault("");
            ck_assert_uint_eq(card_holds(), held);
            ck_assert_msg(cuda_device_time(&device, 0, 3, TIMES[i / 2], 16, &ns, &failure) == 0, "%s", failure.text);
        }
    ck_assert_uint_ge(failed, 2 * sizeof CALLS / sizeof *CALLS);
    card_closed(&device);
    discard(model);
}
END_TEST

SUITE("cuda_lanes", BOTH(batches_in_both_lanes), BOTH(a_lane_takes_one_batch),
      BOTH(models_come_and_go_while_batches_run), a_batch_is_three_calls, BOTH(a_bell_rings_at_the_end_of_a_batch),
      BOTH(devices_share_memory), BOTH(threads_share_a_card), BOTH(times_are_taken_beside_batches),
      times_that_fail_leave_nothing)
