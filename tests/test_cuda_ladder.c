/* test_cuda_ladder.c: the ladder: each version against sums in double, wrong ones that are found, the program. */
#include "../gpu/cuda/ladder.h"
#include "../gpu/cuda/ladder_table.h"
#include "../gpu/cuda/ladder_trial.h"

#include <fcntl.h>
#include <math.h>

#include "cuda_twice.h"

SANITIZER_OPTIONS("handle_segv=0:allow_user_segv_handler=1", "")

/* ---- versions */

static struct ladder_trial opened(uint32_t rows, uint32_t inputs, uint32_t outputs) {
    struct ladder_trial trial;
    struct failure failure;
    if (ladder_trial_open(&trial, rows, inputs, outputs, &failure) < 0)
        ck_abort_msg("%s", failure.text);
    return trial;
}

static double error_of(struct ladder_trial *trial, const struct ladder_version *version) {
    struct failure failure;
    double error;
    if (ladder_trial_check(trial, version, &error, &failure) < 0)
        ck_abort_msg("%s", failure.text);
    return error;
}

static void check_all(uint32_t rows, uint32_t inputs, uint32_t outputs, uint64_t seeds) {
    struct ladder_trial trial = opened(rows, inputs, outputs);
    for (size_t i = 0; i < LADDER_VERSIONS; i++)
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            const struct ladder_version *version = &ladder_versions[i];
            twice_seed(seed);
            double error = error_of(&trial, version);
            if (!(error <= version->tolerance))
                ck_abort_msg("version %d (%s), %u x %u x %u, seed %llu: %g", version->number, version->name, rows,
                             inputs, outputs, (unsigned long long)seed, error);
        }
    ladder_trial_close(&trial);
    twice_left();
}

START_TEST(each_version_is_right_within_a_tile) {
    check_all(1, 1, 1, 1);
    check_all(15, 17, 16, 1);
    check_all(16, 8, 17, 2);
    check_all(17, 15, 1, 1);
}
END_TEST

START_TEST(each_version_is_right_at_the_edges_of_tiles) {
    check_all(33, 7, 31, 1);
    check_all(63, 65, 64, 1);
    check_all(65, 32, 63, 2);
    check_all(100, 33, 70, 1);
}
END_TEST

START_TEST(each_version_is_right_in_many_tiles) {
    check_all(129, 9, 33, 1);
    check_all(17, 9, 257, 1);
    check_all(2, 100, 129, 2); /* at the third step, buffers are filled anew */
}
END_TEST

/* What a warp may do before the others are so far: seeds that let one lag behind. */
START_TEST(no_order_of_warps_makes_a_version_wrong) {
    struct ladder_trial trial = opened(17, 9, 200);
    for (uint64_t seed = 1; seed <= 6; seed++) {
        twice_seed(seed);
        ck_assert_double_le(error_of(&trial, &ladder_versions[2]), 1e-6);
        ck_assert_double_le(error_of(&trial, &ladder_versions[3]), 1e-6);
        ck_assert_double_le(error_of(&trial, &ladder_versions[5]), 1e-5);
    }
    ladder_trial_close(&trial);
}
END_TEST

/* ---- what is wrong is found */

START_TEST(a_version_that_leaves_something_out_is_wrong) {
    struct ladder_trial trial = opened(40, 33, 50);
    struct ladder_version fewer = ladder_versions[2], rounder = ladder_versions[3];
    fewer.tile_rows *= 2; /* so that half of the rows belong to no block */
    ck_assert(isinf(error_of(&trial, &fewer)));
    fewer = ladder_versions[0];
    fewer.tile_outputs++;
    ck_assert(isinf(error_of(&trial, &fewer)));
    rounder.half = true; /* against what fp16's numbers come to */
    ck_assert_double_gt(error_of(&trial, &rounder), 1e-5);
    rounder = ladder_versions[5];
    rounder.half = false;
    ck_assert_double_gt(error_of(&trial, &rounder), 1e-5);
    trial.dense.inputs--;
    ck_assert_double_gt(error_of(&trial, &ladder_versions[0]), 1e-3);
    ck_assert_double_gt(error_of(&trial, &ladder_versions[1]), 1e-3);
    trial.dense.pitch -= 8; /* so that rows begin elsewhere, and the last inputs are missing */
    ck_assert_double_gt(error_of(&trial, &ladder_versions[3]), 1e-3);
    trial.dense.pitch += 8;
    ladder_trial_close(&trial);
}
END_TEST

