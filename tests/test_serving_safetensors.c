/* test_serving_safetensors.c: files of tensors: what is read, what is refused and with which words, what is written. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "safetensors.h"

#include "bench_folder.h"

/* A header and so many bytes of data behind it, as a file: in memory of just this size, for AddressSanitizer. */
struct bytes {
    unsigned char *data;
    size_t size;
};

static struct bytes bytes_of(const char *header, size_t data_size) {
    uint64_t length = strlen(header);
    struct bytes bytes = {malloc(sizeof length + length + data_size), sizeof length + length + data_size};
    memcpy(bytes.data, &length, sizeof length);
    memcpy(bytes.data + sizeof length, header, length);
    for (size_t i = 0; i < data_size; i++)
        bytes.data[sizeof length + length + i] = (unsigned char)i;
    return bytes;
}

/* Reading these bytes fails, and says so with these words. */
static void assert_refused(const void *data, size_t size, const char *words) {
    struct failure failure = {""};
    struct safetensors *file = NULL;
    void *copy = memcpy(malloc(size + 1), data, size);
    copy = realloc(copy, size > 0 ? size : 1);
    ck_assert_int_eq(safetensors_parse(&file, copy, size, "some.file", &failure), -EINVAL);
    ck_assert_ptr_null(file);
    ck_assert_msg(strncmp(failure.text, "some.file: ", 11) == 0 && strstr(failure.text, words) != NULL,
                  "\"%s\" lacks \"%s\"", failure.text, words);
    ck_assert_msg(strstr(failure.text, "write it again") != NULL, "%s", failure.text);
    free(copy);
}

static void assert_header_refused(const char *header, size_t data_size, const char *words) {
    struct bytes bytes = bytes_of(header, data_size);
    assert_refused(bytes.data, bytes.size, words);
    free(bytes.data);
}

/* ---- What is refused */

START_TEST(a_length_that_cannot_be_is_refused) {
    static const struct {
        uint64_t length;
        const char *words;
    } LENGTHS[] = {
        {3, "said to have 3 bytes, but only 2 follow"},
        {1 << 20, "said to have 1048576 bytes, but only 2 follow"},
        {(1 << 20) + 1, "more than 1048576"},
        {UINT64_MAX, "said to have 18446744073709551615 bytes, more than 1048576"},
        {UINT64_MAX - 7, "more than 1048576"},
        {0, "does not begin with '{'"},
    };
    assert_refused("", 0, "0 bytes, too short for a header");
    assert_refused("\2\0\0\0\0\0\0", 7, "7 bytes, too short for a header");
    for (size_t i = 0; i < sizeof LENGTHS / sizeof LENGTHS[0]; i++) {
        unsigned char bytes[10] = {[8] = '{', [9] = '}'};
        memcpy(bytes, &LENGTHS[i].length, sizeof LENGTHS[i].length);
        assert_refused(bytes, sizeof bytes, LENGTHS[i].words);
    }
}
END_TEST

START_TEST(a_header_that_is_no_json_is_refused) {
    assert_header_refused("[]", 0, "does not begin with '{'");
    assert_header_refused(" {}", 0, "does not begin with '{'");
    assert_header_refused("{", 0, "no JSON");
    assert_header_refused("{}}", 0, "no JSON");
    assert_header_refused("{\"a\":nul}", 0, "no JSON");
    assert_header_refused("{\"a\":\"\xff\"}", 0, "no JSON");
    assert_header_refused("{\"a\":1e999}", 0, "no JSON");
    assert_header_refused("{\"a\":1,\"a\":2}", 0, "duplicate object key");
    assert_header_refused("{\"a\":[[[[[[[[]]]]]]]]}", 0, "nested deeper than 8");
    unsigned char zero[] = {4, 0, 0, 0, 0, 0, 0, 0, '{', 0, '}', ' '};
    assert_refused(zero, sizeof zero, "no JSON");
}
END_TEST

