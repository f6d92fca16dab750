/* test_cuda_parallel.c: cards that learn together, by NCCL or in shared memory, and with cores; and what may fail. */
#include <dlfcn.h>
#include <math.h>

#include "cards.h"
#include "training/parallel.h"

#include "training_program.h"

/* From here on programs that are started have two emulated cards. */
static void lend_cards(const char *faults) {
    char path[300];
    require(realpath(build(), path) != NULL);
    strcat(path, "/tests/emulated");
    setenv("LD_LIBRARY_PATH", path, 1);
    setenv("EMULATED_CARDS", "2", 1);
    setenv("EMULATED_FAIL", faults, 1);
    strcat(path, "/libnvidia-ml.so.1"); /* this process chooses their cards */
    require(dlopen(path, RTLD_NOW | RTLD_GLOBAL) != NULL);
}

struct said {
    bool kills; /* one of the processes, once they have agreed */
    enum reduction reduction;
    char reason[400];
    double losses[3];
};

static void kill_a_child(void) {
    FILE *children = fopen("/proc/thread-self/children", "re");
    pid_t child;
    require(children != NULL && fscanf(children, "%d", &child) == 1 && kill(child, SIGKILL) == 0);
    fclose(children);
}

static void note_start(void *context, const struct team *team) {
    struct said *said = context;
    if (said->kills)
        kill_a_child();
    said->reduction = team->reduction;
    snprintf(said->reason, sizeof said->reason, "%s", team->reason.text);
}

static void note_epoch(void *context, size_t number, const struct epoch *epoch) {
    struct said *said = context;
    if (number <= 3)
        said->losses[number - 1] = epoch->loss;
}

/*
 * Three epochs by these devices, or more than a test has patience for where one is killed; NULL where that failed.
 * Batches are of 20, and the last one is of one row.
 */
static struct network *learnt(const struct dataset *dataset, const char *const devices[2], enum reduction reduction,
                              struct said *said, struct failure *failure) {
    double accuracy;
    struct network *network;
    ok(network_new(&network, (uint32_t[]){DIGIT_PIXELS, 12, DIGIT_LABELS}, 3, 1, NULL));
    const struct parallel_options options = {
        .program = train_path(),
        .devices = devices,
        .members = devices[1] != NULL ? 2 : 1,
        .plan = {.batch = 20,
                 .rate = 0.1F,
                 .falls = 0.9F,
                 .momentum = 0.9F,
                 .seed = 1,
                 .epochs = said->kills ? TEAM_EPOCHS : 3,
                 .enough = 2,
                 .reduction = reduction},
        .on_start = note_start,
        .on_epoch = note_epoch,
        .context = said,
    };
    if (parallel_learn(network, dataset, &options, &accuracy, failure) == 0)
        return network;
    network_free(network);
    return NULL;
}

/* What they learn is what a core learns, up to what rounding makes of it in three epochs. */
static void learn_with(const char *one, const char *other, enum reduction wanted, enum reduction expected,
                       struct said *said) {
    struct dataset dataset = drawn(81);
    struct said of_core = {.kills = false};
    struct failure failure;
    struct network *core = learnt(&dataset, (const char *const[]){"cpu", NULL}, REDUCE_SHARED, &of_core, &failure);
    require(core != NULL);
    struct network *network = learnt(&dataset, (const char *const[]){one, other}, wanted, said, &failure);
    if (network == NULL)
        ck_abort_msg("%s", failure.text);
    ck_assert_int_eq((int)said->reduction, (int)expected);
    ck_assert_double_lt(said->losses[2], said->losses[0]);
    for (size_t i = 0; i < 3; i++)
        ck_assert_double_eq_tol(said->losses[i], of_core.losses[i], 1e-4);
    for (size_t i = 0; i < core->count; i++)
        if (!(fabs((double)core->numbers[i] - (double)network->numbers[i]) < 1e-3))
            ck_abort_msg("number %zu is %.9g instead of %.9g", i, (double)network->numbers[i],
                         (double)core->numbers[i]);
    network_free(core);
    network_free(network);
    dataset_free(&dataset);
    ck_assert_int_eq(count_children(), 0);
}

START_TEST(two_cards_add_up_by_nccl) {
    struct said said = {.kills = false};
    lend_cards("");
    learn_with("cuda:0", "cuda:1", REDUCE_AUTOMATIC, REDUCE_NCCL, &said);
    ck_assert_str_eq(said.reason, "");
}
END_TEST

START_TEST(two_cards_add_up_in_memory) {
    struct said said = {.kills = false};
    lend_cards("");
    learn_with("cuda:0", "cuda:1", REDUCE_SHARED, REDUCE_SHARED, &said);
    ck_assert_str_eq(said.reason, "");
}
END_TEST

START_TEST(cards_without_nccl_add_up_in_memory) {
    struct said said = {.kills = false};
    lend_cards("ncclGetUniqueId:2@1");
    learn_with("cuda:0", "cuda:1", REDUCE_AUTOMATIC, REDUCE_SHARED, &said);
    ck_assert_msg(strstr(said.reason, "NCCL_DEBUG=WARN says more") != NULL, "%s", said.reason);
}
END_TEST

