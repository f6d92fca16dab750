/* test_bench_usage.c: what the benchmarks say of processor time, page faults and memory is at least what was used. */
#include <fcntl.h>
#include <sys/mman.h>

#include "usage.h"
#include "watch.h"

enum { MIB = 1 << 20, SIZE = 50 * MIB, KIB = SIZE / 1024, PAGE = 4096 };

/* The kernel counts what is resident for each processor, and adds it up only now and then. */
enum { UNCOUNTED_KIB = 1024 };

static const double BURNT_NS = 5e7;

/* Every page is there and has been faulted in by itself; what the caller unmaps. */
static char *touch(void) {
    char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED);
    madvise(memory, SIZE, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < SIZE; at += PAGE)
        memory[at] = 1;
    return memory;
}

static void burn(void) {
    struct timespec used, start;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    while ((double)(used.tv_sec - start.tv_sec) * 1e9 + (double)(used.tv_nsec - start.tv_nsec) < BURNT_NS);
}

static const struct members NOBODY = {NULL, 0};

static void expect_at_least(double value, double least, const char *what) {
    ck_assert_msg(value >= least, "%s: %g, not %g or more", what, value, least);
}

/* Of a page or so, for what the kernel rounds: 0.1%. */
static void expect_all(const struct usage *usage) {
    expect_at_least(usage->cpu_ns, BURNT_NS * 0.999, "processor time");
    expect_at_least(usage->minor_faults, (double)SIZE / (double)sysconf(_SC_PAGESIZE), "page faults");
    expect_at_least(usage->peak_kib, KIB - UNCOUNTED_KIB, "memory at the most");
}

START_TEST(own_usage_is_seen) {
    usage_begin(NOBODY, NULL, 0);
    munmap(touch(), SIZE);
    burn();
    struct usage usage = usage_end(NOBODY, NULL, 0);
    expect_all(&usage);
}
END_TEST

START_TEST(waiting_is_a_voluntary_switch) {
    usage_begin(NOBODY, NULL, 0);
    for (int i = 0; i < 10; i++)
        nap();
    struct usage usage = usage_end(NOBODY, NULL, 0);
    expect_at_least(usage.voluntary_switches, 10, "voluntary switches");
}
END_TEST

START_TEST(usage_of_a_child_that_has_ended_is_seen) {
    uint64_t peaks[2] = {1, 1};
    usage_begin(NOBODY, peaks, 2);
    require(peaks[0] == 0 && peaks[1] == 0); /* what the last run has left */
    pid_t child = fork();
    if (child == 0) {
        munmap(touch(), SIZE);
        burn();
        _exit(0);
    }
    require(end_of(child) == 0);
    peaks[1] = KIB; /* as a child would note it in shared memory */
    struct usage usage = usage_end(NOBODY, peaks, 2);
    expect_all(&usage);
}
END_TEST

/* A pool's worker lives on after a run; what it used before the run is not the run's. */
START_TEST(usage_of_a_member_is_seen_and_only_of_now) {
    struct wire to_child = wire_new(), from_child = wire_new();
    pid_t child = fork();
    if (child == 0) {
        close(to_child.write);
        munmap(touch(), SIZE);
        burn();
        wire_put(from_child, '.');
        while (wire_get(to_child) == '.') {
            munmap(touch(), SIZE);
            burn();
            wire_put(from_child, '.');
        }
        _exit(0);
    }
    const struct members members = {&child, 1};
    require(wire_get(from_child) == '.');
    usage_begin(members, NULL, 0);
    wire_put(to_child, '.');
    require(wire_get(from_child) == '.');
    struct usage usage = usage_end(members, NULL, 0);
    expect_all(&usage);
    usage_begin(members, NULL, 0);
    usage = usage_end(members, NULL, 0);
    ck_assert_msg(usage.cpu_ns < BURNT_NS, "%g ns of processor time for nothing", usage.cpu_ns);
    close(to_child.write);
    require(end_of(child) == 0);
    /* One that has ended counts for nothing, and does no harm. */
    usage_begin(members, NULL, 0);
    usage = usage_end(members, NULL, 0);
    expect_at_least(usage.cpu_ns, 0, "processor time");
}
END_TEST

/* A pool's worker that runs programs: what they take is the run's. */
START_TEST(usage_of_a_members_children_is_seen) {
    struct wire to_child = wire_new(), from_child = wire_new();
    pid_t child = fork();
    if (child == 0) {
        close(to_child.write);
        while (wire_get(to_child) == '.') {
            pid_t grandchild = fork();
            if (grandchild == 0) {
                munmap(touch(), SIZE);
                burn();
                _exit(0);
            }
            if (end_of(grandchild) != 0)
                _exit(1);
            wire_put(from_child, '.');
        }
        _exit(0);
    }
    const struct members members = {&child, 1};
    usage_begin(members, NULL, 0);
    wire_put(to_child, '.');
    require(wire_get(from_child) == '.');
    struct usage usage = usage_end(members, NULL, 0);
    double tick_ns = 1e9 / (double)sysconf(_SC_CLK_TCK);
    expect_at_least(usage.cpu_ns, BURNT_NS - 2 * tick_ns, "processor time");
    expect_at_least(usage.minor_faults, (double)SIZE / (double)sysconf(_SC_PAGESIZE), "page faults");
    close(to_child.write);
    require(end_of(child) == 0);
}
END_TEST

/* All hosts have the arrays of the memory workload; they are none of the other workloads'. */
START_TEST(shared_memory_of_before_is_not_the_runs) {
    char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED);
    memset(memory, 1, SIZE);
    require(status_number(0, "RssShmem") > KIB - UNCOUNTED_KIB);
    usage_begin(NOBODY, NULL, 0);
    struct usage usage = usage_end(NOBODY, NULL, 0);
    double all = status_number(0, "VmRSS");
    munmap(memory, SIZE);
    ck_assert_msg(usage.peak_kib < all - KIB + 2 * UNCOUNTED_KIB, "%g KiB of %g", usage.peak_kib, all);
}
END_TEST

START_TEST(peak_of_the_last_run_is_forgotten) {
    int file = open("/proc/self/clear_refs", O_WRONLY);
    if (file < 0 || write(file, "5", 1) != 1)
        skip("this kernel does not let a process forget its peak");
    close(file);
    usage_begin(NOBODY, NULL, 0);
    munmap(touch(), SIZE);
    struct usage with = usage_end(NOBODY, NULL, 0);
    usage_begin(NOBODY, NULL, 0);
    struct usage without = usage_end(NOBODY, NULL, 0);
    expect_at_least(with.peak_kib - without.peak_kib, KIB - 2 * UNCOUNTED_KIB, "memory forgotten");
}
END_TEST

SUITE("bench_usage", own_usage_is_seen, waiting_is_a_voluntary_switch, usage_of_a_child_that_has_ended_is_seen,
      usage_of_a_member_is_seen_and_only_of_now, usage_of_a_members_children_is_seen,
      shared_memory_of_before_is_not_the_runs, peak_of_the_last_run_is_forgotten)
