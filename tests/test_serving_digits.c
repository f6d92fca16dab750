/* test_serving_digits.c: digits that are drawn, and the files that MNIST comes in. */
#include <sys/resource.h>
#include <sys/stat.h>

#include "dataset.h"
#include "digits.h"

#include "bench_folder.h"

/* ---- Drawing */

START_TEST(a_digit_follows_from_seed_and_index) {
    uint8_t first[DIGIT_PIXELS], other[DIGIT_PIXELS], label, other_label;
    digits_draw(7, 1234, first, &label);
    digits_draw(7, 1235, other, &other_label);
    ck_assert_mem_ne(first, other, sizeof first);
    digits_draw(8, 1234, other, &other_label);
    ck_assert_mem_ne(first, other, sizeof first);
    digits_draw(7, 1234, other, &other_label);
    ck_assert_mem_eq(first, other, sizeof first);
    ck_assert_uint_eq(label, other_label);
}
END_TEST

START_TEST(all_ten_are_drawn_equally_often) {
    enum { COUNT = 1000 };
    int counts[DIGIT_LABELS] = {0};
    for (uint64_t i = 0; i < COUNT; i++) {
        uint8_t pixels[DIGIT_PIXELS], label;
        unsigned ink = 0;
        digits_draw(1, i, pixels, &label);
        require(label < DIGIT_LABELS);
        counts[label]++;
        for (size_t j = 0; j < DIGIT_PIXELS; j++)
            ink += pixels[j] > 100;
        require(ink > 15 && ink < DIGIT_PIXELS / 2);
    }
    for (size_t i = 0; i < DIGIT_LABELS; i++)
        ck_assert_int_ge(counts[i], COUNT / 20); /* 100 on the average, and the seed is fixed */
}
END_TEST

/* ---- MNIST's files */

static struct examples drawn(size_t count) {
    struct examples examples = {count, DIGIT_SIDE, DIGIT_SIDE, malloc(count * DIGIT_PIXELS), malloc(count)};
    for (size_t i = 0; i < count; i++)
        digits_draw(1, i, examples.pixels + i * DIGIT_PIXELS, &examples.labels[i]);
    return examples;
}

START_TEST(what_is_written_is_read) {
    struct examples written = drawn(20), read = {0};
    char output[100];
    ok(idx_write(&written, in_folder("i"), in_folder("l"), NULL));
    ok(idx_read(&read, in_folder("i"), in_folder("l"), DIGIT_LABELS, NULL));
    ck_assert_uint_eq(read.count, 20);
    ck_assert_uint_eq(read.rows, DIGIT_SIDE);
    ck_assert_uint_eq(read.columns, DIGIT_SIDE);
    ck_assert_mem_eq(read.pixels, written.pixels, 20 * DIGIT_PIXELS);
    ck_assert_mem_eq(read.labels, written.labels, 20);
    ck_assert_int_eq(run_line(output, sizeof output, "od -An -tx1 -N8 %s", in_folder("i")), 0);
    ck_assert_str_eq(output, " 00 00 08 03 00 00 00 14\n");
    ck_assert_int_eq(run_line(output, sizeof output, "od -An -tx1 -N8 %s", in_folder("l")), 0);
    ck_assert_str_eq(output, " 00 00 08 01 00 00 00 14\n");
    examples_free(&written);
    examples_free(&read);
}
END_TEST

/* Runs the command in a folder with good files i and l, and reading them then fails with these words. */
static void assert_refused_after(const char *command, int code, const char *words) {
    struct examples good = drawn(5), read = {0};
    struct failure failure = {""};
    char output[200];
    ok(idx_write(&good, in_folder("i"), in_folder("l"), NULL));
    ck_assert_int_eq(run_line(output, sizeof output, "cd %s && %s", folder, command), 0);
    ck_assert_int_eq(idx_read(&read, in_folder("i"), in_folder("l"), DIGIT_LABELS, &failure), code);
    ck_assert_msg(strstr(failure.text, words) != NULL, "%s: \"%s\" lacks \"%s\"", command, failure.text, words);
    ck_assert_ptr_null(read.pixels);
    examples_free(&good);
}

