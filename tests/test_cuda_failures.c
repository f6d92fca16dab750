/* test_cuda_failures.c: each call of NVIDIA's made to fail in turn: what is said, what goes on, what is given back. */
#include "cuda_card.h"

#include <sys/eventfd.h>

/* ---- each call in turn */

/* What the device calls, and what a sentence about its failure has to name; NULL: nobody has to be told of it. */
static const struct call {
    const char *name, *said;
} CALLS[] = {
    {"cudaGetDeviceCount", "cudaGetDeviceCount(&count)"},
    {"cudaInitDevice", "cudaInitDevice(number, flags, cudaInitDeviceFlagsAreValid)"},
    {"cudaSetDevice", "cudaSetDevice(number)"},
    {"cudaGetDeviceProperties", "cudaGetDeviceProperties(&facts, card->number)"},
    {"cudaStreamCreateWithFlags", "cudaStreamCreateWithFlags("},
    {"cudaEventCreateWithFlags", "cudaEventCreateWithFlags("},
    {"cudaHostRegister", "cudaHostRegister"},
    {"cudaHostGetDevicePointer", "cudaHostGetDevicePointer"},
    {"cudaHostAlloc", "cudaHostAlloc("},
    {"cudaMalloc", "cudaMalloc("},
    {"cudaMemcpyAsync", "cudaMemcpyAsync("},
    {"cudaLaunchKernel", "launch_"},
    {"cudaStreamBeginCapture", "cudaStreamBeginCapture("},
    {"cudaStreamEndCapture", "cudaStreamEndCapture("},
    {"cudaGraphInstantiate", "cudaGraphInstantiate("},
    {"cudaGraphUpload", "cudaGraphUpload("},
    {"cudaGraphLaunch", "cudaGraphLaunch("},
    {"cudaEventRecord", "cudaEventRecord("},
    {"cudaStreamWaitEvent", "cudaStreamWaitEvent("},
    {"cudaLaunchHostFunc", "cudaLaunchHostFunc("},
    {"cudaEventSynchronize", "cudaEventSynchronize("},
    {"cudaStreamSynchronize", "cudaStreamSynchronize("},
    {"cublasLtCreate", "cublasLtCreate("},
    {"cublasLtMatmulDescCreate", "cublasLtMatmulDescCreate("},
    {"cublasLtMatmulDescSetAttribute", "cublasLtMatmulDescSetAttribute("},
    {"cublasLtMatrixLayoutCreate", "cublasLtMatrixLayoutCreate("},
    {"cublasLtMatmulPreferenceCreate", "cublasLtMatmulPreferenceCreate("},
    {"cublasLtMatmulPreferenceSetAttribute", "cublasLtMatmulPreferenceSetAttribute("},
    {"cublasLtMatmulAlgoGetHeuristic", "cublasLtMatmulAlgoGetHeuristic("},
    {"cublasLtMatmul", "cublasLtMatmul("},
    {"cudaFree", NULL},
    {"cudaFreeHost", NULL},
    {"cudaHostUnregister", NULL},
    {"cudaStreamDestroy", NULL},
    {"cudaEventDestroy", NULL},
    {"cudaGraphDestroy", NULL},
    {"cudaGraphExecDestroy", NULL},
    {"cublasLtDestroy", NULL},
    {"cublasLtMatmulDescDestroy", NULL},
    {"cublasLtMatrixLayoutDestroy", NULL},
    {"cublasLtMatmulPreferenceDestroy", NULL},
};
enum { CALL_COUNT = sizeof CALLS / sizeof *CALLS };

/* A device; two models, one after the other at the same place; batches of each: all that is done with one. */
struct story {
    const struct call *call; /* the one that fails, once, with that error; NULL: none */
    int error;
    struct model *models[2];
    struct job jobs[2];
    struct area area;
    int bell;
    bool told; /* of the call that failed, by its name; later failures follow from it */
};

static bool lasts(const struct story *story) {
    return story->error != cudaErrorMemoryAllocation;
}

/* Says on what device, where, which call and why. */
static void explained(struct story *story, const struct failure *failure) {
    if (story->call == NULL || (story->told && !lasts(story))) /* what does not last is over by then */
        ck_abort_msg("%s", failure->text);
    bool good = strstr(failure->text, "device \"cuda:0\": gpu/cuda/") != NULL && strstr(failure->text, ".c:") != NULL;
    if (!story->told && story->call->said != NULL && strstr(failure->text, ": cublasLt") == NULL) /* calls CUDA, too */
        good = good && strstr(failure->text, story->call->said) != NULL;
    story->told = true;
    const char *reason = lasts(story)                                   ? " (700), "
                         : strncmp(story->call->name, "cublas", 6) == 0 ? "CUBLAS_STATUS_ALLOC_FAILED (3), "
                                                                        : "cudaErrorMemoryAllocation (2), ";
    if (!good || strstr(failure->text, reason) == NULL)
        ck_abort_msg("%s: %s", story->call->name, failure->text);
}