START_TEST(a_very_deep_header_does_not_reach_the_json_reader) {
    size_t size = (1 << 20) + sizeof(uint64_t);
    unsigned char *bytes = malloc(size);
    uint64_t length = 1 << 20;
    memset(bytes, '[', size);
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + sizeof length, "{\"a\":", 5);
    assert_refused(bytes, size, "nested deeper than 8");
    free(bytes);
}
END_TEST

START_TEST(brackets_in_texts_are_not_depth) {
    struct bytes bytes = bytes_of("{\"__metadata__\":{\"a\":\"[[[[[[[[[[[[\\\"[[[[[{{{{\\\\\"}}", 0);
    struct safetensors *file;
    ok(safetensors_parse(&file, bytes.data, bytes.size, "", NULL));
    ck_assert_str_eq(safetensors_metadata(file, "a"), "[[[[[[[[[[[[\"[[[[[{{{{\\");
    safetensors_close(file);
    free(bytes.data);
}
END_TEST

/* One tensor "t", whose entry this is, over 16 bytes. */
static void assert_entry_refused(const char *entry, const char *words) {
    char header[500], all_words[200];
    snprintf(header, sizeof header, "{\"t\":%s}", entry);
    snprintf(all_words, sizeof all_words, "tensor \"t\": %s", words);
    assert_header_refused(header, 16, all_words);
}

