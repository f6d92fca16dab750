/* test_cuda_training.c: a card that learns: its gradients, and what may fail; with others: test_cuda_parallel.c. */
#include "training.h"

#include "cuda_card.h"

/* How far a gradient may lie from gradient.c's, as a part of its greatest number. */
static const double RELATIVE = 1e-4;

/* ---- gradients */

struct lesson {
    struct network *network;
    struct tape *tape;
    size_t rows;
    float *input, *gradient, *expected;
    uint8_t labels[256];
};

static struct lesson lesson_make(const uint32_t *sizes, size_t rows, uint64_t seed) {
    struct lesson lesson = {.rows = rows};
    size_t count = 0;
    while (sizes[count] != 0)
        count++;
    made_seed = seed;
    ok(network_new(&lesson.network, sizes, count, seed, NULL));
    for (size_t i = 0; i < lesson.network->count; i++) /* biases, too, which begin at 0 */
        lesson.network->numbers[i] += 0.1F * number();
    lesson.tape = tape_new(&lesson.network->model, rows);
    lesson.input = numbers(rows * sizes[0], 1);
    lesson.gradient = numbers(lesson.network->count, 1);
    lesson.expected = numbers(lesson.network->count, 1);
    for (size_t i = 0; i < rows; i++)
        lesson.labels[i] = (uint8_t)((i * 7 + seed) % sizes[count - 1]);
    return lesson;
}

static void lesson_free(struct lesson *lesson) {
    network_free(lesson->network);
    tape_free(lesson->tape);
    free(lesson->input);
    free(lesson->gradient);
    free(lesson->expected);
}

static struct trainer trainer_opened(const struct lesson *lesson) {
    struct trainer trainer;
    struct failure failure;
    if (trainer_open(&trainer, "cuda:0", &lesson->network->model, lesson->rows, &failure) != 0)
        ck_abort_msg("%s", failure.text);
    return trainer;
}

static int compute(struct trainer *trainer, struct lesson *lesson, size_t rows, double *loss, struct failure *failure) {
    return trainer->kind->gradient(trainer, lesson->input, lesson->labels, rows, lesson->gradient, loss, failure);
}

static void require_gradient(struct trainer *trainer, struct lesson *lesson, size_t rows) {
    double loss, most = 0;
    struct failure failure;
    size_t count = lesson->network->count;
    memset(lesson->gradient, 0xff, count * sizeof(float));
    if (compute(trainer, lesson, rows, &loss, &failure) != 0)
        ck_abort_msg("%s", failure.text);
    double expected =
        gradient_of(&lesson->network->model, lesson->input, lesson->labels, rows, lesson->tape, lesson->expected);
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)lesson->expected[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)lesson->gradient[i] - (double)lesson->expected[i]) <= RELATIVE * most))
            ck_abort_msg("%zu rows, number %zu is %.9g instead of %.9g", rows, i, (double)lesson->gradient[i],
                         (double)lesson->expected[i]);
    ck_assert_double_eq_tol(loss, expected, RELATIVE * (1 + fabs(expected)));
}

/* What a row was that is not there this time does not show, be it no number at all. */
static void require_nothing_stays(struct trainer *trainer, struct lesson *lesson) {
    double loss;
    struct failure failure;
    float *last = lesson->input + lesson->network->model.inputs * lesson->rows - 1, before = *last;
    *last = NAN;
    ok(compute(trainer, lesson, lesson->rows, &loss, &failure));
    *last = before;
    require_gradient(trainer, lesson, 1);
}

/* All rows that it was opened for, some, one; and numbers that have changed in between. */
static void gradients(void) {
    static const uint32_t shapes[][6] = {{1, 1}, {3, 2}, {17, 33, 5}, {64, 31, 32, 10}, {7, 130, 1, 9, 4}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct lesson lesson = lesson_make(shapes[i], i == 0 ? 1 : 5 + 6 * i, i + 1);
        struct trainer trainer = trainer_opened(&lesson);
        ck_assert_str_eq(trainer.name, "cuda:0");
        ck_assert_str_ne(trainer.description, "");
        require_gradient(&trainer, &lesson, lesson.rows);
        require_gradient(&trainer, &lesson, (lesson.rows + 1) / 2);
        require_nothing_stays(&trainer, &lesson);
        for (size_t j = 0; j < lesson.network->count; j++)
            lesson.network->numbers[j] *= -0.5F;
        require_gradient(&trainer, &lesson, lesson.rows);
        trainer_close(&trainer);
        ck_assert_uint_eq(card_holds(), 0);
        lesson_free(&lesson);
    }
}
ON_EACH_CARD(gradients)

/* Nothing in it depends on the order in which the threads and the streams' work run. */
START_TEST(a_gradient_has_the_same_bits_in_every_order) {
    use_emulated_card();
    struct lesson lesson = lesson_make((uint32_t[]){20, 40, 10, 0}, 33, 3);
    struct trainer trainer = trainer_opened(&lesson);
    float first[20 * 40 + 40 + 40 * 10 + 10];
    double loss, first_loss;
    struct failure failure;
    ok(compute(&trainer, &lesson, 33, &first_loss, &failure));
    memcpy(first, lesson.gradient, sizeof first);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        emulated.seed(seed);
        ok(compute(&trainer, &lesson, 33, &loss, &failure));
        ck_assert(memcmp(first, lesson.gradient, sizeof first) == 0);
        ck_assert_double_eq(loss, first_loss);
    }
    trainer_close(&trainer);
    lesson_free(&lesson);
}
END_TEST

/* ---- failures */

/* Opens, computes and closes, with that call failing. */
static int try_with(struct lesson *lesson, const char *fault, struct failure *failure) {
    struct trainer trainer;
    double loss;
    emulated.fault(fault);
    int result = trainer_open(&trainer, "cuda:0", &lesson->network->model, lesson->rows, failure);
    if (result == 0)
        result = compute(&trainer, lesson, lesson->rows, &loss, failure);
    trainer_close(&trainer);
    emulated.fault("");
    return result;
}

static void fail_each_call(int error, int code) {
    struct lesson lesson = lesson_make((uint32_t[]){6, 5, 3, 0}, 4, 2);
    struct failure failure;
    int failed = 0, passed = 0;
    use_emulated_card();
    for (int n = 1; passed < 20; n++) { /* calls that give something back fail, and nothing comes of it */
        char fault[40];
        snprintf(fault, sizeof fault, "*:%d@%d", error, n);
        failure.text[0] = '\0';
        int result = try_with(&lesson, fault, &failure);
        passed = result == 0 ? passed + 1 : 0;
        failed += result != 0;
        if (result != 0)
            ck_assert_msg((result == code || result == -EIO) && strchr(failure.text, ':') != NULL, "%s: %d: %s", fault,
                          result, failure.text);
        if (error == 700)
            emulated.mend();
        else if (result != 0)
            ck_assert_msg(card_holds() == 0, "%s: %s", fault, failure.text);
    }
    ck_assert_int_gt(failed, 60);
    ok(try_with(&lesson, "", &failure));
    lesson_free(&lesson);
}

START_TEST(memory_that_is_short_for_each_call) {
    fail_each_call(2, -ENOMEM);
}
END_TEST

START_TEST(a_card_that_breaks_at_each_call) {
    fail_each_call(700, -EIO);
}
END_TEST

SUITE("cuda_training", BOTH(gradients), a_gradient_has_the_same_bits_in_every_order, memory_that_is_short_for_each_call,
      a_card_that_breaks_at_each_call)