/* Memory was short this time, and is not the next time; an error that lasts is there again. */
static void run_job(struct story *story, struct device *device, size_t index) {
    struct failure failure;
    const struct job *job = &story->jobs[index];
    job_clear(job);
    int result = device_infer(device, 0, job->parts, job->count, &failure);
    if (result != 0) {
        explained(story, &failure);
        require(result == (lasts(story) ? -EIO : -EAGAIN));
        result = device_infer(device, 0, job->parts, job->count, &failure);
        require((result != 0) == lasts(story));
    }
    if (result == 0)
        job_check(job, CUDA_TOLERANCE_FP32);
}

/* The old model stays, and answers as before. */
static void load_model(struct story *story, struct device *device, size_t index) {
    struct failure failure;
    int result = device_load(device, 0, story->models[index], &failure);
    if (result == 0)
        return;
    explained(story, &failure);
    require(result == (lasts(story) ? -EIO : -ENOMEM));
    if (index > 0)
        run_job(story, device, index - 1);
    result = device_load(device, 0, story->models[index], &failure);
    require((result != 0) == lasts(story));
}

static void live(struct story *story) {
    struct device_options options = {.deterministic = true,
                                     .batch = 4,
                                     .memory = story->area.memory,
                                     .memory_size = story->area.size,
                                     .bell = story->bell};
    struct device device;
    struct failure failure;
    int result = device_open(&device, "cuda:0", &options, &failure);
    if (result != 0) {
        explained(story, &failure);
        require(card_holds() == 0);
        result = device_open(&device, "cuda:0", &options, &failure);
        require((result != 0) == lasts(story));
    }
    for (size_t i = 0; i < 2 && result == 0; i++) {
        load_model(story, &device, i);
        if (lasts(story) && story->told)
            break;
        run_job(story, &device, i);
    }
    if (result == 0)
        device_close(&device);
    require(card_holds() == 0);
}

static struct story story_make(int error) {
    struct story story = {.error = error, .area = area_make(1 << 16), .bell = eventfd(0, EFD_CLOEXEC)};
    story.models[0] = model_of((uint32_t[]){5, 6, 3, 0}, false);
    story.models[1] = model_of((uint32_t[]){7, 2, 0}, false);
    job_make(&story.jobs[0], story.models[0], 4, &story.area, INPUTS | OUTPUTS);
    job_make(&story.jobs[1], story.models[1], 3, NULL, NOWHERE);
    return story;
}

static void story_free(struct story *story) {
    for (size_t i = 0; i < 2; i++) {
        job_free(&story->jobs[i]);
        discard(story->models[i]);
    }
    munmap(story->area.memory, story->area.size);
    close(story->bell);
}

/* Returns whether there is an Nth call. */
static bool live_with_failure(struct story *story, const struct call *call, unsigned number) {
    char fault[64];
    uint64_t before = emulated.calls(call->name);
    story->call = call;
    story->told = false;
    snprintf(fault, sizeof fault, "%s:%d@%u", call->name, story->error, number);
    emulated.fault(fault);
    live(story);
    emulated.fault("");
    emulated.mend();
    return emulated.calls(call->name) - before >= number;
}

/* Every time that one of these is called: from the first until none fails any more. */
static void every_call(int error, size_t first, size_t end) {
    use_emulated_card();
    struct story story = story_make(error);
    for (size_t i = first; i < end; i++)
        for (unsigned number = 1; live_with_failure(&story, &CALLS[i], number); number++)
            ck_assert_uint_lt(number, 200);
    story_free(&story);
}

enum { PART = CALL_COUNT / 2 };

START_TEST(memory_that_is_short_for_each_call) {
    every_call(cudaErrorMemoryAllocation, 0, PART);
}
END_TEST

START_TEST(memory_that_is_short_for_each_other_call) {
    every_call(cudaErrorMemoryAllocation, PART, CALL_COUNT);
}
END_TEST

START_TEST(a_card_that_breaks_at_each_call) {
    every_call(cudaErrorIllegalAddress, 0, PART);
}
END_TEST

START_TEST(a_card_that_breaks_at_each_other_call) {
    every_call(cudaErrorIllegalAddress, PART, CALL_COUNT);
}
END_TEST

