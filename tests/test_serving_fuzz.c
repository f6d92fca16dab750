/* test_serving_fuzz.c: each input that is kept for the fuzzers (make fuzz), read once more in each build. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

/* The entries of tests/fuzz/fuzz_*.c, which the Makefile names so here: in a fuzzer all have libFuzzer's name. */
int fuzz_infer(const uint8_t *data, size_t size);
int fuzz_json(const uint8_t *data, size_t size);
int fuzz_safetensors(const uint8_t *data, size_t size);

/* Runs a fuzzer's entry on each file of its folder; the entry aborts where something is wrong. */
static void replay(const char *folder, int (*entry)(const uint8_t *data, size_t size)) {
    DIR *files = opendir(folder);
    if (files == NULL)
        skip("%s is not here; run this at the top of the repository", folder);
    int count = 0;
    for (struct dirent *file; (file = readdir(files)) != NULL;) {
        if (file->d_name[0] == '.')
            continue;
        char path[512];
        static uint8_t data[1 << 16];
        snprintf(path, sizeof path, "%s/%s", folder, file->d_name);
        FILE *stream = fopen(path, "re");
        ck_assert_ptr_nonnull(stream);
        size_t size = fread(data, 1, sizeof data, stream);
        fclose(stream);
        ck_assert_msg(entry(data, size) == 0, "%s", path);
        count++;
    }
    closedir(files);
    ck_assert_int_ge(count, 10);
}

START_TEST(the_json_corpus_does_no_harm) {
    replay("tests/fuzz/json", fuzz_json);
}
END_TEST

START_TEST(the_corpus_of_requests_does_no_harm) {
    replay("tests/fuzz/infer", fuzz_infer);
}
END_TEST

START_TEST(the_corpus_of_models_does_no_harm) {
    replay("tests/fuzz/safetensors", fuzz_safetensors);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("serving_fuzz");
    TCase *tests = tcase_create("corpora");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_json_corpus_does_no_harm);
    tcase_add_test(tests, the_corpus_of_requests_does_no_harm);
    tcase_add_test(tests, the_corpus_of_models_does_no_harm);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
