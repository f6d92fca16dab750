/* test_serving_together.c: train with several processes: what it refuses, what it writes, and how they end. */
#include "training/team.h"

#include "training_program.h"

/* ---- The program */

START_TEST(train_refuses_what_cannot_be_shared) {
    char many[400] = "--devices cpu";
    for (size_t i = 0; i < TEAM_MEMBERS; i++)
        strcat(many, ",cpu");
    assert_train(many, 2, "--devices: more than 64; name fewer");
    assert_train("--devices gpu", 2, "--devices: \"gpu\" cannot be trained on: take cpu, or a card as cuda:0");
    assert_train("--devices cpu,", 2, "--devices: \"\" cannot be trained on");
    assert_train("--devices cuda:0:bf16", 2, "\"cuda:0:bf16\" cannot be trained on");
    assert_train("--micro 8", 2, "--micro and --reduce are for several processes: name their --devices");
    assert_train("--devices cpu --micro 0", 2, "--micro 0: must be a whole number from 1");
    assert_train("--devices cpu --reduce tree", 2, "--reduce tree: must be shared or nccl");
    ck_assert_int_eq(count_entries(folder), 0);
    write_easy_files(false);
    assert_train("--devices cpu,cpu --reduce nccl", 1, "--reduce nccl: not all devices are cards; --reduce shared");
    assert_train("--devices cuda:1,cuda:1 --reduce nccl", 1, "--reduce nccl: several processes have one card");
    assert_train("--devices cuda:1 --reduce nccl", 1, "--reduce nccl: there is one process");
    ck_assert_int_eq(count_entries(folder), 1);
}
END_TEST

START_TEST(a_worker_is_for_train_alone) {
    char output[400];
    ck_assert_int_eq(run_line(output, sizeof output, "%s --worker", train_path()), 2);
    ck_assert_ptr_nonnull(strstr(output, "is for train itself"));
    ck_assert_int_eq(run_line(output, sizeof output, "%s --worker 0 cpu 9 9", train_path()), 2);
    ck_assert_ptr_nonnull(strstr(output, "train --worker 0: descriptor 9: "));
}
END_TEST

START_TEST(a_device_that_is_not_there_ends_all) {
    write_easy_files(false);
    setenv("AT_CUDA", "/nowhere/cuda.so", 1);
    assert_train("--devices cpu,cuda:0", 1, "process 1 (cuda:0): this build has no CUDA (");
    ck_assert_int_eq(count_entries(folder), 1);
}
END_TEST

START_TEST(train_learns_by_two_and_writes_what_one_would) {
    char first[40];
    write_easy_files(false);
    const char *output = assert_train("--hidden 20x1 --epochs 100 --batch 10 --micro 3 --devices cpu", 0,
                                      "1 process, gradients of 3 examples at a time, added up in shared memory");
    snprintf(first, sizeof first, "%.21s", strstr(output, "hash "));
    output = assert_train("--hidden 20x1 --epochs 100 --batch 10 --micro 3 --devices cpu,cpu", 0, first);
    ck_assert_ptr_nonnull(strstr(output, "2 processes, "));
    ck_assert_ptr_nonnull(strstr(output, "% of the 200 held-out digits are read rightly"));
    /* Whose descriptors are closed takes none of their numbers for its memory. */
    assert_train("--hidden 20x1 --epochs 100 --batch 10 --micro 3 --devices cpu,cpu <&- >&-", 0, "");
    assert_train("--hidden 20x1 --epochs 100 --batch 10 --micro 3 --devices cpu,cpu", 0, first);
}
END_TEST

/* ---- Ends */

struct run {
    at_popen *popen;
    pid_t members[2];
};

/* Whether it executes the program already: its second argument says that it is a worker. */
static bool is_member(pid_t process) {
    char path[64], text[400] = "";
    snprintf(path, sizeof path, "/proc/%d/cmdline", process);
    FILE *file = fopen(path, "re");
    size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0, name = strlen(text) + 1;
    if (file != NULL)
        fclose(file);
    return name < size && strcmp(text + name, "--worker") == 0;
}

