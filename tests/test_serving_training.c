/* test_serving_training.c: a network that learns: its gradient, its steps, and the program that trains it. */
#include <math.h>

#include "training.h"

#include "training_program.h"

/* The mean loss of some rows in double, from numbers that lie as a network's do. */
static double loss_of(const struct network *network, const double *numbers, const float *input, uint8_t label) {
    double values[2][8] = {{0}};
    size_t depth = network->model.depth, outputs = network->model.outputs, from = 0;
    for (size_t i = 0; i < network->model.inputs; i++)
        values[0][i] = (double)input[i];
    for (size_t i = 0; i < depth; i++, from = !from) {
        const struct layer *layer = &network->model.layers[i];
        const double *bias = numbers + layer->outputs * layer->inputs;
        for (size_t j = 0; j < layer->outputs; j++) {
            double sum = bias[j];
            for (size_t k = 0; k < layer->inputs; k++)
                sum += numbers[j * layer->inputs + k] * values[from][k];
            values[!from][j] = i + 1 < depth && sum < 0 ? 0 : sum;
        }
        numbers = bias + layer->outputs;
    }
    double sum = 0;
    for (size_t i = 0; i < outputs; i++)
        sum += exp(values[from][i]);
    return log(sum) - values[from][label];
}

START_TEST(the_gradient_is_that_of_finite_differences) {
    enum { ROWS = 3, INPUTS = 4 };
    static const float input[ROWS * INPUTS] = {0.1F, 0.9F, -0.4F, 1, 0, 0.5F, 0.7F, -1, 1, -0.2F, 0.3F, 0.6F};
    static const uint8_t labels[ROWS] = {2, 0, 1};
    static const double STEP = 1e-6;
    struct network *network;
    ok(network_new(&network, (uint32_t[]){INPUTS, 6, 5, 3}, 4, 3, NULL));
    ck_assert_uint_eq(network->count, 6 * 5 + 5 * 7 + 3 * 6);
    double numbers[200], loss = 0;
    float gradient[200];
    for (size_t i = 0; i < network->count; i++) /* biases, too, which begin at 0 */
        numbers[i] = (double)(network->numbers[i] += 0.01F * (float)(i % 7));
    struct tape *tape = tape_new(&network->model, ROWS);
    double given = gradient_of(&network->model, input, labels, ROWS, tape, gradient);
    for (size_t row = 0; row < ROWS; row++)
        loss += loss_of(network, numbers, input + row * INPUTS, labels[row]);
    ck_assert_double_eq_tol(given, loss, 1e-5);
    double most = 0;
    for (size_t i = 0; i < network->count; i++) {
        double slope = 0, number = numbers[i];
        for (size_t row = 0; row < ROWS; row++) {
            numbers[i] = number + STEP;
            slope += loss_of(network, numbers, input + row * INPUTS, labels[row]);
            numbers[i] = number - STEP;
            slope -= loss_of(network, numbers, input + row * INPUTS, labels[row]);
        }
        numbers[i] = number;
        ck_assert_double_eq_tol((double)gradient[i], slope / (2 * STEP), 1e-5);
        most = fmax(most, fabs(slope / (2 * STEP)));
    }
    ck_assert_double_gt(most, 0.1);
    tape_free(tape);
    network_free(network);
}
END_TEST

/* Some epochs over the examples; returns the model's hash, as it is in its file, and the accuracy on those held out. */
static uint64_t learn(uint64_t seed, const struct dataset *dataset, double *accuracy) {
    struct network *network;
    struct model *model;
    double loss = 0, before;
    ok(network_new(&network, (uint32_t[]){DIGIT_PIXELS, 48, DIGIT_LABELS}, 3, seed, NULL));
    struct training *training =
        training_new(network, &dataset->train, &(struct training_options){.batch = 20, .momentum = 0.9F, .seed = seed});
    ok(training_epoch(training, 0, 0.05F, &before));
    for (size_t epoch = 1; epoch < 8; epoch++)
        ok(training_epoch(training, epoch, 0.05F, &loss));
    ck_assert_double_lt(loss, before);
    *accuracy = training_accuracy(training, &dataset->held_out);
    training_free(training);
    ok(network_save(network, in_folder("learnt.safetensors"), NULL, 0, NULL));
    network_free(network);
    ok(model_open(&model, "learnt", folder, NULL));
    uint64_t hash = model->hash;
    model_free(model);
    return hash;
}

START_TEST(a_small_network_learns_and_twice_the_same) {
    struct dataset dataset = drawn(2000);
    double accuracy, again;
    uint64_t hash = learn(1, &dataset, &accuracy);
    ck_assert_double_gt(accuracy, 0.8);
    ck_assert_uint_eq(learn(1, &dataset, &again), hash);
    ck_assert_double_eq(again, accuracy);
    ck_assert_uint_ne(learn(2, &dataset, &again), hash);
    dataset_free(&dataset);
}
END_TEST

