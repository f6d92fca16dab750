/*
 * test_bench_modes.c: every mode of the benchmarks does each task once, by workers of their own numbers; every workload
 * finds out what is wrong with its result; and a host answers whatever it is asked.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "bench_made.h"
#include "host.h"
#include "labs.h"
#include "mode.h"
#include "watch.h"

/* The pools of pool_mode live as long as their host, in memory where the leak detector does not look for them. */
SANITIZER_OPTIONS("detect_leaks=0", "")

static struct workload workload;
static struct workload *only_made[] = {&workload};
static const struct workload_list made_list = {only_made, 1};

/* ---- the modes */

/* Gets this process ready for a mode, as a host does; skips the test where there is none. */
static const struct mode *begin_mode(int number) {
    const struct mode *mode = all_modes[number];
    char output[4096];
    if (mode->missing != NULL)
        skip("%s: %s", mode->name, mode->missing);
    if (mode->commands && (run_line(output, sizeof output, "%s --version 2>&1", mode->name) != 0 ||
                           strncmp(output, mode->version, strlen(mode->version)) != 0))
        skip("there is no %s here", mode->title);
    mode_here = mode;
    lock_here = mode->locks != NULL ? mode->locks->create() : NULL;
    return mode;
}

static void run_job(const struct job *job) {
    if (mode_here->open != NULL)
        mode_here->open(job->workers);
    if (mode_here->enter != NULL)
        mode_here->enter(job);
    job->workload->reset(job->workload);
    if (job->workload->alone != NULL)
        job->workload->alone(job->workload);
    mode_here->run(job);
    if (mode_here->leave != NULL)
        mode_here->leave();
}

/* For modes that run commands: each is told its number and writes it to this file, and who ran it is not to be seen. */
static int written = -1;

static int output_of_commands(void) {
    return written;
}

static void reset_with_commands(const struct workload *of) {
    made_reset(of);
    require(ftruncate(written, 0) == 0);
}

static void count_commands(void) {
    char text[4096], *rest;
    ssize_t length = pread(written, text, sizeof text - 1, 0);
    require(length >= 0);
    text[length] = '\0';
    /* A command without a number writes an empty line, which strtok would not show. */
    require(text[0] != '\n' && strstr(text, "\n\n") == NULL);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        size_t task = strtoul(line, NULL, 10);
        require(task < MADE_TASKS);
        made->times[task]++;
    }
}

