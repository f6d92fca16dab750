/* test_serving_doctor.c: what make doctor says of cards, with an nvidia-smi of the test's in place of the driver's. */
#include <sys/stat.h>

#include "bench_folder.h"

/* A program of that name, found before all others. */
static void write_program(const char *name, const char *text) {
    FILE *file = fopen(in_folder(name), "we");
    require(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    require(chmod(in_folder(name), 0700) == 0);
}

/* Python takes seconds to say which of its modules are there, and is not what these tests are about. */
static void set_up(void) {
    make_folder();
    write_program("python3", "#!/bin/sh\nexit 1\n");
}

static const char *doctor(void) {
    static char output[8000];
    ck_assert_int_eq(run_line(output, sizeof output, "PATH=%s:$PATH ./setup --doctor", folder), 0);
    return output;
}

START_TEST(each_card_has_a_line_and_so_have_compiler_and_library) {
    write_program("nvidia-smi",
                  "#!/bin/sh\n"
                  "[ \"$1\" = --query-gpu=index,name,memory.total,driver_version,compute_cap ] || exit 2\n"
                  "echo '0, NVIDIA H200, 143771 MiB, 580.65.06, 9.0'\n"
                  "echo '1, NVIDIA A10, 23028 MiB, 580.65.06, 8.6'\n");
    write_program("nvcc", "#!/bin/sh\necho 'nvcc: NVIDIA (R) Cuda compiler driver'\n"
                          "echo 'Cuda compilation tools, release 99.1, V99.1.2'\n");
    const char *said = doctor();
    ck_assert_msg(matches(said, "card 0 +NVIDIA H200, 143771 MiB, driver 580.65.06, compute capability 9.0\n"
                                "card 1 +NVIDIA A10, 23028 MiB, driver 580.65.06, compute capability 8.6\n"
                                "nvcc +Cuda compilation tools, release 99.1, V99.1.2\n"
                                "CUDA library +(build/gpu/cuda.so|not built: .*where nvcc is\\))\n"),
                  "%s", said);
}
END_TEST

START_TEST(a_driver_that_fails_is_quoted) {
    write_program("nvidia-smi", "#!/bin/sh\necho 'NVIDIA-SMI has failed because it could not communicate'\n"
                                "echo 'with the driver'\nexit 9\n");
    const char *said = doctor();
    ck_assert_msg(matches(said, "cards +none that works: NVIDIA-SMI has failed because it could not communicate\n"
                                "nvcc "),
                  "%s", said);
}
END_TEST

SUITE_WITH("serving_doctor", set_up, remove_folder, each_card_has_a_line_and_so_have_compiler_and_library,
           a_driver_that_fails_is_quoted)