START_TEST(networks_of_no_size_are_refused) {
    struct network *network;
    struct failure failure = {""};
    static const uint32_t sizes[MODEL_LAYERS + 2] = {4, 0, 3};
    ck_assert_int_eq(network_new(&network, sizes, 3, 1, &failure), -EINVAL);
    ck_assert_str_eq(failure.text, "a network with a size of 0; it must be 1 to 16777216");
    ck_assert_int_eq(network_new(&network, sizes, 1, 1, &failure), -EINVAL);
    ck_assert_int_eq(network_new(&network, sizes, MODEL_LAYERS + 2, 1, &failure), -EINVAL);
    ck_assert_str_eq(failure.text, "a network of 18 sizes; it needs 2 to 17");
}
END_TEST

START_TEST(training_is_stopped_by_a_flag) {
    struct dataset dataset = drawn(10);
    volatile sig_atomic_t stop = 1;
    struct network *network;
    double loss;
    ok(network_new(&network, (uint32_t[]){DIGIT_PIXELS, DIGIT_LABELS}, 2, 1, NULL));
    struct training *training =
        training_new(network, &dataset.train, &(struct training_options){.batch = 4, .stop = &stop});
    ck_assert_int_eq(training_epoch(training, 0, 0.1F, &loss), -EINTR);
    stop = 0;
    ok(training_epoch(training, 0, 0.1F, &loss));
    training_free(training);
    network_free(network);
    dataset_free(&dataset);
}
END_TEST

/* ---- The program */

START_TEST(train_refuses_what_it_does_not_know) {
    assert_train("--help", 0, "usage: ");
    assert_train("--seed x", 2, "--seed x: must be a whole number from 0");
    assert_train("--images 0", 2, "--images 0: must be a whole number from 1");
    assert_train("--hidden 512", 2, "--hidden 512: must be as 512x2");
    assert_train("--hidden 8x16", 2, "--hidden 8x16: must be as 512x2");
    assert_train("--rate nan", 2, "--rate nan: must be a number above 0");
    assert_train("--batch -3", 2, "--batch -3: must be a whole number");
    assert_train("more", 2, "more: an argument that it does not take");
    assert_train("--what", 2, "usage: ");
    ck_assert_int_eq(count_entries(folder), 0);
}
END_TEST

START_TEST(train_writes_no_model_that_is_not_good) {
    assert_train("--images 60 --hidden 8x1 --epochs 1", 1, "and 97% are needed; no model was written");
    ck_assert_int_eq(count_entries(folder), 1); /* the digits */
    ck_assert_int_eq(count_entries(in_folder("digits")), 4);
    assert_train("--hidden 8x1 --epochs 1", 1, "60 digits to learn from, 10 held out");
}
END_TEST

START_TEST(train_learns_from_the_files_that_are_there) {
    struct model *model;
    float input[16] = {[3] = 1}, output[10];
    write_easy_files(false);
    assert_train("--hidden 20x1 --epochs 100 --batch 10", 0, "% of the 200 held-out digits are read rightly");
    ok(model_open(&model, "digits", in_folder("m"), NULL));
    ck_assert_uint_eq(model->inputs, 16);
    ok(model_forward(model, input, 1, output));
    ck_assert_float_gt(output[3], 0.5F);
    model_free(model);
}
END_TEST

START_TEST(an_interrupt_leaves_no_model) {
    int returncode;
    at_popen *train;
    write_easy_files(true);
    ok(at_popen_new(&train,
                    AT_ARGS(train_path(), "--data", in_folder("digits"), "--output", in_folder("model"), "--hidden",
                            "512x2", "--batch", "1", "--epochs", "1000"),
                    .stdout = AT_PIPE, .stderr = AT_DEVNULL));
    await_words(at_popen_stdout(train), "epoch 1: ");
    ok(at_popen_send_signal(train, SIGINT));
    ok(at_popen_wait(train, BOUND, &returncode));
    ck_assert_int_eq(returncode, 128 + SIGINT);
    at_popen_free(train);
    ck_assert_int_eq(count_entries(folder), 1);
}
END_TEST

SUITE_WITH("training", make_folder, remove_folder, the_gradient_is_that_of_finite_differences,
           a_small_network_learns_and_twice_the_same, networks_of_no_size_are_refused, training_is_stopped_by_a_flag,
           train_refuses_what_it_does_not_know, train_writes_no_model_that_is_not_good,
           train_learns_from_the_files_that_are_there, an_interrupt_leaves_no_model)