/* Errors of any call come back as sentences, and what was made before is given back. */
START_TEST(each_call_may_fail) {
    const char *const CALLS[] = {"cudaMalloc",
                                 "cudaMemcpy",
                                 "cudaLaunchKernel",
                                 "cudaStreamCreateWithFlags",
                                 "cudaEventCreate",
                                 "cudaMemsetAsync",
                                 "cudaMemcpyAsync",
                                 "cudaFuncSetAttribute",
                                 "cudaStreamSynchronize",
                                 "cublasLtCreate",
                                 "cublasLtMatmulDescCreate",
                                 "cublasLtMatmulDescSetAttribute",
                                 "cublasLtMatrixLayoutCreate",
                                 "cublasLtMatmulPreferenceCreate",
                                 "cublasLtMatmulAlgoGetHeuristic",
                                 "cublasLtMatmul"};
    if (emulated_seed == NULL)
        skip("no card can be made to fail");
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++)
        for (unsigned number = 1, failed = 1; failed && number < 50; number += i < 3 ? 1 : 3) {
            char fault[80];
            struct ladder_trial trial;
            struct failure failure = {{0}};
            double error = 0;
            snprintf(fault, sizeof fault, "%s:1@%u", CALLS[i], number);
            emulated_fail(fault);
            int result = ladder_trial_open(&trial, 3, 4, 5, &failure);
            bool open = result == 0;
            for (size_t j = 4; j < LADDER_VERSIONS && result == 0; j++)
                result = ladder_trial_check(&trial, &ladder_versions[j], &error, &failure);
            emulated_fail("");
            if (open)
                ladder_trial_close(&trial);
            twice_left();
            failed = result != 0;
            ck_assert_msg(number > 1 || failed, "%s is not called", CALLS[i]);
            ck_assert_msg(!failed || (result == -EIO && strstr(failure.text, "gpu/cuda/ladder") == failure.text), "%s",
                          failure.text);
        }
}
END_TEST

/* ---- what a card could do, and what is printed of it */

static void require_peak(int major, int minor, int multiprocessors, int megahertz, double full, double half) {
    double peaks[2] = {ladder_peak(major, minor, multiprocessors, 1000 * megahertz, false),
                       ladder_peak(major, minor, multiprocessors, 1000 * megahertz, true)};
    ck_assert_double_le(fabs(peaks[0] / 1e12 - full), 0.02 * full);
    ck_assert_double_le(fabs(peaks[1] / 1e12 - half), 0.02 * half);
}

/* TFLOP/s from the data sheets of V100 SXM2, T4, A100, A10, L4, H100 SXM; that has another clock in its fp16 row. */
START_TEST(peaks_are_those_of_the_data_sheets) {
    require_peak(7, 0, 80, 1530, 15.7, 125);
    require_peak(7, 5, 40, 1590, 8.1, 65);
    require_peak(8, 0, 108, 1410, 19.5, 312);
    require_peak(8, 6, 72, 1695, 31.2, 125);
    require_peak(8, 9, 58, 2040, 30.3, 121);
    ck_assert_double_eq_tol(ladder_peak(9, 0, 132, 1980000, false), 66.9e12, 0.1e12);
    ck_assert_double_eq_tol(ladder_peak(9, 0, 132, 1830000, true), 989.4e12, 0.5e12);
    ck_assert_double_eq(ladder_peak(6, 1, 20, 1700000, false), 0);
    ck_assert_double_eq(ladder_peak(99, 0, 20, 1700000, true), 0);
}
END_TEST

/* What ladder_table_print prints. */
static char *printed(const struct ladder_table *table, bool right) {
    static char text[8192];
    char path[] = "/tmp/ladder_XXXXXX";
    int file = mkstemp(path), before = dup(STDOUT_FILENO);
    require(file >= 0 && unlink(path) == 0 && fflush(stdout) == 0 && dup2(file, STDOUT_FILENO) >= 0);
    bool is = ladder_table_print(table);
    require(fflush(stdout) == 0 && dup2(before, STDOUT_FILENO) >= 0);
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    require(length > 0 && is == right);
    text[length] = '\0';
    close(file);
    close(before);
    return text;
}

#define require_in(text, part) ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text)

