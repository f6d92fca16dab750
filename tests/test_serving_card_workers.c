/* test_serving_card_workers.c: what the server makes of cards, as far as it can be seen without one: their answers to
 * canaries, what they say of themselves, deaths with two batches on a device, and arguments that name cards. */
#include <math.h>

#include "serving_engine.h"
#include "serving_program.h"

SANITIZER_OPTIONS("handle_segv=0", "handle_segv=0")

/* ---- canaries: a sound card of fewer bits passes, and nonsense does not */

enum { BITS_FP32 = 24, BITS_FP16 = 11, BITS_BF16 = 8 };

static const struct {
    const char *device;
    int bits; /* of a number, with the first, which is always 1 */
} CARDS[] = {{"cuda:0", BITS_FP32},
             {"cuda:3:fp32", BITS_FP32},
             {"cuda:0:tf32", BITS_FP16},
             {"cuda:12:fp16:spin", BITS_FP16},
             {"cuda:0:bf16", BITS_BF16}};

static float rounded(float number, int bits) {
    int exponent;
    float part = frexpf(number, &exponent);
    return ldexpf(roundf(ldexpf(part, bits)), exponent - bits);
}

/* The forward pass of a card: what goes into each layer and its weights are rounded, sums are not. */
static void forward_rounded(const struct model *model, const float *input, int bits, float *output) {
    float from[800], to[800];
    memcpy(from, input, model->inputs * sizeof *from);
    for (uint32_t i = 0; i < model->depth; i++) {
        const struct layer *layer = &model->layers[i];
        for (uint32_t row = 0; row < layer->outputs; row++) {
            to[row] = layer->bias[row];
            for (uint32_t column = 0; column < layer->inputs; column++)
                to[row] += rounded(layer->weight[row * layer->inputs + column], bits) * rounded(from[column], bits);
            if (layer->activation == ACTIVATION_RELU)
                to[row] = fmaxf(to[row], 0);
        }
        memcpy(from, to, layer->outputs * sizeof *from);
    }
    float largest = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < model->outputs; i++)
        largest = fmaxf(largest, from[i]);
    for (uint32_t i = 0; i < model->outputs; i++)
        sum += output[i] = expf(from[i] - largest);
    for (uint32_t i = 0; i < model->outputs; i++)
        output[i] /= sum;
}

START_TEST(each_precision_passes_its_canary) {
    static const char *const MODELS[] = {"wide:64x1", "wide:256x3", "wide:700x2:5"};
    for (size_t i = 0; i < sizeof MODELS / sizeof *MODELS; i++) {
        struct model *model;
        struct failure failure;
        float input[784], reference[10], output[10];
        ok(model_open(&model, MODELS[i], folder, &failure));
        for (uint32_t j = 0; j < 784; j++)
            input[j] = (float)(j * 2654435761U >> 8) / (float)(1 << 24);
        ok(model_forward(model, input, 1, reference));
        for (size_t card = 0; card < sizeof CARDS / sizeof *CARDS; card++) {
            forward_rounded(model, input, CARDS[card].bits, output);
            ck_assert_msg(canary_matches(CARDS[card].device, output, reference, 10), "%s on %s", MODELS[i],
                          CARDS[card].device);
        }
        model_free(model);
    }
}
END_TEST

START_TEST(nonsense_passes_in_no_precision) {
    static const float REFERENCES[][5] = {
        {0.2F, 0.2F, 0.21F, 0.19F, 0.2F}, {0, 0, 1, 0, 0}, {1e-4F, 0.3F, 0.4F, 0.2999F, 0}, {40, -3, 0, 7, 12}};
    for (size_t i = 0; i < 4; i++)
        for (size_t card = 0; card < sizeof CARDS / sizeof *CARDS; card++) {
            const char *device = CARDS[card].device;
            const float *reference = REFERENCES[i];
            float zero[5] = {0}, half[5], nan[5], other[5], scaled[5];
            for (uint32_t j = 0; j < 5; j++) {
                half[j] = 0.5F;
                nan[j] = j == 3 ? NAN : reference[j];
                other[j] = reference[(j + 1) % 5];
                scaled[j] = 1.3F * reference[j];
            }
            ck_assert(canary_matches(device, reference, reference, 5));
            ck_assert(!canary_matches(device, zero, reference, 5));
            ck_assert(!canary_matches(device, half, reference, 5));
            ck_assert(!canary_matches(device, nan, reference, 5));
            ck_assert(!canary_matches(device, scaled, reference, 5));
            ck_assert(i == 0 || !canary_matches(device, other, reference, 5));
        }
}
END_TEST

