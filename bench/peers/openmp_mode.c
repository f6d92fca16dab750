/* openmp_mode.c: OpenMP's parallel loop, whose threads stay between runs: openmp_mode [PART] (bench/host.h). */
#include <omp.h>
#include <sched.h>
#include <stdlib.h>

#include "host.h"
#include "measure.h"

/* How long the threads may take to be apart; how often it is looked whether they sleep. */
enum { ENTER_NS = 50000000, LOOK_NS = 5000000 };

/* Equal shares, as threads have them here: a loop over the workers and not over the tasks. */
static void run(const struct job *job) {
#pragma omp parallel for num_threads((int)job->workers) schedule(static, 1)
    for (size_t worker = 0; worker < job->workers; worker++)
        job_share(job, worker);
}

/*
 * Wakes the threads, until each has a core of its own, as far as there are cores. At first they are often on the core
 * of the one who woke them, and there the one who waits for the other spins away the time that this one needs, for ms.
 */
static void enter(const struct job *job) {
    int cores[MOST_WORKERS] = {0};
    size_t threads = 0;
    uint64_t start = now_ns();
    bool apart;
    do {
        apart = true;
#pragma omp parallel num_threads((int)job->workers)
        {
            cores[omp_get_thread_num()] = sched_getcpu();
#pragma omp single
            threads = (size_t)omp_get_num_threads();
        }
        if (threads != job->workers) {
            fprintf(stderr, "openmp_mode: %zu threads came of %zu: is OMP_THREAD_LIMIT set?\n", threads, job->workers);
            exit(1);
        }
        for (size_t i = 1; i < job->workers && job->workers <= cores_at_hand(); i++)
            for (size_t other = 0; other < i; other++)
                apart = apart && cores[i] != cores[other];
    } while (!apart && now_ns() - start < ENTER_NS);
}

static uint64_t cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/* When they have nothing to do they spin for some ms before they sleep; not in somebody else's time. */
static void leave(void) {
    uint64_t before, used = cpu_ns();
    do {
        before = used;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
        used = cpu_ns();
    } while (used - before > LOOK_NS / 4);
}

static void *create(void) {
    static omp_lock_t lock;
    omp_init_lock(&lock);
    return &lock;
}

static void acquire(void *lock) {
    omp_set_lock(lock);
}

static void release(void *lock) {
    omp_unset_lock(lock);
}

static const struct lock_kind locks = {create, acquire, release};

int main(int argc, char *argv[]) {
    static const struct mode mode = {
        .name = "openmp", .title = "OpenMP", .locks = &locks, .run = run, .enter = enter, .leave = leave};
    omp_set_dynamic(0); /* as many as are asked for, whatever OMP_DYNAMIC says */
    return host_main(&mode, argc, argv);
}