START_TEST(files_that_are_none_are_refused) {
    static const struct {
        const char *command;
        int code;
        const char *words;
    } CASES[] = {
        {"rm i", -ENOENT, "/i: cannot be opened"},
        {"rm l", -ENOENT, "/l: cannot be opened"},
        {": >i", -EINVAL, "/i: ends after 0 of 16 bytes"},
        {"truncate -s 15 i", -EINVAL, "/i: ends after 15 of 16 bytes"},
        {"truncate -s -1 i", -EINVAL, "/i: has 3935 bytes and should have 3936"},
        {"echo >>l", -EINVAL, "/l: has 14 bytes and should have 13"},
        {"cp l i", -EINVAL, "/i: ends after 13 of 16 bytes"},
        {"cp i l", -EINVAL, "/l: begins with 00000803 and not with 00000801: no IDX file of labels"},
        {"printf '\\037\\213\\010\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0' >i", -EINVAL,
         "/i: packed; unpack it with gunzip"},
        {"printf '\\0\\0\\010\\003\\377\\377\\377\\377\\0\\0\\020\\0\\0\\0\\020\\0' >i", -EINVAL,
         "should have 72057594021150736"},
        {"printf '\\0\\0\\010\\003\\377\\377\\377\\377\\377\\377\\377\\377\\0\\0\\0\\1' >i", -EINVAL,
         "a size of 4294967295"},
        {"printf '\\0\\0\\010\\003\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\1' >i", -EINVAL, "a size of 0"},
        {"printf '\\0\\0\\010\\001\\0\\0\\0\\002\\0\\0' >l", -EINVAL, "/l: 2 labels for the 5 pictures in "},
        {"printf '\\0\\0\\010\\001\\0\\0\\0\\005\\0\\1\\2\\3\\012' >l", -EINVAL, "/l: label 4 is 10, above 9"},
        {"rm -f i && mkfifo i", -EINVAL, "/i: not a file"},
        {"rm -f i && mkdir i", -EINVAL, "/i: not a file"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_refused_after(CASES[i].command, CASES[i].code, CASES[i].words);
}
END_TEST

START_TEST(a_folder_is_filled_once) {
    struct dataset dataset;
    struct failure failure = {""};
    const char *path = in_folder("deep/er");
    ck_assert_int_eq(dataset_read(&dataset, path, &failure), -ENOENT);
    ok(dataset_draw(path, 1, 60, NULL, NULL));
    ok(dataset_read(&dataset, path, NULL));
    ck_assert_uint_eq(dataset.train.count, 60);
    ck_assert_uint_eq(dataset.held_out.count, 10);
    dataset_free(&dataset);
    ck_assert_int_eq(dataset_draw(path, 1, 60, NULL, &failure), -EEXIST);
    ck_assert_int_eq(unlink(in_folder("deep/er/" IDX_TEST_LABELS)), 0);
    ck_assert_int_eq(dataset_read(&dataset, path, &failure), -EINVAL);
    ck_assert_msg(strstr(failure.text, IDX_TEST_LABELS ": not there, but others") != NULL, "%s", failure.text);
    ck_assert_int_eq(dataset_draw(path, 1, 60, NULL, &failure), -EEXIST);
    ck_assert_int_eq(count_entries(path), 3);
}
END_TEST

START_TEST(a_folder_is_filled_whole_or_not_at_all) {
    volatile sig_atomic_t stop = 1;
    struct failure failure = {""};
    ck_assert_int_eq(dataset_draw(folder, 1, 60, &stop, &failure), -EINTR);
    ck_assert_int_eq(count_entries(folder), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){20000, 20000}), 0);
    ck_assert_int_eq(dataset_draw(folder, 1, 60, NULL, &failure), -EFBIG);
    ck_assert_int_eq(count_entries(folder), 0);
}
END_TEST

SUITE_WITH("digits", make_folder, remove_folder, a_digit_follows_from_seed_and_index, all_ten_are_drawn_equally_often,
           what_is_written_is_read, files_that_are_none_are_refused, a_folder_is_filled_once,
           a_folder_is_filled_whole_or_not_at_all)