/* Without a failure; and there is no call that the table above does not name. */
START_TEST(all_calls_are_named) {
    use_emulated_card();
    struct story story = story_make(0);
    live(&story);
    uint64_t named = emulated.calls("cudaGetLastError") + emulated.calls("pageable copies"); /* which is no call */
    for (size_t i = 0; i < CALL_COUNT; i++) {
        ck_assert_msg(emulated.calls(CALLS[i].name) > 0, "%s is not called", CALLS[i].name);
        named += emulated.calls(CALLS[i].name);
    }
    ck_assert_uint_eq(named, emulated.calls("*"));
    story_free(&story);
}
END_TEST

/* ---- one at a time */

/*
 * A batch that fails for want of memory leaves its lane free, the other lane's batch as it was, no error behind, and
 * nothing that would still write to its outputs: they are somebody else's by then.
 */
static void batch_fails(struct device *device, const struct story *story, const char *fault) {
    const struct job *good = &story->jobs[1], *bad = &story->jobs[0];
    struct failure failure;
    job_clear(good);
    ok(device_begin(device, 0, 1, good->parts, good->count, &failure));
    emulated.fault(fault);
    ck_assert_int_eq(device_begin(device, 1, 0, bad->parts, bad->count, &failure), -EAGAIN);
    ck_assert_msg(strstr(failure.text, "take smaller batches") != NULL, "%s", failure.text);
    job_clear(bad);
    ck_assert_int_eq(device_poll(device, 1, &failure), 1);
    ok(device_finish(device, 0, &failure));
    job_check(good, CUDA_TOLERANCE_FP32);
    load_at(device, 2, story->models[0]);
    for (uint32_t row = 0; row < bad->rows; row++)
        ck_assert_uint_eq(*(const unsigned char *)job_output(bad, row), 0xee);
    ok(device_begin(device, 1, 0, bad->parts, bad->count, &failure));
    ok(device_finish(device, 1, &failure));
    job_check(bad, CUDA_TOLERANCE_FP32);
}

START_TEST(a_batch_for_which_memory_is_short) {
    static const char *const FAULTS[] = {"cudaGraphLaunch:2@1", "cudaEventRecord:2@1", "cudaStreamWaitEvent:2@1",
                                         "cudaLaunchHostFunc:2@1"};
    use_emulated_card();
    struct story story = story_make(0);
    struct device_options options = {
        .batch = 4, .memory = story.area.memory, .memory_size = story.area.size, .bell = story.bell};
    struct device device = card_opened("cuda:0", options);
    load_at(&device, 0, story.models[0]);
    load_at(&device, 1, story.models[1]);
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++)
        batch_fails(&device, &story, FAULTS[i]);
    card_closed(&device);
    story_free(&story);
}
END_TEST

/* Who spins asks again and again: an answer that is an error ends that, too. */
START_TEST(an_error_ends_the_spinning) {
    use_emulated_card();
    struct story story = story_make(0);
    struct device device = card_opened("cuda:0:spin", (struct device_options){.batch = 4});
    const struct job *job = &story.jobs[0];
    struct failure failure;
    load_at(&device, 0, story.models[0]);
    emulated.fault("cudaEventQuery:2@1");
    ck_assert_int_eq(device_infer(&device, 0, job->parts, job->count, &failure), -EAGAIN);
    job_run(&device, 0, job, CUDA_TOLERANCE_FP32);
    ok(device_begin(&device, 1, 0, job->parts, job->count, &failure));
    emulated.fault("cudaEventQuery:719@1");
    ck_assert_int_eq(device_poll(&device, 1, &failure), 1);
    ck_assert_int_eq(device_finish(&device, 1, &failure), -EIO);
    ck_assert_msg(strstr(failure.text, "cudaErrorLaunchFailure (719)") != NULL, "%s", failure.text);
    card_closed(&device);
    story_free(&story);
}
END_TEST