START_TEST(an_entry_that_is_wrong_is_refused) {
    static const char DTYPE[] = "its dtype is ", SHAPE[] = "its shape is no array of at most 8 whole numbers",
                      OFFSETS[] = "its data_offsets are not two whole numbers",
                      LARGE[] = "its shape is too large for any memory";
    static const struct {
        const char *entry, *words;
    } ENTRIES[] = {
        {"7", DTYPE},
        {"null", DTYPE},
        {"{\"shape\":[4],\"data_offsets\":[0,16]}", "its dtype is missing"},
        {"{\"dtype\":32,\"shape\":[4],\"data_offsets\":[0,16]}", "its dtype is missing"},
        {"{\"dtype\":\"f32\",\"shape\":[4],\"data_offsets\":[0,16]}", "its dtype is f32"},
        {"{\"dtype\":\"\\u001b[2J\",\"shape\":[4],\"data_offsets\":[0,16]}", "its dtype is ?[2J"},
        {"{\"dtype\":\"F32\",\"data_offsets\":[0,16]}", SHAPE},
        {"{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,16]}", SHAPE},
        {"{\"dtype\":\"F32\",\"shape\":[4.0],\"data_offsets\":[0,16]}", SHAPE},
        {"{\"dtype\":\"F32\",\"shape\":[-4],\"data_offsets\":[0,16]}", SHAPE},
        {"{\"dtype\":\"F32\",\"shape\":[\"4\"],\"data_offsets\":[0,16]}", SHAPE},
        {"{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,4],\"data_offsets\":[0,16]}", SHAPE},
        {"{\"dtype\":\"F32\",\"shape\":[4]}", OFFSETS},
        {"{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16]}", OFFSETS},
        {"{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16,16]}", OFFSETS},
        {"{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[-16,0]}", OFFSETS},
        {"{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":{\"begin\":0}}", OFFSETS},
        {"{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}", LARGE},
        {"{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}", LARGE},
        {"{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,0]}", "its data ends before it begins"},
        {"{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[1,17]}", "its data ends at 17, the file's at 16"},
        {"{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,9223372036854775807]}",
         "its data ends at 922337203685477"},
        {"{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,16]}",
         "its shape needs 12 bytes, its data_offsets give it 16"},
        {"{\"dtype\":\"F64\",\"shape\":[4],\"data_offsets\":[0,16]}",
         "its shape needs 32 bytes, its data_offsets give it 16"},
    };
    for (size_t i = 0; i < sizeof ENTRIES / sizeof ENTRIES[0]; i++)
        assert_entry_refused(ENTRIES[i].entry, ENTRIES[i].words);
    assert_header_refused("{\"t\":{\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,0]}}", 0,
                          "no JSON");
}
END_TEST

START_TEST(a_name_that_cannot_be_shown_is_refused) {
    char header[400];
    assert_header_refused("{\"\":{}}", 0, "its name is not 1 to 200 printable ASCII");
    assert_header_refused("{\"a\\nb\":{}}", 0, "tensor \"a?b\": its name is not");
    assert_header_refused("{\"\xc3\xa4\":{}}", 0, "tensor \"??\": its name is not");
    snprintf(header, sizeof header, "{\"%0201d\":{}}", 0);
    assert_header_refused(header, 0, "its name is not");
}
END_TEST

#define ENTRY(name, type, count, begin, end)                                                                           \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" count "],\"data_offsets\":[" begin "," end "]}"

START_TEST(data_must_be_covered_without_overlap_and_holes) {
    assert_header_refused("{" ENTRY("a", "U8", "8", "0", "8") "," ENTRY("b", "U8", "8", "7", "15") "}", 15,
                          "tensor \"b\" overlaps tensor \"a\"");
    assert_header_refused("{" ENTRY("b", "U8", "8", "0", "8") "," ENTRY("a", "U8", "8", "0", "8") "}", 8, "overlaps");
    assert_header_refused("{" ENTRY("a", "U8", "8", "0", "8") "," ENTRY("b", "U8", "2", "3", "5") "}", 8,
                          "tensor \"b\" overlaps tensor \"a\"");
    assert_header_refused("{" ENTRY("a", "U8", "8", "0", "8") "," ENTRY("b", "U8", "6", "10", "16") "}", 16,
                          "a hole of 2 bytes before tensor \"b\"");
    assert_header_refused("{" ENTRY("a", "U8", "8", "4", "12") "}", 12, "a hole of 4 bytes before tensor \"a\"");
    assert_header_refused("{" ENTRY("a", "U8", "8", "0", "8") "}", 9, "1 bytes at its end belong to no tensor");
    assert_header_refused("{}", 1, "1 bytes at its end");
}
END_TEST

START_TEST(metadata_must_be_texts) {
    assert_header_refused("{\"__metadata__\":[]}", 0, "__metadata__ is no object");
    assert_header_refused("{\"__metadata__\":{\"a\":\"b\",\"n\":1}}", 0, "__metadata__ \"n\" is no text");
    assert_header_refused("{\"__metadata__\":{\"n\":{}}}", 0, "__metadata__ \"n\" is no text");
}
END_TEST

/* ---- What is read */

START_TEST(tensors_are_found_in_the_order_of_their_data) {
    struct bytes bytes =
        bytes_of("{" ENTRY("late", "F16", "2,1", "3", "7") "," ENTRY("none", "F32", "7,0", "3", "3") "," ENTRY(
                     "early", "BOOL", "3", "0", "3") "," ENTRY("one", "F64", "", "7", "15") "}  ",
                 15);
    struct safetensors *file;
    ok(safetensors_parse(&file, bytes.data, bytes.size, "", NULL));
    static const char *const NAMES[] = {"early", "none", "late", "one"};
    ck_assert_uint_eq(file->count, 4);
    for (size_t i = 0; i < file->count; i++)
        ck_assert_str_eq(file->tensors[i].name, NAMES[i]);
    const struct tensor *late = safetensors_find(file, "late");
    ck_assert_str_eq(late->dtype, "F16");
    ck_assert_uint_eq(late->rank, 2);
    ck_assert_uint_eq(late->shape[0], 2);
    ck_assert_uint_eq(late->shape[1], 1);
    ck_assert_uint_eq(late->size, 4);
    ck_assert_mem_eq(late->data, "\3\4\5\6", 4); /* nor is it aligned */
    ck_assert_uint_eq(safetensors_find(file, "none")->size, 0);
    ck_assert_uint_eq(safetensors_find(file, "one")->rank, 0);
    ck_assert_ptr_null(safetensors_find(file, "lat"));
    ck_assert_ptr_null(safetensors_metadata(file, "late"));
    safetensors_close(file);
    free(bytes.data);
}
END_TEST

/* ---- Files */

static void assert_not_opened(const char *path, int code, const char *words) {
    struct failure failure = {""};
    struct safetensors *file;
    ck_assert_int_eq(safetensors_open(&file, path, &failure), code);
    ck_assert_msg(strstr(failure.text, path) != NULL && strstr(failure.text, words) != NULL, "%s", failure.text);
}

START_TEST(what_is_no_file_is_refused) {
    ck_assert_int_eq(mkfifo(in_folder("fifo"), 0600), 0);
    ck_assert_int_eq(close(open(in_folder("empty"), O_CREAT | O_WRONLY, 0600)), 0);
    assert_not_opened(folder, -EINVAL, "a folder, not a file");
    assert_not_opened(in_folder("fifo"), -EINVAL, "a pipe or a device, not a file");
    assert_not_opened("/dev/null", -EINVAL, "a pipe or a device, not a file");
    assert_not_opened(in_folder("empty"), -EINVAL, "empty");
    assert_not_opened(in_folder("missing"), -ENOENT, "cannot be opened");
    assert_not_opened(in_folder("empty/in"), -ENOTDIR, "cannot be opened");
    ck_assert_int_eq(count_entries(folder), 2);
}
END_TEST

START_TEST(what_may_not_be_read_is_refused) {
    if (geteuid() == 0) {
        remove_folder(); /* skip ends the process before the suite does so */
        skip("root may read everything");
    }
    ck_assert_int_eq(close(open(in_folder("secret"), O_CREAT | O_WRONLY, 0)), 0);
    assert_not_opened(in_folder("secret"), -EACCES, "cannot be opened");
}
END_TEST

static const float WEIGHT[] = {1, -2, 3.5F, 0x1p-149F, -0.0F, 6};
static const char TEXT[] = "bytes";

static const struct tensor TENSORS[] = {
    {.name = "w", .dtype = "F32", .rank = 2, .shape = {2, 3}, .data = WEIGHT, .size = sizeof WEIGHT},
    {.name = "text", .dtype = "U8", .rank = 1, .shape = {5}, .data = TEXT, .size = 5},
    {.name = "nothing", .dtype = "F64", .rank = 1, .shape = {0}, .data = NULL, .size = 0},
    {.name = "scalar", .dtype = "F32", .rank = 0, .data = WEIGHT + 2, .size = 4},
};
enum { TENSOR_COUNT = sizeof TENSORS / sizeof TENSORS[0] };

static const struct metadatum METADATA[] = {{"made by", "a \"test\"\n"}, {"\xc3\xa4", "\xe2\x82\xac"}};

static int write_tensors(const char *path, struct failure *failure) {
    return safetensors_write(path, TENSORS, TENSOR_COUNT, METADATA, 2, failure);
}

START_TEST(what_is_written_is_read) {
    ok(write_tensors(in_folder("a"), NULL));
    struct safetensors *file;
    ok(safetensors_open(&file, in_folder("a"), NULL));
    ck_assert_uint_eq(file->count, TENSOR_COUNT);
    for (size_t i = 0; i < TENSOR_COUNT; i++) {
        const struct tensor *tensor = safetensors_find(file, TENSORS[i].name);
        ck_assert_str_eq(tensor->dtype, TENSORS[i].dtype);
        ck_assert_uint_eq(tensor->rank, TENSORS[i].rank);
        ck_assert_mem_eq(tensor->shape, TENSORS[i].shape, tensor->rank * sizeof tensor->shape[0]);
        ck_assert_uint_eq(tensor->size, TENSORS[i].size);
        ck_assert(tensor->size == 0 || memcmp(tensor->data, TENSORS[i].data, tensor->size) == 0);
    }
    ck_assert_uint_eq((uintptr_t)file->tensors[0].data % 64, 0);
    ck_assert_str_eq(safetensors_metadata(file, "made by"), "a \"test\"\n");
    ck_assert_str_eq(safetensors_metadata(file, "\xc3\xa4"), "\xe2\x82\xac");
    safetensors_close(file);
    ck_assert_int_eq(count_entries(folder), 1);
}
END_TEST

START_TEST(the_same_tensors_make_the_same_bytes) {
    char output[100];
    ok(write_tensors(in_folder("a"), NULL));
    ok(write_tensors(in_folder("b"), NULL));
    ck_assert_int_eq(run_line(output, sizeof output, "cmp %s %s", in_folder("a"), in_folder("b")), 0);
}
END_TEST

START_TEST(what_is_open_stays_when_it_is_replaced) {
    ok(write_tensors(in_folder("a"), NULL));
    struct safetensors *file;
    ok(safetensors_open(&file, in_folder("a"), NULL));
    ok(safetensors_write(in_folder("a"), TENSORS + 1, 1, NULL, 0, NULL));
    ck_assert_mem_eq(safetensors_find(file, "w")->data, WEIGHT, sizeof WEIGHT);
    safetensors_close(file);
    ok(safetensors_open(&file, in_folder("a"), NULL));
    ck_assert_uint_eq(file->count, 1);
    safetensors_close(file);
}
END_TEST

START_TEST(a_disk_that_is_full_leaves_the_old_file) {
    static float numbers[10000];
    const struct tensor large = {
        .name = "large", .dtype = "F32", .rank = 1, .shape = {10000}, .data = numbers, .size = sizeof numbers};
    struct failure failure = {""};
    ok(write_tensors(in_folder("a"), NULL));
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){8192, 8192}), 0);
    ck_assert_int_eq(safetensors_write(in_folder("a"), &large, 1, NULL, 0, &failure), -EFBIG);
    ck_assert_msg(strstr(failure.text, "cannot be written: File too large") != NULL, "%s", failure.text);
    struct safetensors *file;
    ok(safetensors_open(&file, in_folder("a"), NULL));
    ck_assert_uint_eq(file->count, TENSOR_COUNT);
    safetensors_close(file);
    ck_assert_int_eq(count_entries(folder), 1);
}
END_TEST

