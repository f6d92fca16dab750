/*
 * test_pool_storms.c: pools at their worst: workers killed every millisecond among ten thousand tasks, at random
 * moments; tasks that write garbage over the memory that the pool shares with its workers (faults 27, 28).
 */
#include <sys/resource.h>

#include "board.h"
#include "pools.h"

SANITIZER_OPTIONS("handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0",
                  "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0")

AT_TASK(long, square, int, x) {
    return (long)x * x;
}

AT_TASK(long, count_and_square, int, x) {
    add(1000 + x, 1);
    for (volatile int i = 0; i < 2000 * (x % 50); i++)
        ;
    return (long)x * x;
}

/* ---- 27 */

static at_pool *storm_pool;
static _Atomic bool storming;
static _Atomic int killed;

/* Kills a worker every millisecond, drawn with this seed. */
static int kill_workers(void *arg) {
    unsigned *seed = arg;
    while (storming) {
        pid_t pids[8];
        int alive = at_pool_workers(storm_pool, pids, 8);
        killed += alive > 0 && kill(pids[rand_r(seed) % alive], SIGKILL) == 0;
        nap();
    }
    return 0;
}

static at_thread *begin_storm(at_pool *pool, unsigned *seed) {
    storm_pool = pool;
    storming = true;
    at_thread *thread = at_thread_new(.target = kill_workers, .arg = seed);
    start(thread);
    return thread;
}

static void end_storm(at_thread *thread) {
    storming = false;
    join(thread);
    at_thread_free(thread);
}

enum { MANY = 10000 };
static int args[MANY];
static long values[MANY];

/* One outcome: it is right and the task ran, or its worker died with it. */
static void check_outcome(at_result *result, size_t index, int item, long value, unsigned retries) {
    at_failure failure;
    int error = at_result_outcome(result, index, NULL, &failure), runs = numbers[1000 + item];
    require(error == 0 || error == AT_EDIED);
    require(runs >= 1 - (error != 0) && runs <= 1 + (int)retries);
    if (error == 0)
        require(value == (long)item * item);
    else
        require(failure.index == index && failure.exitcode == -SIGKILL && failure.pid > 0);
}

static void map_in_a_storm(at_pool *pool, long chunk, unsigned retries) {
    at_result *result;
    for (int i = 0; i < MANY; i++) {
        args[i] = i;
        numbers[1000 + i] = 0;
    }
    ok(at_pool_map_async(pool, AT_JOB(count_and_square, args, MANY, .chunksize = at_tasks(chunk), .retries = retries),
                         &result));
    int error = at_result_get(result, values, sizeof values, 3 * BOUND);
    ck_assert(error == 0 || error == AT_EDIED);
    for (size_t i = 0; i < MANY; i++)
        check_outcome(result, i, (int)i, values[i], retries);
    at_result_free(result);
}

static void run_storm(long chunk, unsigned retries, at_optional_count maxtasks) {
    unsigned seed = (unsigned)chunk;
    at_pool *pool;
    ok(at_pool_new(&pool, 4, .maxtasksperchild = maxtasks));
    at_thread *storm = begin_storm(pool, &seed);
    map_in_a_storm(pool, chunk, retries);
    end_storm(storm);
    map_in_a_storm(pool, chunk, 0);
    close_and_free(pool);
}

START_TEST(storm_over_a_map) {
    run_storm(1, 0, at_tasks(1000000));
    run_storm(37, 0, at_tasks(1000000));
    ck_assert_int_gt(killed, 10);
}
END_TEST

START_TEST(storm_over_a_map_with_retries) {
    run_storm(37, 100, at_tasks(1000000));
    run_storm(10, 100, at_tasks(20));
}
END_TEST

static _Atomic int good, bad;

static void on_success(void *context, const void *results, size_t size) {
    (void)context;
    require(size == sizeof(long) && *(const long *)results >= 0);
    good++;
}

static void on_failure(void *context, const at_failure *failure) {
    (void)context;
    require(failure->code == AT_EDIED);
    bad++;
}

START_TEST(storm_over_single_tasks) {
    static at_result *results[MANY];
    unsigned seed = 5;
    at_pool *pool = pool_of(4);
    at_thread *storm = begin_storm(pool, &seed);
    for (int i = 0; i < MANY; i++)
        ok(at_pool_apply_async(
            pool, AT_JOB(count_and_square, &i, 1, .callback = on_success, .error_callback = on_failure), &results[i]));
    int failed = 0;
    for (int i = 0; i < MANY; i++) {
        int error = at_result_get(results[i], &values[i], sizeof(long), 3 * BOUND);
        check_outcome(results[i], 0, i, values[i], 0);
        failed += error != 0;
        at_result_free(results[i]);
    }
    end_storm(storm);
    ck_assert_int_eq(good, MANY - failed);
    ck_assert_int_eq(bad, failed);
    close_and_free(pool);
}
END_TEST

