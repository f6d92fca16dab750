/* test_serving_parallel.c: several processes that learn together: the same bits, whoever computes. */
#include <math.h>

#include "training/parallel.h"

#include "training_program.h"

/* ---- sums */

enum { NUMBERS = 5 };

/* The tree as sums.h describes it: `size` micro-batches from `begin`, as far as there are any. */
static float tree(const float *gradients, size_t micros, size_t begin, size_t size, size_t number) {
    size_t half = size / 2;
    if (size == 1)
        return gradients[begin * NUMBERS + number];
    float left = tree(gradients, micros, begin, half, number);
    return begin + half < micros ? left + tree(gradients, micros, begin + half, half, number) : left;
}

/* As so many processes add them up; each has its slots. */
static void add_up(const float *gradients, size_t micros, size_t members, float sum[NUMBERS]) {
    static float slots[8][SUM_SLOTS * NUMBERS];
    struct term terms[8 * SUM_SLOTS];
    size_t count = 0;
    for (size_t member = 0; member < members; member++) {
        struct span own = span_of(micros, member, members);
        struct partial_sums sums;
        struct block blocks[SUM_SLOTS];
        sum_begin(&sums, own);
        for (size_t micro = own.begin; micro < own.end; micro++) {
            require(sums.used < sum_slots((micros + members - 1) / members));
            memcpy(slots[member] + sums.used * NUMBERS, gradients + micro * NUMBERS, NUMBERS * sizeof *gradients);
            sum_add(&sums, micro, slots[member], NUMBERS);
        }
        size_t used = sum_blocks(own, blocks);
        require(used == sums.used && memcmp(blocks, sums.blocks, used * sizeof *blocks) == 0);
        for (size_t i = 0; i < used; i++)
            terms[count++] = (struct term){blocks[i], slots[member] + i * NUMBERS};
    }
    sum_terms(terms, count, 0, 2, sum);
    sum_terms(terms, count, 2, NUMBERS - 2, sum + 2);
}

START_TEST(a_sum_has_the_same_bits_whoever_adds_up) {
    static const size_t counts[] = {1, 2, 3, 5, 7, 8, 13, 64, 100, 333, 1000};
    static float gradients[1000 * NUMBERS];
    bool order_matters = false;
    unsigned seed = 1;
    for (size_t i = 0; i < 1000 * NUMBERS; i++)
        gradients[i] = (float)((seed = seed * 1103515245 + 12345) >> 8) / 1e6F - 8;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t size = 1;
        float expected[NUMBERS], plain[NUMBERS] = {0}, sum[NUMBERS];
        while (size < counts[i])
            size *= 2;
        for (size_t j = 0; j < NUMBERS; j++)
            expected[j] = tree(gradients, counts[i], 0, size, j);
        for (size_t j = 0; j < counts[i] * NUMBERS; j++)
            plain[j % NUMBERS] += gradients[j];
        order_matters = order_matters || memcmp(plain, expected, sizeof plain) != 0;
        for (size_t members = 1; members <= 8; members++) {
            add_up(gradients, counts[i], members, sum);
            if (memcmp(sum, expected, sizeof sum) != 0)
                ck_abort_msg("%zu micro-batches, %zu processes: %.9g instead of %.9g", counts[i], members,
                             (double)sum[0], (double)expected[0]);
        }
    }
    ck_assert(order_matters);
}
END_TEST

/* ---- meeting */

enum { MEETING = 4, ROUNDS = 300 };

struct meeting_place {
    struct meeting meeting;
    size_t rounds[MEETING];
    _Atomic size_t next;
};

/* A target: each says in which round it is, and all see the same. */
static int meet_often(void *shared) {
    struct meeting_place *place = shared;
    size_t own = atomic_fetch_add(&place->next, 1);
    for (size_t round = 1; round <= ROUNDS; round++) {
        place->rounds[own] = round;
        meet(&place->meeting);
        for (size_t i = 0; i < MEETING; i++)
            if (place->rounds[i] != round)
                return 1;
        meet(&place->meeting);
    }
    return 0;
}

START_TEST(nobody_goes_on_before_all_have_come) {
    struct meeting_place *place = at_shared_new(sizeof *place);
    at_process *processes[MEETING];
    require(place != NULL);
    place->meeting.members = MEETING;
    for (size_t i = 0; i < MEETING; i++)
        processes[i] = started(.target = meet_often, .arg = place);
    for (size_t i = 0; i < MEETING; i++)
        ck_assert_int_eq(finish(processes[i]), 0);
    at_shared_free(place);
}
END_TEST

/* ---- learning together */

static void note_epoch(void *context, size_t number, const struct epoch *epoch) {
    double *losses = context;
    if (number <= 3)
        losses[number - 1] = epoch->loss;
}

static struct network *new_network(void) {
    struct network *network;
    ok(network_new(&network, (uint32_t[]){DIGIT_PIXELS, 24, DIGIT_LABELS}, 3, 1, NULL));
    return network;
}

