/* cuda_twice.h: suites that call kernels themselves: on the emulated card, and on the machine's own, if it has one. */
#ifndef ATELIER_TESTS_CUDA_TWICE_H
#define ATELIER_TESTS_CUDA_TWICE_H

#include "emulated.h"
#include "watch.h"

/*
 * These suites are linked with NVIDIA's libraries, and find those that stand in for them first. What these have besides
 * is not there when the suite runs once more, as a process of its own that is told to find the true ones.
 */
#pragma weak emulated_fail
#pragma weak emulated_seed
#pragma weak emulated_held

static inline void twice_seed(uint64_t seed) {
    if (emulated_seed != NULL)
        emulated_seed(seed);
}

/* Nothing is left on the card. */
static inline void twice_left(void) {
    static const char *const KINDS[] = {"memory", "host", "registered", "streams", "events", "graphs", "handles"};
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS && emulated_held != NULL; i++)
        ck_assert_uint_eq(emulated_held(KINDS[i]), 0);
}

/* Of a file beside this suite. */
static inline const char *path_of(const char *name, char path[512]) {
    ssize_t length = readlink("/proc/self/exe", path, 512 - 64);
    require(length > 0);
    path[length] = '\0';
    snprintf(strrchr(path, '/'), 64, "/%s", name);
    return path;
}

START_TEST(the_same_on_a_card) {
    char kernels[512];
    if (emulated_seed == NULL)
        return; /* this is it */
    unsetenv("LD_LIBRARY_PATH");
    at_completed run;
    ok(at_run(AT_ARGS(path_of("../gpu/kernels", kernels), "--rows", "1", "--inputs", "1", "--outputs", "1"),
              .capture_output = true, .completed = &run));
    bool none = strstr(run.stderr, "needs a graphics card") != NULL;
    at_completed_free(&run);
    if (none)
        skip("no card");
    setenv("LD_LIBRARY_PATH", CUDA_LIBRARIES, 1);
    setenv("AT_SKIP_LOG", "/dev/null", 1);
    setenv("CK_TAP_LOG_FILE_NAME", "/dev/null", 1);
    ok(at_run(AT_ARGS("/proc/self/exe"), .capture_output = true, .completed = &run));
    ck_assert_msg(run.returncode == 0, "%s", run.stdout);
    at_completed_free(&run);
}
END_TEST

#define TWICE(name, ...) SUITE(name, the_same_on_a_card, __VA_ARGS__)

#endif