START_TEST(storm_over_imap) {
    at_pool *pool = pool_of(4);
    unsigned seed = 7;
    at_thread *storm = begin_storm(pool, &seed);
    for (int kind = 0; kind < 2; kind++) {
        static bool given[MANY];
        at_result *result;
        size_t index;
        memset(given, 0, sizeof given);
        for (int i = 0; i < MANY; i++)
            args[i] = i;
        at_job *job = AT_JOB(square, args, MANY, .chunksize = at_tasks(7));
        ok(kind == 0 ? at_pool_imap(pool, job, &result) : at_pool_imap_unordered(pool, job, &result));
        for (size_t i = 0; i < MANY; i++) {
            long value = -1;
            int error = at_result_next(result, &value, &index, BOUND);
            require(error == 0 ? value == (long)index * (long)index : error == AT_EDIED);
            require(!given[index] && (kind == 1 || index == i));
            given[index] = true;
        }
        ck_assert_int_eq(at_result_next(result, NULL, NULL, BOUND), AT_EEND);
        at_result_free(result);
    }
    end_storm(storm);
    close_and_free(pool);
}
END_TEST

static int take_results(void *result) {
    size_t index;
    int error;
    while ((error = at_result_next(result, NULL, &index, BOUND)) == 0)
        add(10 + (int)index, 1);
    require(error == AT_EEND);
    return 0;
}

START_TEST(threads_share_the_results_of_one_imap) {
    at_pool *pool = pool_of(2);
    for (int i = 0; i < 100; i++)
        args[i] = i;
    for (int kind = 0; kind < 2; kind++) {
        at_thread *threads[4];
        at_result *result;
        at_job *job = AT_JOB(square, args, 100);
        ok(kind == 0 ? at_pool_imap(pool, job, &result) : at_pool_imap_unordered(pool, job, &result));
        for (int i = 0; i < 4; i++) {
            threads[i] = at_thread_new(.target = take_results, .arg = result);
            start(threads[i]);
        }
        for (int i = 0; i < 4; i++) {
            join(threads[i]);
            at_thread_free(threads[i]);
        }
        for (int i = 0; i < 100; i++)
            require(numbers[10 + i] == kind + 1);
        at_result_free(result);
    }
    close_and_free(pool);
}
END_TEST

/* The calls that end a pool, in a storm. */
START_TEST(storm_over_the_end) {
    for (int round = 0; round < 30; round++) {
        unsigned seed = (unsigned)round;
        at_pool *pool = pool_of(3);
        at_result *result;
        at_thread *storm = begin_storm(pool, &seed);
        ok(at_pool_map_async(pool, AT_JOB(count_and_square, args, 1000, .chunksize = at_tasks(5)), &result));
        if (round % 3 == 0)
            ok(at_pool_close(pool));
        if (round % 3 == 1)
            ok(at_pool_terminate(pool));
        if (round % 3 == 0)
            ok(at_pool_join(pool, BOUND));
        end_storm(storm);
        at_pool_free(pool);
        int error = outcome_of(result);
        require(error == 0 || error == AT_EDIED || (error == -ECANCELED && round % 3 != 0));
    }
}
END_TEST

/* ---- 28 */

/* Where garbage goes: the fields of the board, its newest posts, its workers' places, the jobs, anywhere of these. */
enum target { FIELDS, POSTS, PLACES, JOBS, ANYWHERE };

struct garbage {
    unsigned seed;
    enum target target;
    int words;
};

static struct board *find_board(void) {
    unsigned long begin, end;
    char line[512], shared;
    struct board *board = NULL;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%lx-%lx %*c%*c%*c%c", &begin, &end, &shared) == 3 && shared == 's' && end - begin >= 1u << 26)
            board = (struct board *)begin;
    fclose(maps);
    return board;
}

static uint64_t draw(unsigned *seed) {
    uint64_t word = (uint64_t)rand_r(seed) << 42 ^ (uint64_t)rand_r(seed) << 21 ^ (uint64_t)rand_r(seed);
    switch (rand_r(seed) % 4) {
    case 0:
        return word;
    case 1:
        return word % 16;
    case 2:
        return UINT64_MAX - word % 16;
    default:
        return (uint64_t)1 << word % 64;
    }
}

static void scribble_word(struct board *board, enum target target, unsigned *seed) {
    size_t offset = 0, length = 0;
    switch (target == ANYWHERE ? (enum target)(rand_r(seed) % 4) : target) {
    case FIELDS:
    case ANYWHERE:
        length = offsetof(struct board, posts);
        break;
    case POSTS:
        offset = offsetof(struct board, posts);
        length = 8 * sizeof(struct board_post);
        break;
    case PLACES:
        offset = offsetof(struct board, worker);
        length = 3 * sizeof(struct board_worker);
        break;
    case JOBS:
        offset = sizeof(struct board) + 3 * sizeof(struct board_worker);
        length = 8192;
        break;
    }
    volatile uint64_t *word = (volatile uint64_t *)((char *)board + offset) + (size_t)rand_r(seed) % (length / 8);
    *word = rand_r(seed) % 2 == 0 ? draw(seed) : *word ^ (uint64_t)1 << rand_r(seed) % 64;
}