/* Numbers made up so that the shares are round. */
START_TEST(the_table_says_what_was_found) {
    struct ladder_table table = {.settings = {.rows = 1000, .inputs = 1000, .outputs = 500, .repeat = 21}};
    table.card = (struct ladder_card){.name = "Made", .major = 9, .multiprocessors = 100, .kilohertz = 1000000};
    for (size_t i = 0; i < LADDER_VERSIONS; i++) {
        table.settings.chosen[i] = true;
        table.lines[i] =
            (struct ladder_line){.right = true, .error = 1e-7, .median = 1e-4, .low = 0.9e-4, .high = 1.2e-4};
    }
    table.lines[0] = (struct ladder_line){.error = 0.5, .median = NAN, .low = NAN, .high = NAN};
    table.lines[1].median = 4e-4;
    table.lines[6].median = 5e-5;
    char *text = printed(&table, false);
    require_in(text, "layer: 1000 rows, 1000 inputs, 500 outputs: 1 GFLOP; medians of 21 runs");
    require_in(text, "25.6 TFLOP/s in fp32, 409.6 TFLOP/s in fp16");
    require_in(text, "1  naive         fp32    5.0e-01  WRONG: at most 1e-06 is right; not timed");
    require_in(text,
               "2  coalesced     fp32    1.0e-07       400.0      30.0        2500     9.8 %       25.0 %  neigh");
    require_in(text,
               "6  cuBLASLt      fp32    1.0e-07       100.0      30.0       10000    39.1 %      100.0 %  NVIDIA");
    require_in(text, "5  tensor cores  fp16    1.0e-07       100.0      30.0       10000     2.4 %       50.0 %  fp16");
    table.card.major = 6;
    table.settings.chosen[0] = table.settings.chosen[6] = false;
    table.lines[6] = (struct ladder_line){.error = NAN, .median = NAN, .low = NAN, .high = NAN};
    text = printed(&table, true);
    require_in(text, "unknown in fp32, unknown in fp16\n");
    require_in(text, "5  tensor cores  fp16    1.0e-07       100.0      30.0       10000   unknown      unknown  fp16");
    ck_assert(strstr(text, "naive") == NULL);
}
END_TEST

/* ---- the program */

static char program[512];
static at_completed run;

#define run_kernels(...)                                                                                               \
    do {                                                                                                               \
        at_completed_free(&run);                                                                                       \
        ok(at_run(AT_ARGS(program, __VA_ARGS__), .capture_output = true, .completed = &run));                          \
    } while (0)
#define SMALL "--rows", "3", "--inputs", "9", "--outputs", "17"

/* It runs on the emulated card, too, unless this suite does not. */
static void prepare_program(void) {
    char libraries[512];
    path_of("../gpu/kernels", program);
    if (emulated_seed != NULL)
        setenv("LD_LIBRARY_PATH", path_of("emulated", libraries), 1);
}

static void require_failed(int status, const char *said) {
    ck_assert_msg(run.returncode == status, "%d: %s%s", run.returncode, run.stdout, run.stderr);
    require_in(run.stderr, said);
    ck_assert_str_eq(run.stdout, "");
}

START_TEST(the_program_checks_each_version) {
    prepare_program();
    run_kernels(SMALL);
    ck_assert_msg(run.returncode == 0, "%s", run.stderr);
    ck_assert_str_eq(run.stderr, "");
    require_in(run.stdout, "layer: 3 rows, 9 inputs, 17 outputs: ");
    for (size_t i = 0; i < LADDER_VERSIONS; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n%d  %-12s  %s  ", ladder_versions[i].number, ladder_versions[i].name,
                 ladder_versions[i].half ? "fp16" : "fp32");
        require_in(run.stdout, line);
    }
    ck_assert(strstr(run.stdout, "WRONG") == NULL);
    if (emulated_seed != NULL) {
        require_in(run.stdout, "card 0: Emulated card, compute capability 9.0");
        require_in(run.stdout, "  emulated: checked, not timed\n");
        ck_assert(strstr(run.stdout, " runs") == NULL);
    }
    run_kernels(SMALL, "--version", "6", "--version=2");
    ck_assert_int_eq(run.returncode, 0);
    require_in(run.stdout, "\n2  coalesced");
    require_in(strstr(run.stdout, "\n6  cuBLASLt") + 1, "\n6  cuBLASLt");
    ck_assert(strstr(run.stdout, "naive") == NULL);
    at_completed_free(&run);
}
END_TEST