/* ---- what a device says of itself */

START_TEST(a_description_is_heard_and_not_trusted) {
    static const char WORDS[] = "card\n\"1\", \x01\xff\\";
    struct engine *engine = open_with(.mode = ENGINE_PROCESSES);
    struct mailbox *mailbox = mailbox_of(engine, &engine->workers[1]);
    struct worker_view view;
    send_signal(engine, 0, SIGSTOP); /* so that nobody else writes to its mailbox */
    await(is_stopped(pid_of(engine, 0)));
    await(atomic_load(&mailbox->state) == MAILBOX_OPEN);
    memcpy(mailbox->description, WORDS, sizeof WORDS);
    memset(mailbox_of(engine, &engine->workers[0])->description, 'x', REGION_DESCRIPTION);
    atomic_store(&mailbox_of(engine, &engine->workers[0])->state, MAILBOX_OPEN);
    turn(engine);
    engine_worker(engine, 1, &view);
    ck_assert_str_eq(view.description, "card?\"1\", ??\\");
    engine_worker(engine, 0, &view);
    ck_assert_uint_eq(strlen(view.description), REGION_DESCRIPTION - 1);
    send_signal(engine, 0, SIGCONT);
    turn_until(engine, all_ready(engine));
    finish_engine(engine);
}
END_TEST

/* ---- deaths with several batches on the device */

/* A worker that is stopped, with a batch for each of two requests, ends as one does that has begun both. */
static void die_of_both(struct engine *engine) {
    struct worker_record *worker = &engine->workers[0];
    uint64_t before = worker->restarts;
    turn_until(engine, worker->in_flight == 2);
    await(is_stopped(pid_of(engine, 0)));
    for (uint64_t i = worker->collected; i < worker->posted; i++)
        atomic_store(&mailbox_of(engine, worker)->orders[i % REGION_ORDERS].started, now_ns());
    send_signal(engine, 0, SIGTERM);
    send_signal(engine, 0, SIGCONT);
    turn_until(engine, worker->restarts > before);
}

static struct engine *one_worker(const char *inject) {
    static const char *const DEVICES[] = {"cpu"};
    return ready_with(.mode = ENGINE_PROCESSES, .devices = DEVICES, .workers = 1, .in_flight = 2, .batching.most = 1,
                      .inject = inject);
}

static unsigned deaths_of(const struct engine *engine) {
    unsigned sum = 0;
    for (size_t i = 0; i < engine->slots; i++)
        sum += engine->requests[i].deaths_alone;
    return sum;
}

START_TEST(a_death_of_two_batches_is_held_against_none_of_them) {
    struct engine *engine = one_worker(NULL);
    struct question questions[2];
    send_signal(engine, 0, SIGSTOP);
    pose(engine, &questions[0], 1);
    pose(engine, &questions[1], 2);
    die_of_both(engine);
    ck_assert_uint_eq(deaths_of(engine), 0);
    turn_until(engine, engine->workers[0].in_flight == 2 || all_answered(questions, 2));
    for (uint64_t i = engine->workers[0].collected; i < engine->workers[0].posted; i++)
        ck_assert(mailbox_of(engine, &engine->workers[0])->orders[i % REGION_ORDERS].alone);
    turn_until(engine, all_answered(questions, 2));
    require_right(&questions[0], 1);
    require_right(&questions[1], 1);
    finish_engine(engine);
}
END_TEST