/* Each of these says what to do. */
START_TEST(what_helps) {
    static const struct {
        const char *fault;
        int code;
        const char *words;
    } CASES[] = {
        {"cudaGetDeviceCount:35@1", -ENODEV, "cudaErrorInsufficientDriver (35), "},
        {"cudaGetDeviceCount:35@1", -ENODEV, "no driver, or one too old"},
        {"cudaGetDeviceCount:100@1", -ENODEV, "what CUDA_VISIBLE_DEVICES leaves"},
        {"cudaGetDeviceCount:3@1", -ENODEV, "a process that was forked cannot use CUDA"},
        {"cudaGetDeviceCount:803@1", -ENODEV, "restart the machine"},
        {"cudaInitDevice:46@1", -ENODEV, "another process has the card alone"},
        {"cudaInitDevice:802@1", -ENODEV, "nvidia-fabricmanager"},
        {"cudaInitDevice:999@1", -EIO, "the kernel's log"},
        {"cudaMalloc:2@1", -ENOMEM, "take smaller batches, fewer models"},
        {"cudaMalloc:1@1", -EIO, "cudaErrorInvalidValue (1), "},
        {"cudaLaunchKernel:209@1", -ENODEV, "build with CUDA_CODE"},
        {"cudaGraphLaunch:214@1", -EIO, "Xid"},
        {"cudaGraphLaunch:719@1", -EIO, "compute-sanitizer"},
        {"cudaStreamSynchronize:702@1", -EIO, "take smaller batches, or another card"},
        {"cublasLtCreate:1@1", -EIO, "CUBLAS_STATUS_NOT_INITIALIZED (1), "},
        {"cublasLtMatmul:8@1", -ENODEV, "CUBLAS_STATUS_ARCH_MISMATCH (8), "},
    };
    use_emulated_card();
    struct model *model = model_of((uint32_t[]){5, 6, 3, 0}, false);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct device device;
        struct failure failure;
        emulated.fault(CASES[i].fault);
        int result = device_open(&device, "cuda:0", &(struct device_options){.batch = 1}, &failure);
        if (result == 0) {
            result = device_load(&device, 0, model, &failure);
            device_close(&device);
        }
        ck_assert_msg(result == CASES[i].code && strstr(failure.text, CASES[i].words) != NULL, "%s: %d, %s",
                      CASES[i].fault, result, failure.text);
        ck_assert_uint_eq(card_holds(), 0);
        emulated.mend();
    }
    discard(model);
}
END_TEST

/* cuBLASLt's "no": CUDA's reason is behind it. */
START_TEST(what_cublaslt_fails_at_is_said) {
    use_emulated_card();
    struct story story = story_make(0);
    struct device device = card_opened("cuda:0", (struct device_options){.batch = 4});
    struct failure failure;
    emulated.fault("cublasLtMatmul:13@1");
    ck_assert_int_eq(device_load(&device, 0, story.models[0], &failure), -EIO);
    ck_assert_msg(strstr(failure.text, "CUBLAS_STATUS_EXECUTION_FAILED (13)") != NULL, "%s", failure.text);
    emulated.fault("cublasLtMatmulAlgoGetHeuristic:15@1");
    ck_assert_int_eq(device_load(&device, 0, story.models[0], &failure), -EIO);
    emulated.fault("");
    load_at(&device, 0, story.models[0]);
    job_run(&device, 0, &story.jobs[0], CUDA_TOLERANCE_FP32);
    card_closed(&device);
    story_free(&story);
}
END_TEST

/* ---- broken on purpose */

static void break_with(int error, const char *name) {
    struct model *model = model_of((uint32_t[]){5, 6, 3, 0}, false);
    struct device device = card_opened("cuda:0", (struct device_options){.batch = 4});
    struct failure failure;
    struct job job;
    load_at(&device, 0, model);
    job_make(&job, model, 4, NULL, NOWHERE);
    ck_assert_int_eq(device_fault(&device, 2, &failure), -ENOTSUP);
    ck_assert_str_eq(failure.text, "device \"cuda:0\": no kernel makes error 2; there are 700, 710 and 719");
    ck_assert_int_eq(device_fault(&device, 100000, &failure), -ENOTSUP);
    job_run(&device, 0, &job, CUDA_TOLERANCE_FP32); /* nothing has happened */
    ok(device_begin(&device, 1, 0, job.parts, job.count, &failure));
    ck_assert_int_eq(device_fault(&device, error, &failure), -EIO);
    ck_assert_msg(strstr(failure.text, name) != NULL, "%s", failure.text);
    ck_assert_int_eq(device_infer(&device, 0, job.parts, job.count, &failure), -EIO);
    ck_assert_int_eq(device_load(&device, 0, model, &failure), -EIO);
    ck_assert_int_eq(device_fault(&device, error, &failure), -EIO);
    ck_assert_msg(strstr(failure.text, name) != NULL, "%s", failure.text);
    card_closed(&device);
    job_free(&job);
    discard(model);
}

static void illegal_address(void) {
    break_with(700, "cudaErrorIllegalAddress (700)");
}
ON_EACH_CARD(illegal_address)

static void failed_assertion(void) {
    break_with(710, "cudaErrorAssert (710)");
}
ON_EACH_CARD(failed_assertion)

static void trap(void) {
    break_with(719, "cudaErrorLaunchFailure (719)");
}
ON_EACH_CARD(trap)

SUITE("cuda_failures", memory_that_is_short_for_each_call, memory_that_is_short_for_each_other_call,
      a_card_that_breaks_at_each_call, a_card_that_breaks_at_each_other_call, all_calls_are_named,
      a_batch_for_which_memory_is_short, an_error_ends_the_spinning, what_helps, what_cublaslt_fails_at_is_said,
      BOTH(illegal_address), BOTH(failed_assertion), BOTH(trap))
