/*
 * test_pool_limits.c: pools where there is not enough: each call on which they depend fails, at its first use, its
 * second and so on; descriptors, processes, memory and places for tasks run out (faults 15, 16).
 *
 * The linker sends these calls of the library to the __wrap_ functions below (WRAP_POOL in the Makefile).
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "board.h"
#include "pools.h"
#include "wrap.h"

/* ---- the calls that fail */

static struct {
    const char *call; /* which is to fail; NULL: none */
    _Atomic int countdown;
    int error;
    pid_t owner;
    bool in_nursery; /* in the children of the owner, and not in itself */
} fault;

enum { NO_FORKS = 5 }; /* this number: no child of the owner can fork */

static bool strikes(const char *call) {
    if (strcmp(call, "fork") == 0 && numbers != NULL && numbers[NO_FORKS] != 0 && getpid() != fault.owner) {
        fault.error = EAGAIN;
        return true;
    }
    return fault.call != NULL && strcmp(call, fault.call) == 0 && (getpid() == fault.owner) != fault.in_nursery &&
           --fault.countdown == 0;
}

WRAP_MALLOC
WRAP(void *, calloc, NULL, (size_t count, size_t size), count, size)
WRAP_REALLOC
WRAP(char *, strdup, NULL, (const char *text), text)
WRAP_MMAP
WRAP(int, eventfd, -1, (unsigned count, int flags), count, flags)
WRAP_SOCKETPAIR
WRAP_FORK
WRAP_PIDFD_OPEN
WRAP_PTHREAD_CREATE
WRAP_SENDMSG
WRAP_RECVMSG

/* ---- what uses them */

AT_TASK(long, square, int, x) {
    return (long)x * x;
}

AT_TASK(int, wait_at_gate, int, x) {
    add(1, 1);
    while (numbers[0] == 0)
        nap();
    return x;
}

static int args[64];

/* 0, or the error of the call that failed. */
static int make_and_use(void) {
    at_pool *pool;
    at_result *result = NULL;
    long results[64], value;
    int error = at_pool_new(&pool, 2);
    if (error != 0)
        return pool == NULL ? error : 1;
    for (int i = 0; i < 64; i++)
        args[i] = i;
    error = at_map(pool, square, args, results);
    for (int i = 0; i < 64 && error == 0; i++)
        require(results[i] == (long)i * i);
    if (error == 0)
        error = at_pool_imap_unordered(pool, AT_JOB(square, args, 64), &result);
    for (int i = 0; i < 64 && error == 0; i++)
        error = at_result_next(result, &value, NULL, BOUND);
    at_result_free(result);
    at_pool_free(pool);
    return error;
}

enum { PASSED, FAILED, NOT_REACHED };

static int strike(const char *call, int nth, int error) {
    start_a_thread();
    struct held before = count_held();
    fault.owner = getpid();
    fault.countdown = nth;
    fault.error = error;
    fault.call = call;
    int result = make_and_use();
    fault.call = NULL;
    bool reached = fault.countdown <= 0 || (fault.in_nursery && result != 0);
    bool right = result == 0 || (reached && (result == -error || (error == EPIPE && result == AT_ENOZYGOTE)));
    struct held after = count_held();
    right = right && memcmp(&before, &after, sizeof after) == 0;
    if (right && reached)
        right = make_and_use() == 0;
    if (!right)
        fprintf(stderr, "%s failing with %s at use %d gave %d (%s); %d fds, %d threads, %d children more\n", call,
                strerrorname_np(error), nth, result, at_strerror(result), after.fds - before.fds,
                after.threads - before.threads, after.children - before.children);
    return !right ? FAILED : reached ? PASSED : NOT_REACHED;
}

/* Each use of the call fails in turn, in a process of its own; `least` of them there are. */
static void sweep(const char *call, int error, int least) {
    int nth = 0, result;
    do {
        fflush(NULL);
        pid_t pid = __real_fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            alarm((unsigned)BOUND);
            _exit(strike(call, ++nth, error));
        }
        nth++;
        result = end_of(pid);
    } while (result == PASSED);
    ck_assert_msg(result == NOT_REACHED, "%s at use %d: %d", call, nth, result);
    ck_assert_msg(nth > least, "%s was used %d times, and not %d", call, nth - 1, least);
}

START_TEST(pool_cannot_be_made_or_used) {
    sweep("malloc", ENOMEM, 3);
    sweep("calloc", ENOMEM, 4);
    sweep("realloc", ENOMEM, 0);
    sweep("strdup", ENOMEM, 1);
    sweep("mmap", ENOMEM, 1);
    sweep("eventfd", EMFILE, 1);
    sweep("socketpair", EMFILE, 1);
    sweep("fork", EAGAIN, 1);
    sweep("pidfd_open", EMFILE, 1);
    sweep("pthread_create", EAGAIN, 1);
    sweep("sendmsg", ENOBUFS, 1);
    sweep("sendmsg", EINTR, 1);
    sweep("recvmsg", EINTR, 1);
}
END_TEST