/* The network after three epochs. */
static struct network *learnt_in(const struct dataset *dataset, size_t members, size_t batch, size_t micro,
                                 double *accuracy, double losses[3]) {
    static const char *const cores[] = {"cpu", "cpu", "cpu", "cpu", "cpu", "cpu", "cpu", "cpu"};
    struct network *network = new_network();
    struct failure failure;
    const struct parallel_options options = {
        .program = train_path(),
        .devices = cores,
        .members = members,
        .plan = {.batch = batch,
                 .micro = micro,
                 .rate = 0.1F,
                 .falls = 0.9F,
                 .momentum = 0.9F,
                 .seed = 1,
                 .epochs = 3,
                 .enough = 2},
        .on_epoch = note_epoch,
        .context = losses,
    };
    if (parallel_learn(network, dataset, &options, accuracy, &failure) != 0)
        ck_abort_msg("%zu processes: %s", members, failure.text);
    return network;
}

/* Batches of 50: the last one of each epoch is smaller, and so is its last piece. */
static struct network *learnt(const struct dataset *dataset, size_t members, double *accuracy, double losses[3]) {
    return learnt_in(dataset, members, 50, 8, accuracy, losses);
}

START_TEST(any_number_of_processes_learns_the_same_bits) {
    struct dataset dataset = drawn(309); /* batches of 50, and one of 9 rows: two pieces */
    double accuracy, first, losses[3] = {0}, others[3] = {0};
    struct network *one = learnt(&dataset, 1, &first, losses);
    ck_assert_double_lt(losses[2], losses[0] * 0.8);
    ck_assert_int_eq(count_children(), 0);
    for (size_t members = 2; members <= 8; members += members == 3 ? 5 : 1) {
        struct network *network = learnt(&dataset, members, &accuracy, others);
        ck_assert_msg(memcmp(network->numbers, one->numbers, one->count * sizeof(float)) == 0, "%zu processes",
                      members);
        ck_assert(memcmp(others, losses, sizeof losses) == 0);
        ck_assert_double_eq(accuracy, first);
        network_free(network);
    }
    network_free(one);
    dataset_free(&dataset);
}
END_TEST

/* One process adds up some of them before it has all. */
START_TEST(more_micro_batches_than_a_process_keeps_apart) {
    struct dataset dataset = drawn(SUM_SLOTS * 2);
    double accuracy, losses[3] = {0}, others[3] = {0};
    struct network *one = learnt_in(&dataset, 1, SUM_SLOTS * 2 - 3, 1, &accuracy, losses);
    struct network *three = learnt_in(&dataset, 3, SUM_SLOTS * 2 - 3, 1, &accuracy, others);
    ck_assert(memcmp(three->numbers, one->numbers, one->count * sizeof(float)) == 0);
    ck_assert_double_lt(losses[2], losses[0]);
    network_free(one);
    network_free(three);
    dataset_free(&dataset);
}
END_TEST

START_TEST(what_they_learn_is_what_one_alone_learns) {
    struct dataset dataset = drawn(309);
    double accuracy, losses[3] = {0}, loss = 0, most = 0;
    struct network *together = learnt(&dataset, 2, &accuracy, losses), *alone = new_network();
    struct training *training =
        training_new(alone, &dataset.train, &(struct training_options){.batch = 50, .momentum = 0.9F, .seed = 1});
    float rate = 0.1F;
    for (size_t epoch = 0; epoch < 3; epoch++, rate *= 0.9F)
        ok(training_epoch(training, epoch, rate, &loss));
    ck_assert_double_eq_tol(losses[2], loss, 1e-3);
    ck_assert_double_eq_tol(training_accuracy(training, &dataset.held_out), accuracy, 0.02); /* one of 51 */
    for (size_t i = 0; i < alone->count; i++)
        most = fmax(most, fabs((double)alone->numbers[i] - (double)together->numbers[i]));
    ck_assert_double_lt(most, 1e-3);
    training_free(training);
    network_free(alone);
    network_free(together);
    dataset_free(&dataset);
}
END_TEST

START_TEST(more_processes_than_examples) {
    struct dataset dataset = drawn(3);
    double accuracy, again, losses[3] = {0}, others[3] = {0};
    struct network *one = learnt(&dataset, 1, &accuracy, losses), *eight = learnt(&dataset, 8, &again, others);
    ck_assert(memcmp(eight->numbers, one->numbers, one->count * sizeof(float)) == 0);
    ck_assert_double_gt(losses[0], losses[2]);
    network_free(one);
    network_free(eight);
    dataset_free(&dataset);
}
END_TEST

SUITE_WITH("serving_parallel", make_folder, remove_folder, a_sum_has_the_same_bits_whoever_adds_up,
           nobody_goes_on_before_all_have_come, any_number_of_processes_learns_the_same_bits,
           more_micro_batches_than_a_process_keeps_apart, what_they_learn_is_what_one_alone_learns,
           more_processes_than_examples)