START_TEST(a_worker_that_never_tells_whose_fault_it_was_does_not_die_for_ever) {
    struct engine *engine = one_worker("stop=1");
    struct question questions[2];
    pose(engine, &questions[0], 1);
    pose(engine, &questions[1], 1);
    for (unsigned deaths = 1; !all_answered(questions, 2); deaths++) {
        ck_assert_uint_le(deaths, TASK_SHOTS);
        die_of_both(engine);
    }
    require_status(&questions[0], 500);
    require_status(&questions[1], 500);
    turn_until(engine, all_ready(engine));
    finish_engine(engine);
}
END_TEST

/* ---- arguments */

START_TEST(faults_of_cuda_are_read_to_the_letter) {
    static const char *const WRONG[] = {
        "cuda",          "cuda=",         "cuda=700",      "cuda=700@",
        "cuda=700@0",    "cuda=0@1",      "cuda=-700@1",   "cuda=700@1x",
        "cuda=700@1x0",  "cuda=700@1x-1", "cuda=700@1,x2", "cuda=10000@1",
        "cuda=700@1y",   "cuda=700 @1",   "cuda=7e2@1",    "cuda=700@1000000001",
        "garbage=1",     "cuda=@1",       "cuda=700@@1",   "cuda=99999999999999999999@1",
        "cuda=700@1x1x1"};
    struct inject_cuda fault;
    struct failure failure;
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        ck_assert_msg(inject_check(WRONG[i], &failure) == -EINVAL, "%s", WRONG[i]);
        ck_assert_ptr_nonnull(strstr(failure.text, "cuda=ERROR@BATCH[xTIMES]"));
        inject_cuda(WRONG[i], &fault); /* whatever it says, it reads nothing beyond */
    }
    ok(inject_check("garbage,cuda=719@12x3,late=1", &failure));
    ck_assert(inject_cuda("garbage,cuda=719@12x3,late=1", &fault));
    ck_assert_int_eq(fault.error, 719);
    ck_assert_uint_eq(fault.batch, 12);
    ck_assert_uint_eq(fault.times, 3);
    ck_assert(inject_cuda("cuda=700@1000000000", &fault));
    ck_assert_uint_eq(fault.times, UINT32_MAX);
    ck_assert(!inject_cuda("crash=700", &fault));
    ck_assert(!inject_cuda("", &fault));
}
END_TEST

static void require_refused(const char *arguments, const char *words) {
    char output[3000];
    int status =
        run_line(output, sizeof output, "%s --port 0 --folder %s --models tiny %s", serve_path(), folder, arguments);
    ck_assert_msg(status == 2 && strstr(output, words) != NULL, "%s: %d %s", arguments, status, output);
}

START_TEST(arguments_that_are_no_cards_are_refused) {
    require_refused("--devices cuda:", "nothing follows the colon");
    require_refused("--devices cuda:x", "\"x\" is none of fp32, tf32");
    require_refused("--devices cpu,cuda:bf17", "\"bf17\" is none of fp32, tf32");
    require_refused("--devices cudax", "no such device");
    require_refused("--devices cuda:0:", "none of fp32");
    require_refused("--devices cpu --inject cuda=700@3", "no device is a card");
    require_refused("--devices sim:1:1,echo --inject garbage,cuda=700@3x1", "no device is a card");
    require_refused("--devices cpu --inject cuda=700", "cuda=ERROR@BATCH[xTIMES]");
}
END_TEST

SUITE_WITH("serving_card_workers", make_models, remove_folder, each_precision_passes_its_canary,
           nonsense_passes_in_no_precision, a_description_is_heard_and_not_trusted,
           a_death_of_two_batches_is_held_against_none_of_them,
           a_worker_that_never_tells_whose_fault_it_was_does_not_die_for_ever, faults_of_cuda_are_read_to_the_letter,
           arguments_that_are_no_cards_are_refused)