static size_t find_members(pid_t parent, pid_t members[2]) {
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", parent, parent);
    FILE *file = fopen(path, "re");
    require(file != NULL);
    while (count < 2 && fscanf(file, "%d", &members[count]) == 1)
        count++;
    fclose(file);
    return count == 2 && is_member(members[0]) && is_member(members[1]) ? 2 : 0;
}

/* Two processes that would learn without end; an older model lies where theirs would go. */
static struct run learning(void) {
    struct run run;
    write_easy_files(true);
    FILE *old = fopen(in_folder("model"), "we"), *log = fopen(in_folder("log"), "we");
    require(old != NULL && fputs("an older model", old) >= 0 && fclose(old) == 0 && log != NULL);
    ok(at_popen_new(&run.popen,
                    AT_ARGS(train_path(), "--data", in_folder("digits"), "--output", in_folder("model"), "--hidden",
                            "128x2", "--batch", "2", "--micro", "1", "--epochs", "1000", "--devices", "cpu,cpu"),
                    .stdout = AT_PIPE, .stderr = at_file(log), .start_new_session = true));
    fclose(log);
    await(find_members(at_popen_pid(run.popen), run.members) == 2);
    return run;
}

/* How it ended; nothing of it is left, and the older model is as it was. What it said is in `said`. */
static int end_of_learning(struct run *run, char said[400]) {
    int returncode;
    char model[40];
    ok(at_popen_wait(run->popen, BOUND, &returncode));
    at_popen_free(run->popen);
    for (size_t i = 0; i < 2; i++)
        await(!pid_exists(run->members[i])); /* a member whose parent was killed may take a moment */
    ck_assert_int_eq(run_line(model, sizeof model, "cat %s", in_folder("model")), 0);
    ck_assert_str_eq(model, "an older model");
    ck_assert_int_eq(count_entries(folder), 3); /* with the digits and the log */
    ck_assert_int_eq(run_line(said, 400, "cat %s", in_folder("log")), 0);
    return returncode;
}

/* Kills a member after so many epochs, 0: as soon as it is there. */
static void kill_member(size_t member, bool later) {
    char said[400], words[100];
    struct run run = learning();
    if (later)
        await_words(at_popen_stdout(run.popen), "epoch 1: ");
    ck_assert_int_eq(kill(run.members[member], SIGKILL), 0);
    ck_assert_int_eq(end_of_learning(&run, said), 1);
    snprintf(words, sizeof words, "process %zu (cpu): killed by signal 9 (Killed); the training is over", member);
    ck_assert_msg(strstr(said, words) != NULL, "%s", said);
}

START_TEST(a_killed_member_ends_the_training) {
    kill_member((size_t)_i % 2, _i / 2 == 1);
}
END_TEST

START_TEST(a_killed_parent_leaves_no_member) {
    char said[400];
    struct run run = learning();
    await_words(at_popen_stdout(run.popen), "epoch 1: ");
    ck_assert_int_eq(kill(at_popen_pid(run.popen), SIGKILL), 0);
    ck_assert_int_eq(end_of_learning(&run, said), -SIGKILL);
}
END_TEST

/* The signal goes to all of them, as that of a terminal does. */
START_TEST(an_interrupt_ends_all) {
    char said[400];
    int number = _i == 0 ? SIGINT : SIGTERM;
    struct run run = learning();
    await_words(at_popen_stdout(run.popen), "epoch 1: ");
    ok(at_popen_signal_group(run.popen, number));
    ck_assert_int_eq(end_of_learning(&run, said), 128 + number);
    ck_assert_ptr_nonnull(strstr(said, "interrupted; no model was written"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("serving_together");
    TCase *all = tcase_create("serving_together");
    tcase_set_timeout(all, LIMIT);
    tcase_add_checked_fixture(all, make_folder, remove_folder);
    tcase_add_test(all, train_refuses_what_cannot_be_shared);
    tcase_add_test(all, a_worker_is_for_train_alone);
    tcase_add_test(all, a_device_that_is_not_there_ends_all);
    tcase_add_test(all, train_learns_by_two_and_writes_what_one_would);
    tcase_add_loop_test(all, a_killed_member_ends_the_training, 0, 4);
    tcase_add_test(all, a_killed_parent_leaves_no_member);
    tcase_add_loop_test(all, an_interrupt_ends_all, 0, 2);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