START_TEST(nursery_cannot_fork) {
    fault.in_nursery = true;
    for (int nth = 1; nth <= 2; nth++) {
        pid_t pid = __real_fork();
        if (pid == 0) {
            alarm((unsigned)BOUND);
            _exit(strike("fork", nth, EAGAIN) == PASSED && strike("pidfd_open", nth + 1, EMFILE) == PASSED ? 0 : 1);
        }
        ck_assert_int_eq(end_of(pid), 0);
    }
}
END_TEST

/* ---- later, workers cannot be replaced */

static void kill_workers_for_good(at_pool *pool, int count) {
    pid_t pids[2];
    await(at_pool_workers(pool, pids, 2) == 2);
    numbers[NO_FORKS] = 1;
    for (int i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
    for (int i = 0; i < count; i++)
        await(!pid_exists(pids[i]));
}

START_TEST(workers_that_cannot_be_replaced_come_later) {
    at_pool *pool = pool_of(2);
    fault.owner = getpid();
    long results[64];
    for (int count = 1; count <= 2; count++) {
        at_result *result;
        kill_workers_for_good(pool, count);
        ok(at_map_async(pool, square, args, &result));
        if (count == 1)
            ok(at_result_get(result, results, sizeof results, BOUND));
        ck_assert_int_eq(at_result_get(result, results, sizeof results, 0.2), count == 1 ? 0 : -ETIMEDOUT);
        await(at_pool_workers(pool, NULL, 0) == 2 - count);
        numbers[NO_FORKS] = 0;
        ok(at_result_get(result, results, sizeof results, BOUND));
        at_result_free(result);
    }
    close_and_free(pool);
}
END_TEST

START_TEST(pool_without_workers_breaks) {
    at_pool *pool = pool_of(2);
    at_failure failure;
    fault.owner = getpid();
    kill_workers_for_good(pool, 2);
    ck_assert_int_eq(at_pool_map(pool, AT_JOB(square, args, 64), NULL, &failure), AT_EBROKEN);
    ck_assert_int_eq(strncmp(failure.text, "no worker can be started: ", 26), 0);
    at_pool_free(pool);
}
END_TEST

/* ---- the real limits */

START_TEST(descriptors_run_out) {
    int filler[FEW_DESCRIPTORS], room = 0;
    for (int result = -1; result != 0; room++) {
        ck_assert_int_lt(room, 20);
        struct held before = count_held();
        int count = fill_descriptors(filler, room);
        result = make_and_use();
        empty_descriptors(filler, count);
        ck_assert_msg(result == 0 || result == -EMFILE, "%s", at_strerror(result));
        struct held after = count_held();
        ck_assert_mem_eq(&after, &before, sizeof after);
    }
    ck_assert_int_gt(room, 4);
    at_pool *pool = pool_of(2);
    int count = fill_descriptors(filler, 0);
    kill_workers_for_good(pool, 2);
    numbers[NO_FORKS] = 0;
    ok(at_map(pool, square, args, NULL)); /* each dead worker left the room for the next one's */
    empty_descriptors(filler, count);
    await(at_pool_workers(pool, NULL, 0) == 2);
    close_and_free(pool);
}
END_TEST

/* As a user who has used up its processes; root knows no such limit, so root becomes that user. */
static void use_up_processes(void) {
    at_pool *pool;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        at_fatal("cannot become another user");
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_NPROC, &none);
    int before = count_fds(), error = at_pool_new(&pool, 2);
    printf("%d %d", error, count_fds() - before);
    fflush(stdout);
    _exit(0); /* past LeakSanitizer, which would need a process of its own */
}

START_TEST(processes_run_out) {
    char output[200], expected[100];
    ck_assert_int_eq(run_program(use_up_processes, output, sizeof output), 0);
    snprintf(expected, sizeof expected, "%d 0", -EAGAIN);
    ck_assert_str_eq(output, expected);
}
END_TEST

/* Where 64 GiB cannot be reserved, less will do; below 64 MiB there is no pool. */
static void limit_memory(void) {
    for (int bits = 24; bits <= 32; bits += 4) {
        struct rlimit limit = {.rlim_cur = (rlim_t)1 << bits, .rlim_max = RLIM_INFINITY};
        setrlimit(RLIMIT_AS, &limit);
        printf("%d ", make_and_use());
    }
}