static void make_workload(const struct mode *mode) {
    workload = made_workload();
    require(workload.prepare(&workload));
    if (!mode->commands)
        return;
    char path[64];
    int file = memfd_create("written", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    written = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    require(written >= 0);
    close(file);
    workload.command = "/bin/echo";
    workload.output = output_of_commands;
    workload.reset = reset_with_commands;
}

static const size_t WORKERS[] = {1, 2, 3, 5}, TASKS[] = {0, 1, 2, 4, MADE_TASKS};
enum { WORKERS_COUNT = sizeof WORKERS / sizeof *WORKERS, TASKS_COUNT = sizeof TASKS / sizeof *TASKS };

START_TEST(mode_does_each_task_once) {
    const struct mode *mode = begin_mode(_i);
    make_workload(mode);
    for (size_t i = 0; i < WORKERS_COUNT * TASKS_COUNT * 2; i++) { /* twice: the last run leaves nothing to the next */
        struct job job = {&workload, mode->alone ? 1 : WORKERS[i / 2 / TASKS_COUNT]};
        char wrong[WRONG_SIZE] = "";
        workload.tasks = TASKS[i / 2 % TASKS_COUNT];
        made->workers = job.workers;
        run_job(&job);
        if (mode->commands)
            count_commands();
        bool right = workload.check(&workload, wrong);
        ck_assert_msg(right, "%s, %zu workers, %zu tasks: %s", mode->name, job.workers, workload.tasks, wrong);
    }
}
END_TEST

/* Whose processor time and memory the harness counts is who does the work. */
START_TEST(members_do_all_the_tasks) {
    const struct mode *mode = begin_mode(_i);
    if (mode->members == NULL)
        return;
    make_workload(mode);
    for (size_t i = 0; i < WORKERS_COUNT; i++) {
        struct job job = {&workload, WORKERS[i]};
        const pid_t *pids;
        run_job(&job);
        size_t count = mode->members(job.workers, &pids);
        ck_assert_uint_eq(count, job.workers);
        pid_t numbered[MADE_WORKERS] = {0}; /* who has this number */
        for (size_t task = 0; task < MADE_TASKS; task++) {
            pid_t doer = made->doer[task], *owner = &numbered[made->as[task]];
            bool known = false;
            for (size_t member = 0; member < count; member++)
                known |= doer == pids[member];
            ck_assert_msg(known, "%s: task %zu was done by process %d, no member", mode->name, task, doer);
            ck_assert_msg(*owner == 0 || *owner == doer, "%s: two workers of number %zu", mode->name, made->as[task]);
            *owner = doer;
        }
    }
}
END_TEST

/* ---- the workloads */

static bool is_prepared(struct workload *real) {
    return real->missing == NULL && (real->prepare == NULL || real->prepare(real));
}

START_TEST(every_workload_is_right_in_the_mode) {
    const struct mode *mode = begin_mode(_i);
    bool prepared[64] = {0};
    for (size_t i = 0; i < all_workloads.count; i++) /* all before the mode starts processes, which must see them */
        prepared[i] = is_prepared(all_workloads.workloads[i]);
    for (size_t i = 0; i < all_workloads.count; i++) {
        const struct workload *real = all_workloads.workloads[i];
        struct job job = {real, mode->alone ? 1 : 3};
        for (int time = 0; time < 2 && prepared[i] && (!mode->commands || real->command != NULL); time++) {
            char wrong[WRONG_SIZE] = "";
            run_job(&job);
            bool right = real->check(real, wrong);
            ck_assert_msg(right, "%s in %s: %s", real->name, mode->name, wrong);
        }
    }
    for (size_t i = 0; i < all_workloads.count; i++)
        if (prepared[i] && all_workloads.workloads[i]->finish != NULL)
            all_workloads.workloads[i]->finish(all_workloads.workloads[i]);
}
END_TEST

enum { VICTIM = 7 };

static void do_tasks(const struct workload *real, bool without_victim) {
    real->reset(real);
    if (real->alone != NULL)
        real->alone(real);
    for (size_t task = 0; task < real->tasks; task++)
        if (task != VICTIM || !without_victim)
            real->task(real, task, 0);
}

static void leave_one_out(const struct workload *real) {
    do_tasks(real, false); /* what the run before has left must not be taken for this one's */
    do_tasks(real, true);
}

static void do_one_twice(const struct workload *real) {
    do_tasks(real, false);
    real->task(real, VICTIM, 0);
}

/* A sum of other numbers. */
static void change_one(const struct workload *real) {
    struct workload other = *real;
    other.parameter /= 2;
    do_tasks(real, false);
    real->task(&other, VICTIM, 0);
}

static void leave_the_part_alone_out(const struct workload *real) {
    struct workload other = *real;
    other.alone = NULL;
    do_tasks(&other, false);
}

static const struct damage {
    const char *workload; /* the first letters of its name */
    void (*damage)(const struct workload *);
    const char *complaint;
} DAMAGES[] = {
    {"empty", leave_one_out, "^call 7 of 1000 left 0, not 8$"},
    {"cpu", leave_one_out, "^the sum below [0-9]+ is [0-9]+, not 0$"},
    {"cpu", change_one, "^the sum below [0-9]+ is [0-9]+, not [1-9][0-9]*$"},
    {"mixed", leave_one_out, "^the sum below [0-9]+ is [0-9]+, not 0$"},
    {"mixed", change_one, "^the sum below [0-9]+ is [0-9]+, not [1-9][0-9]*$"},
    {"mixed", leave_the_part_alone_out, "^the part done alone is 0, not [1-9][0-9]*$"},
    {"memory", leave_one_out, "^number [0-9]+ of [0-9]+ is [0-9.]+, not [0-9.]+$"},
    {"io", leave_one_out, "^task 7 waited 0 ns, not [0-9]+$"},
    {"commands", leave_one_out, "^31 of 32 programs have written$"},
    {"commands", do_one_twice, "^the programs wrote \"7\", which none, or only one of them, should$"},
    {"lock", leave_one_out, "^counted to [0-9]+, not [0-9]+$"},
    {"lock", do_one_twice, "^counted to [0-9]+, not [0-9]+$"},
};
enum { DAMAGE_COUNT = sizeof DAMAGES / sizeof *DAMAGES };

START_TEST(damaged_result_is_found_and_named) {
    const struct damage *damage = &DAMAGES[_i];
    size_t found = 0;
    begin_mode(0);
    for (size_t i = 0; i < all_workloads.count; i++) {
        struct workload *real = all_workloads.workloads[i];
        char wrong[WRONG_SIZE] = "";
        if (strncmp(real->name, damage->workload, strlen(damage->workload)) != 0 || !is_prepared(real))
            continue;
        found++;
        do_tasks(real, false);
        ck_assert_msg(real->check(real, wrong), "%s, undamaged: %s", real->name, wrong);
        damage->damage(real);
        ck_assert_msg(!real->check(real, wrong), "%s: nothing is found", real->name);
        ck_assert_msg(matches(wrong, damage->complaint), "%s: %s", real->name, wrong);
        do_tasks(real, false);
        ck_assert_msg(real->check(real, wrong), "%s, right again: %s", real->name, wrong);
        if (real->finish != NULL)
            real->finish(real);
    }
    if (found == 0)
        skip("%s cannot be prepared here", damage->workload);
}
END_TEST

/* ... and no workload is without a row up there. */
START_TEST(every_workload_is_damaged) {
    for (size_t i = 0; i < all_workloads.count; i++) {
        bool known = all_workloads.workloads[i]->missing != NULL;
        for (size_t row = 0; row < DAMAGE_COUNT; row++)
            known |=
                strncmp(all_workloads.workloads[i]->name, DAMAGES[row].workload, strlen(DAMAGES[row].workload)) == 0;
        ck_assert_msg(known, "no damage is done to %s", all_workloads.workloads[i]->name);
    }
}
END_TEST

/* ---- the hosts */

/* What a host of the serial mode answers, all of it. It makes the workload ready itself where nobody has. */
static char *answers_to(const char *requests, bool prepared) {
    char *answers = NULL;
    size_t size = 0;
    FILE *from = tmpfile(), *to = open_memstream(&answers, &size);
    require(from != NULL && to != NULL && fputs(requests, from) >= 0);
    rewind(from);
    require(!prepared || workload.prepare(&workload));
    host_serve(all_modes[0], made_list, prepared, from, to);
    fclose(from);
    fclose(to);
    return answers;
}

#define RUN "[1-9][0-9.e+]* ([0-9.e+-]+ ){6}"

static const struct {
    const char *requests, *answers;
} DIALOGUES[] = {
    {"made 1 1\n", "^" RUN "\n$"},
    {"made 1 3\nmade 1 2\n", "^" RUN RUN RUN "\n" RUN RUN "\n$"},
    {"", "^$"},
    {"made 1 1", "^" RUN "\n$"}, /* the last line of a file may lack its end */
    {"nobody 1 1\nmade 1 1\n", "^lost: not a request: \"nobody 1 1\"\n" RUN "\n$"},
    {"made 0 1\nmade 1 1\n", "^lost: not a request: \"made 0 1\"\n" RUN "\n$"},
    {"made 1025 1\nmade -1 1\n", "^lost: not a request: \"made 1025 1\"\nlost: not a request: \"made -1 1\"\n$"},
    {"made\n\n1 1 made\nmade 1 x\n",
     "^lost: not a request: \"made\"\nlost: not a request: \"\"\nlost: not a request: \"1 1 made\"\n"
     "lost: not a request: \"made 1 x\"\n$"},
    {"made 1 17\nmade 1 -1\nmade 1 1\n", /* above RUNS_MOST */
     "^lost: not a request: \"made 1 17\"\nlost: not a request: \"made 1 -1\"\n" RUN "\n$"},
    {"%n%s%s \x01\x7f\nmade 1 1\n", "^lost: not a request: \"%n%s%s [^\n]*\"\n" RUN "\n$"},
    {"this line is longer than any request and than the room that there is for one, or two of them, or three of them "
     "made 1 1 made 1 1\nmade 1 1\n",
     "^lost: not a request: \"this line[^\n]*\"\n" RUN "\n$"},
};
enum { DIALOGUES_COUNT = sizeof DIALOGUES / sizeof *DIALOGUES };

START_TEST(host_answers_each_line_with_one) {
    workload = made_workload();
    char *answers = answers_to(DIALOGUES[_i].requests, true);
    ck_assert_msg(matches(answers, DIALOGUES[_i].answers), "it said:\n%s", answers);
    free(answers);
}
END_TEST

static void all_but_the_last(const struct workload *of, size_t task, size_t worker) {
    if (task + 1 < of->tasks)
        made_task(of, task, worker);
}

START_TEST(host_says_what_is_wrong_and_no_more) {
    workload = made_workload();
    workload.task = all_but_the_last;
    char *answers = answers_to("made 1 2\nmade 1 1\n", true);
    ck_assert_str_eq(answers, "wrong: made, 1 worker: task 59 was done 0 times, not 1\n");
    free(answers);
}
END_TEST

static int preparations;

static bool prepare_and_count(struct workload *of) {
    preparations++;
    return made_prepare(of);
}

/* A host that is a program of its own, a peer's, gets workloads that nobody has prepared. */
START_TEST(host_prepares_what_nobody_has_and_once) {
    workload = made_workload();
    workload.prepare = prepare_and_count;
    char *answers = answers_to("nobody 1 1\nmade 1 1\nmade 1 1\n", false);
    ck_assert_msg(matches(answers, "^lost: .*\n" RUN "\n" RUN "\n$"), "it said:\n%s", answers);
    ck_assert_int_eq(preparations, 1);
    free(answers);
}
END_TEST

static bool prepare_nothing(struct workload *of) {
    of->missing = "there is nothing to be had";
    return false;
}

START_TEST(host_says_what_is_missing) {
    workload = made_workload();
    workload.prepare = prepare_nothing;
    char *answers = answers_to("made 1 1\nmade 1 1\n", false);
    ck_assert_str_eq(answers, "lost: there is nothing to be had\nlost: there is nothing to be had\n");
    free(answers);
}
END_TEST

START_TEST(forked_host_is_asked) {
    struct peer host;
    struct run runs[RUNS_MOST];
    if (all_modes[_i]->missing != NULL || all_modes[_i]->commands)
        return;
    workload = made_workload();
    require(workload.prepare(&workload));
    require(host_fork(&host, all_modes[_i], made_list));
    for (size_t count = 1; count <= RUNS_MOST; count += 5) {
        memset(runs, 0, sizeof runs);
        ck_assert_uint_eq(host_ask(&host, "made", all_modes[_i]->alone ? 1 : 2, runs, count), count);
        for (size_t i = 0; i < RUNS_MOST; i++)
            ck_assert_msg((runs[i].ns > 0) == (i < count) && (runs[i].usage.peak_kib > 0) == (i < count),
                          "run %zu of %zu: %g ns, %g KiB", i, count, runs[i].ns, runs[i].usage.peak_kib);
    }
    ck_assert_uint_eq(host_ask(&host, "nobody", 1, runs, 1), 0);
    ck_assert_str_eq(host.lost, "not a request: \"nobody 1 1\"");
    ck_assert_uint_eq(host_ask(&host, "made", 1, runs, 1), 1);
    peer_stop(&host);
    ck_assert_int_eq(count_children(), 0);
    ck_assert_uint_eq(host_ask(&host, "made", 1, runs, 1), 0);
    peer_stop(&host);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench_modes");
    TCase *all = tcase_create("bench_modes");
    int modes = (int)mode_count;
    tcase_set_timeout(all, LIMIT);
    tcase_add_loop_test(all, mode_does_each_task_once, 0, modes);
    tcase_add_loop_test(all, members_do_all_the_tasks, 0, modes);
    tcase_add_loop_test(all, every_workload_is_right_in_the_mode, 0, modes);
    tcase_add_loop_test(all, damaged_result_is_found_and_named, 0, DAMAGE_COUNT);
    tcase_add_test(all, every_workload_is_damaged);
    tcase_add_loop_test(all, host_answers_each_line_with_one, 0, DIALOGUES_COUNT);
    tcase_add_test(all, host_says_what_is_wrong_and_no_more);
    tcase_add_test(all, host_prepares_what_nobody_has_and_once);
    tcase_add_test(all, host_says_what_is_missing);
    tcase_add_loop_test(all, forked_host_is_asked, 0, modes);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