START_TEST(what_cannot_be_written_is_refused) {
    struct tensor wrong = TENSORS[0];
    struct failure failure = {""};
    ck_assert_int_eq(write_tensors(in_folder("missing/a"), &failure), -ENOENT);
    ck_assert_msg(strstr(failure.text, "missing/a: cannot be written") != NULL, "%s", failure.text);
    wrong.size = 20;
    ck_assert_int_eq(safetensors_write(in_folder("a"), &wrong, 1, NULL, 0, &failure), -EINVAL);
    ck_assert_msg(strstr(failure.text, "do not agree") != NULL, "%s", failure.text);
    wrong = TENSORS[0];
    wrong.dtype = "F33";
    ck_assert_int_eq(safetensors_write(in_folder("a"), &wrong, 1, NULL, 0, &failure), -EINVAL);
    wrong = TENSORS[0];
    wrong.name = "\xff";
    ck_assert_int_eq(safetensors_write(in_folder("a"), &wrong, 1, NULL, 0, &failure), -EINVAL);
    ck_assert_int_eq(count_entries(folder), 0);
}
END_TEST

SUITE_WITH("safetensors", make_folder, remove_folder, a_length_that_cannot_be_is_refused,
           a_header_that_is_no_json_is_refused, a_very_deep_header_does_not_reach_the_json_reader,
           brackets_in_texts_are_not_depth, an_entry_that_is_wrong_is_refused, a_name_that_cannot_be_shown_is_refused,
           data_must_be_covered_without_overlap_and_holes, metadata_must_be_texts,
           tensors_are_found_in_the_order_of_their_data, what_is_no_file_is_refused, what_may_not_be_read_is_refused,
           what_is_written_is_read, the_same_tensors_make_the_same_bytes, what_is_open_stays_when_it_is_replaced,
           a_disk_that_is_full_leaves_the_old_file, what_cannot_be_written_is_refused)