AT_TASK(int, scribble, struct garbage, garbage) {
    struct board *board = find_board();
    for (int i = 0; i < garbage.words; i++)
        scribble_word(board, garbage.target, &garbage.seed);
    return 0;
}

static void count_callback(void *context, const void *results, size_t size) {
    (void)context, (void)results, (void)size;
    good++;
}

static void count_error(void *context, const at_failure *failure) {
    (void)context;
    require(failure->code < 0 && memchr(failure->text, 0, sizeof failure->text) != NULL);
    bad++;
}

/* What a sanitizer says of the workers, who read the garbage, is no news. */
static int be_silent(void *unused) {
    (void)unused;
    return freopen("/dev/null", "w", stderr) != NULL ? 0 : -EIO;
}

/* Uses a pool while a worker scribbles: no call may crash, or take longer than its time. The program's exit code. */
static int use_while_scribbled(struct garbage garbage) {
    static const double PATIENCE = 1.5;
    at_pool *pool;
    at_result *results[6] = {0};
    at_failure failure;
    int items[60], error;
    long squares[60];
    double begin = at_now();
    if (at_pool_new(&pool, 3, .initializer = be_silent) != 0)
        return 10;
    for (int i = 0; i < 60; i++)
        items[i] = i;
    error = at_map_async(pool, square, items, &results[0]);
    error = at_pool_imap_unordered(pool, AT_JOB(square, items, 60), &results[1]);
    error = at_pool_apply_async(pool, AT_JOB(scribble, &garbage, 1), &results[2]);
    error = at_pool_map_async(
        pool,
        AT_JOB(square, items, 60, .chunksize = at_tasks(1), .callback = count_callback, .error_callback = count_error),
        &results[3]);
    error = at_pool_map_async(pool, AT_JOB(square, items, 60, .timeout = at_seconds(0.5), .retries = 1), &results[4]);
    error = at_apply_async(pool, square, 5, &results[5]);
    for (int i = 0; i < 6; i++) {
        size_t size;
        if (results[i] == NULL)
            continue;
        if (i == 1)
            for (int j = 0; j < 60 && error != -ETIMEDOUT && error != AT_EEND; j++)
                error = at_result_next(results[i], squares, &size, PATIENCE / 5);
        error = at_result_get(results[i], i == 2 ? NULL : squares, i == 5 ? sizeof(long) : sizeof squares, PATIENCE);
        for (size_t j = 0; j < 60 && error != -ETIMEDOUT; j++)
            if (at_result_outcome(results[i], j, &size, &failure) < 0 && j < 1)
                error = failure.code;
        if (i % 2 == 0)
            at_result_free(results[i]);
    }
    error = at_pool_workers(pool, NULL, 0) + at_pool_failure(pool, &failure);
    if (garbage.seed % 2 == 0 && at_pool_close(pool) == 0)
        error = at_pool_join(pool, PATIENCE / 2);
    at_pool_free(pool);
    for (int i = 1; i < 6; i += 2)
        at_result_free(results[i]);
    (void)error; /* any is right: the garbage may be a result */
    return at_now() - begin < BOUND && count_children() == 0 && count_pool_mappings() == 0 ? 0 : 11;
}

static void scribble_over(enum target target, int seeds) {
    for (int seed = 1; seed <= seeds; seed++) {
        struct garbage garbage = {(unsigned)seed, target, 1 << seed % 10};
        fflush(NULL);
        pid_t program = fork();
        if (program == 0) {
            struct rlimit limit = {.rlim_cur = (rlim_t)1 << 32, .rlim_max = RLIM_INFINITY};
            if (!UNDER_ASAN && !UNDER_TSAN)
                setrlimit(RLIMIT_AS, &limit); /* a wild worker is not to fill all memory */
            alarm((unsigned)BOUND + 5);
            _exit(use_while_scribbled(garbage));
        }
        int how = end_of(program);
        ck_assert_msg(how == 0, "seed %d, target %d: ended with %d", seed, target, how);
    }
}

START_TEST(garbage_on_the_board) {
    scribble_over(FIELDS, 20);
    scribble_over(PLACES, 20);
}
END_TEST

START_TEST(garbage_in_posts) {
    scribble_over(POSTS, 12);
}
END_TEST

START_TEST(garbage_in_jobs_and_anywhere) {
    scribble_over(JOBS, 20);
    scribble_over(ANYWHERE, 12);
}
END_TEST

SUITE_WITH("pool_storms", begin_pools, end_pools, storm_over_a_map, storm_over_a_map_with_retries,
           storm_over_single_tasks, storm_over_imap, threads_share_the_results_of_one_imap, storm_over_the_end,
           garbage_on_the_board, garbage_in_posts, garbage_in_jobs_and_anywhere)