START_TEST(the_program_writes_a_file) {
    char folder[] = "/tmp/ladder_XXXXXX", path[64], text[2048] = {0};
    prepare_program();
    require(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/table.csv", folder);
    run_kernels(SMALL, "--version", "5", "--csv", path);
    ck_assert_msg(run.returncode == 0, "%s", run.stderr);
    int file = open(path, O_RDONLY);
    require(file >= 0 && read(file, text, sizeof text - 1) > 0);
    close(file);
    require(unlink(path) == 0 && rmdir(folder) == 0);
    require_in(text, "version,name,in,rows,inputs,outputs,card,error,tolerance,right,runs,median_s,q1_s,q3_s,flop_s,"
                     "peak_flop_s,cublaslt_s\n5,tensor cores,fp16,3,9,17,\"");
    if (emulated_seed != NULL) {
        require_in(text, "\"Emulated card\",");
        require_in(text, ",1e-05,1,0,,,,,");
    }
    run_kernels(SMALL, "--csv", "/nowhere/table.csv");
    ck_assert_int_eq(run.returncode, 1);
    ck_assert_str_eq(run.stderr, "kernels: --csv /nowhere/table.csv: No such file or directory; choose another file\n");
    run_kernels(SMALL, "--csv", "/dev/full");
    ck_assert_int_eq(run.returncode, 1);
    require_in(run.stderr, "kernels: --csv /dev/full: cannot be written; is the disk full?\n");
    at_completed_free(&run);
}
END_TEST

START_TEST(bad_usage_is_refused) {
    static const char *const BAD[][2] = {{"--rows", "0"},       {"--rows", "32769"},
                                         {"--inputs", "-1"},    {"--outputs", "1x"},
                                         {"--outputs", ""},     {"--rows", " 1"},
                                         {"--version", "0"},    {"--version", "7"},
                                         {"--card", "64"},      {"--repeat", "20"},
                                         {"--repeat", "10001"}, {"--inputs", "1e3"},
                                         {"--rows", "0x10"},    {"--card", "99999999999999999999"}};
    char said[128];
    prepare_program();
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        run_kernels(BAD[i][0], BAD[i][1]);
        snprintf(said, sizeof said, "kernels: %s %s: not a whole number from ", BAD[i][0], BAD[i][1]);
        require_failed(2, said);
    }
    run_kernels("--fast");
    require_failed(2, "kernels --help lists the options\n");
    run_kernels("--rows");
    require_failed(2, "kernels --help lists the options\n");
    run_kernels("64");
    require_failed(2, "kernels: 64: not an option; kernels --help lists the options\n");
    run_kernels("--help");
    ck_assert_int_eq(run.returncode, 0);
    require_in(run.stdout, "usage: kernels [OPTION]...\n");
    run_kernels("--card", "63");
    require_failed(1, "kernels: --card 63: there ");
    at_completed_free(&run);
}
END_TEST

START_TEST(without_a_card_it_says_what_is_missing) {
    prepare_program();
    setenv("EMULATED_CARDS", "0", 1);
    if (emulated_seed == NULL)
        setenv("CUDA_VISIBLE_DEVICES", "", 1);
    run_kernels(SMALL);
    require_failed(1, "kernels: this needs a graphics card of NVIDIA's: ");
    require_in(run.stderr, "nvidia-smi");
    unsetenv("LD_LIBRARY_PATH"); /* with NVIDIA's libraries, and no card */
    setenv("CUDA_VISIBLE_DEVICES", "", 1);
    run_kernels(SMALL);
    require_failed(1, "kernels: this needs a graphics card of NVIDIA's: ");
    require_in(run.stderr, "nvidia-smi");
    at_completed_free(&run);
}
END_TEST

START_TEST(a_card_that_fails_ends_it) {
    if (emulated_seed == NULL)
        skip("no card can be made to fail");
    prepare_program();
    setenv("EMULATED_FAIL", "cudaMalloc:2@3", 1);
    run_kernels(SMALL);
    require_failed(1, "cudaErrorMemoryAllocation (2)");
    setenv("EMULATED_FAIL", "cudaStreamSynchronize:700@2", 1);
    run_kernels(SMALL);
    require_failed(1, "cudaErrorIllegalAddress (700)");
    unsetenv("EMULATED_FAIL");
    setenv("EMULATED_MEMORY", "1000000", 1); /* less than cuBLASLt's workspace */
    run_kernels(SMALL);
    require_failed(1, "cudaErrorMemoryAllocation (2)");
    at_completed_free(&run);
}
END_TEST

TWICE("cuda_ladder", each_version_is_right_within_a_tile, each_version_is_right_at_the_edges_of_tiles,
      each_version_is_right_in_many_tiles, no_order_of_warps_makes_a_version_wrong,
      a_version_that_leaves_something_out_is_wrong, each_call_may_fail, peaks_are_those_of_the_data_sheets,
      the_table_says_what_was_found, the_program_checks_each_version, the_program_writes_a_file, bad_usage_is_refused,
      without_a_card_it_says_what_is_missing, a_card_that_fails_ends_it)
