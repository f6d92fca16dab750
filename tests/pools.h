/* pools.h: what the suites about pools share: tasks, numbers that workers share, and that a test leaves nothing. */
#ifndef ATELIER_TESTS_POOLS_H
#define ATELIER_TESTS_POOLS_H

#include <dirent.h>
#include <stdatomic.h>

#include "watch.h"

enum { NUMBERS = 1 << 17 };

/* Shared by a test and all workers of its pools, and zeros at first. */
static _Atomic int *numbers;

static inline int add(int place, int number) {
    return atomic_fetch_add(&numbers[place], number);
}

/* Shared mappings of this process that are as large as a pool's. */
static inline int count_pool_mappings(void) {
    char line[512];
    unsigned long begin, end;
    char shared;
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    require(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%lx-%lx %*c%*c%*c%c", &begin, &end, &shared) == 3)
            count += shared == 's' && end - begin >= 1ul << 26;
    fclose(maps);
    return count;
}

static struct held { int fds, threads, children, mappings; } held;

static inline struct held count_held(void) {
    return (struct held){count_fds(), count_threads(), count_children(), count_pool_mappings()};
}

static inline int return_at_once(void *unused) {
    (void)unused;
    return 0;
}

/* With a process's first thread ThreadSanitizer starts one of its own, which then is not to be counted. */
static inline void start_a_thread(void) {
    if (!UNDER_TSAN)
        return;
    at_thread *thread = at_thread_new(.target = return_at_once);
    start(thread);
    join(thread);
    at_thread_free(thread);
}

/* Before each test, and after it: what its pools had is given back. A test that has made a spawner says so. */
static int spawners;

static inline void begin_pools(void) {
    numbers = at_shared_new(NUMBERS * sizeof *numbers);
    require(numbers != NULL);
    start_a_thread();
    held = count_held();
}

static inline void end_pools(void) {
    struct held now = count_held();
    ck_assert_int_eq(now.fds, held.fds);
    ck_assert_int_eq(now.children, held.children);
    ck_assert_int_eq(now.mappings, held.mappings);
    ck_assert_int_eq(now.threads, held.threads + spawners);
}

/* A pool of so many workers. */
static inline at_pool *pool_of(int workers) {
    at_pool *pool;
    ok(at_pool_new(&pool, workers));
    return pool;
}

static inline void close_and_free(at_pool *pool) {
    ok(at_pool_close(pool));
    ok(at_pool_join(pool, BOUND));
    at_pool_free(pool);
}

/* Waits until it is ready, and frees it: its outcome. */
static inline int outcome_of(at_result *result) {
    int error = at_result_get(result, NULL, 0, BOUND);
    at_result_free(result);
    return error;
}

/* The pids of the children of a process, of all its threads, up to `most`; their number. */
static inline int children_of(pid_t parent, pid_t *pids, int most) {
    char path[300];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)parent);
    DIR *tasks = opendir(path);
    for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)parent, task->d_name);
        FILE *file = fopen(path, "r");
        while (file != NULL && count < most && fscanf(file, "%d", &pids[count]) == 1)
            count++;
        if (file != NULL)
            fclose(file);
    }
    if (tasks != NULL)
        closedir(tasks);
    return count;
}

/* The process that forks the workers: the only child of this one. */
static inline pid_t nursery_pid(void) {
    pid_t pids[2];
    require(children_of(getpid(), pids, 2) == 1);
    return pids[0];
}

#endif