START_TEST(address_space_runs_out) {
    char output[200], expected[100];
    if (UNDER_ASAN || UNDER_TSAN)
        skip("the sanitizers need more address space than any limit");
    ck_assert_int_eq(run_program(limit_memory, output, sizeof output), 0);
    snprintf(expected, sizeof expected, "%d 0 0 ", -ENOMEM);
    ck_assert_str_eq(output, expected);
}
END_TEST

/* ---- more tasks than the board has positions */

AT_TASK(int, count_task, int, unused) {
    (void)unused;
    return add(2, 1);
}

START_TEST(pending_tasks_are_limited) {
    if (UNDER_ASAN || UNDER_TSAN)
        skip("so many tasks take the sanitizers too long");
    at_pool *pool = pool_of(2);
    pid_t pids[2];
    int posted = 0, error;
    await(at_pool_workers(pool, pids, 2) == 2);
    require(kill(pids[0], SIGSTOP) == 0 && kill(pids[1], SIGSTOP) == 0);
    while ((error = at_apply_async(pool, count_task, 0, NULL)) == 0)
        posted++;
    ck_assert_int_eq(error, AT_EFULL);
    ck_assert_int_eq(posted, BOARD_POSITIONS - BOARD_PIECES);
    ck_assert_int_eq(at_apply(pool, count_task, 0, NULL), AT_EFULL);
    kill(pids[0], SIGCONT);
    kill(pids[1], SIGCONT);
    close_and_free(pool);
    ck_assert_int_eq(numbers[2], posted);
}
END_TEST

/* The tasks that wait were posted more than a round of the ring ago: they still have their worker, and their time. */
START_TEST(long_tasks_among_many_short_ones) {
    if (UNDER_ASAN || UNDER_TSAN)
        skip("so many tasks take the sanitizers too long");
    at_pool *pool = pool_of(3);
    at_result *killed, *late;
    at_failure failure;
    ok(at_apply_async(pool, wait_at_gate, 1, &killed));
    ok(at_pool_apply_async(pool, AT_JOB(wait_at_gate, args, 1, .timeout = at_seconds(4)), &late));
    await(numbers[1] == 2);
    for (int i = 0; i < BOARD_POSITIONS + 10;) {
        int error = at_apply_async(pool, count_task, 0, NULL);
        require(error == 0 || error == AT_EFULL);
        i += error == 0;
        if (error != 0)
            nap();
    }
    pid_t pids[3];
    ck_assert_int_eq(at_pool_workers(pool, pids, 3), 3);
    ck_assert_int_eq(at_result_get(late, NULL, 0, BOUND), AT_ETASKTIME);
    for (int i = 0; i < 3; i++)
        kill(pids[i], SIGKILL);
    ck_assert_int_eq(at_result_get(killed, NULL, 0, BOUND), AT_EDIED);
    ck_assert_int_eq(at_pool_failure(pool, &failure), 0);
    at_result_free(killed);
    at_result_free(late);
    close_and_free(pool);
}
END_TEST

/* ---- memory is given back */

static int fill_with_ones(at_call *call) {
    memset(at_call_result(call), 1, (size_t)200 << 20);
    return 0;
}

/* KiB of shared memory that this process has touched and that still is there. */
static long shared_kib(void) {
    char line[200];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    require(status != NULL);
    while (fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "RssShmem: %ld", &kib) == 1)
            break;
    fclose(status);
    return kib;
}

START_TEST(memory_of_large_results_is_given_back) {
    static const at_task task = {"fill_with_ones", fill_with_ones, 0, (size_t)200 << 20};
    unsigned char *results = malloc((size_t)200 << 20);
    at_pool *pool = pool_of(1);
    ok(at_apply(pool, square, 1, NULL)); /* so that the large block begins at an odd place */
    long before = shared_kib();
    for (int i = 0; i < 3; i++) {
        ok(at_pool_apply(pool, &(at_job){.task = &task}, results, NULL));
        for (int j = 0; j < 2; j++)
            ok(at_apply(pool, square, 1, NULL));
        require(results[0] == 1 && results[((size_t)200 << 20) - 1] == 1);
        ck_assert_int_lt(shared_kib() - before, 10 << 10);
    }
    free(results);
    close_and_free(pool);
}
END_TEST

SUITE_WITH("pool_limits", begin_pools, end_pools, pool_cannot_be_made_or_used, nursery_cannot_fork,
           workers_that_cannot_be_replaced_come_later, pool_without_workers_breaks, descriptors_run_out,
           processes_run_out, address_space_runs_out, pending_tasks_are_limited, long_tasks_among_many_short_ones,
           memory_of_large_results_is_given_back)