/* A library that is none takes NCCL's place before any other that the machine may have. */
START_TEST(cards_whose_nccl_is_broken_add_up_in_memory) {
    char line[20];
    struct said said = {.kills = false};
    lend_cards("");
    ck_assert_int_eq(run_line(line, sizeof line,
                              "mkdir %s && ln -s $LD_LIBRARY_PATH/*.so.* %s && "
                              "rm %s/libnccl.so.2 && echo none >%s/libnccl.so.2",
                              in_folder("lib"), in_folder("lib"), in_folder("lib"), in_folder("lib")),
                     0);
    setenv("LD_LIBRARY_PATH", in_folder("lib"), 1);
    learn_with("cuda:0", "cuda:1", REDUCE_AUTOMATIC, REDUCE_SHARED, &said);
    ck_assert_msg(strstr(said.reason, "NCCL cannot be loaded: ") == said.reason, "%s", said.reason);
}
END_TEST

START_TEST(all_cards_that_there_are) {
    char output[4000];
    lend_cards("");
    ck_assert_int_eq(run_line(output, sizeof output,
                              "%s/gpu/train --devices cuda --images 60 --hidden 8x1 --epochs 1 --data %s --output %s",
                              build(), in_folder("digits"), in_folder("model")),
                     1); /* too few examples for a good model */
    ck_assert_msg(strstr(output, "process 1: cuda:1, Emulated card, GPU-") != NULL, "%s", output);
    ck_assert_msg(strstr(output, "2 processes, gradients of 32 examples at a time, added up on the cards by NCCL") !=
                      NULL,
                  "%s", output);
    setenv("EMULATED_CARDS", "0", 1);
    ck_assert_int_eq(run_line(output, sizeof output, "%s/gpu/train --devices cuda", build()), 2);
    ck_assert_msg(strstr(output, "--devices cuda: no card was found: ") != NULL, "%s", output);
}
END_TEST

START_TEST(a_card_and_a_core) {
    struct said said = {.kills = false};
    lend_cards("");
    learn_with("cuda:0", "cpu", REDUCE_AUTOMATIC, REDUCE_SHARED, &said);
}
END_TEST

START_TEST(two_processes_on_one_card) {
    struct said said = {.kills = false};
    lend_cards("");
    learn_with("cuda:1", "cuda:1", REDUCE_AUTOMATIC, REDUCE_SHARED, &said);
}
END_TEST

/* The machine's own cards, where there are two. */
START_TEST(two_real_cards) {
    struct card_facts cards[CARDS_MOST];
    struct said said = {.kills = false};
    if (cards_list(cards, NULL) < 2)
        skip("no two cards");
    learn_with("cuda:0", "cuda:1", REDUCE_SHARED, REDUCE_SHARED, &said);
}
END_TEST

/* What failed, of what is said to fail, and how: of one process, and the others end with it. */
static const struct {
    const char *faults;
    enum reduction reduction;
    const char *words;
} FAULTS[] = {
    {"ncclGetUniqueId:2@1", REDUCE_NCCL, "--reduce nccl: "},
    {"ncclCommInitRank:2@1", REDUCE_AUTOMATIC, "functions.init_rank"},
    {"ncclAllReduce:2@7", REDUCE_AUTOMATIC, "functions.all_reduce"},
    {"ncclCommGetAsyncError:2@2", REDUCE_AUTOMATIC, "functions.get_async_error"},
    {"cudaMemcpyAsync:700@40", REDUCE_SHARED, "cudaErrorIllegalAddress (700)"},
    {"cudaMalloc:2@3", REDUCE_AUTOMATIC, "cudaErrorMemoryAllocation (2)"},
};

START_TEST(what_fails_on_a_card_ends_all) {
    struct dataset dataset = drawn(81);
    struct said said = {.kills = false};
    struct failure failure = {""};
    lend_cards(FAULTS[_i].faults);
    ck_assert_ptr_null(
        learnt(&dataset, (const char *const[]){"cuda:0", "cuda:1"}, FAULTS[_i].reduction, &said, &failure));
    ck_assert_msg(strstr(failure.text, "process ") == failure.text && strstr(failure.text, FAULTS[_i].words) != NULL,
                  "%s", failure.text);
    dataset_free(&dataset);
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

START_TEST(a_killed_process_ends_the_sums_of_the_others) {
    struct dataset dataset = drawn(81);
    struct said said = {.kills = true};
    struct failure failure = {""};
    lend_cards("");
    ck_assert_ptr_null(learnt(&dataset, (const char *const[]){"cuda:0", "cuda:1"}, REDUCE_NCCL, &said, &failure));
    ck_assert_int_eq((int)said.reduction, REDUCE_NCCL);
    ck_assert_msg(strstr(failure.text, "killed by signal 9") != NULL, "%s", failure.text);
    dataset_free(&dataset);
    ck_assert_int_eq(count_children(), 0);
}
END_TEST

int main(void) {
    const TTest *const TESTS[] = {two_cards_add_up_by_nccl,
                                  two_cards_add_up_in_memory,
                                  cards_without_nccl_add_up_in_memory,
                                  cards_whose_nccl_is_broken_add_up_in_memory,
                                  all_cards_that_there_are,
                                  a_card_and_a_core,
                                  two_processes_on_one_card,
                                  two_real_cards,
                                  a_killed_process_ends_the_sums_of_the_others};
    Suite *suite = suite_create("cuda_parallel");
    TCase *all = tcase_create("cuda_parallel");
    tcase_set_timeout(all, LIMIT);
    tcase_add_checked_fixture(all, make_folder, remove_folder);
    for (size_t i = 0; i < sizeof TESTS / sizeof *TESTS; i++)
        tcase_add_test(all, TESTS[i]);
    tcase_add_loop_test(all, what_fails_on_a_card_ends_all, 0, sizeof FAULTS / sizeof *FAULTS);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
