/* test_subprocess_encodings.c: text in other encodings than UTF-8: their names, to a child and from it; as Python. */
#include <iconv.h>

#include "text.h"

/* The child is given this text; what it reads is in the place, which is as large as it may be. */
static int encode(struct bytes text, const char *encoding, const char *errors, char *read_there, size_t *size) {
    int file = file_of(BYTES(""));
    int result = ran(AT_ARGS("cat"), .input = at_bytes(text.data, text.size), .stdout = at_descriptor(file),
                     .text = true, .encoding = encoding, .errors = errors);
    ssize_t count = pread(file, read_there, *size, 0);
    close(file);
    require(count >= 0);
    *size = (size_t)count;
    return result;
}

static void expect_encoded(struct bytes text, const char *encoding, const char *errors, struct bytes expected) {
    char read_there[200] = "";
    size_t size = sizeof read_there - 1;
    ok(encode(text, encoding, errors, read_there, &size));
    expect_bytes(read_there, size, expected.data, expected.size);
    at_completed_free(&done);
}

/* Nothing is started, nothing is read. */
static void expect_unencodable(struct bytes text, const char *encoding, const char *errors, int bad) {
    char read_there[200] = "", place[32];
    size_t size = sizeof read_there;
    snprintf(place, sizeof place, "byte %d of input", bad);
    require(encode(text, encoding, errors, read_there, &size) == -EILSEQ);
    require(done.failure.code == -EILSEQ && done.returncode == AT_NO_RETURNCODE && size == 0);
    expect_word(done.failure.text, place);
    expect_word(done.failure.text, encoding != NULL ? "is not UTF-8, or not in " : "is not UTF-8;");
    at_completed_free(&done);
}

/* ---- names */

START_TEST(encodings_have_many_spellings) {
    static const char *const UTF_8[] = {"utf-8", "UTF-8", "utf8", "UTF8", "utf_8", "U8", "u8"};
    static const char *const LATIN_1[] = {"latin-1", "latin1", "Latin_1", "iso-8859-1", "ISO8859-1", "iso8859_1", "L1"};
    static const char *const WINDOWS[] = {"windows-1252", "Windows_1252", "cp-1252", "cp1252"};
    static const char *const UTF_16_LE[] = {"utf-16-le", "UTF-16LE", "utf_16_le", "utf16le"};
    for (size_t i = 0; i < sizeof UTF_8 / sizeof *UTF_8; i++)
        expect_decoded(BYTES("\xC3\xA9"), UTF_8[i], NULL, BYTES("é"));
    for (size_t i = 0; i < sizeof LATIN_1 / sizeof *LATIN_1; i++)
        expect_decoded(BYTES("\xE9"), LATIN_1[i], NULL, BYTES("é"));
    for (size_t i = 0; i < sizeof WINDOWS / sizeof *WINDOWS; i++)
        expect_decoded(BYTES("\x80"), WINDOWS[i], NULL, BYTES("€"));
    for (size_t i = 0; i < sizeof UTF_16_LE / sizeof *UTF_16_LE; i++)
        expect_decoded(BYTES("\xE9\0"), UTF_16_LE[i], NULL, BYTES("é"));
}
END_TEST

static void expect_refused(const char *encoding, const char *errors, const char *option) {
    require(captured(AT_ARGS("cat"), .encoding = encoding, .errors = errors) == -EINVAL);
    require(done.failure.stage == AT_STAGE_OPTIONS && strcmp(done.failure.file, option) == 0);
    expect_word(done.failure.text, option);
    at_completed_free(&done);
}

START_TEST(unknown_names_are_refused) {
    char long_name[1000] = "";
    static const char *const ENCODINGS[] = {"",    "klingon", "utf-8//TRANSLIT", "latin1//IGNORE", "/", "-", "?",
                                            " \t", "é",       "utf-9",           "latin1,",        "*"};
    static const char *const ERRORS[] = {"", "Strict", "strict ", "replac", "surrogateescape", "ignored"};
    for (size_t i = 0; i < sizeof ENCODINGS / sizeof *ENCODINGS; i++)
        expect_refused(ENCODINGS[i], "replace", "encoding");
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
        expect_refused("utf-8", ERRORS[i], "errors");
    memset(long_name, 'x', sizeof long_name - 1);
    expect_refused(long_name, NULL, "encoding");
    expect_refused(NULL, long_name, "errors");
}
END_TEST

/* The name may be gone when it is needed: a handle has its own. */
START_TEST(name_is_copied) {
    char name[] = "latin-1", errors[] = "replace";
    at_output out;
    at_popen *popen =
        open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE, .encoding = name, .errors = errors);
    memset(name, 'x', sizeof name - 1);
    memset(errors, 'x', sizeof errors - 1);
    ok(at_popen_communicate(popen, at_text("é€"), BOUND, &out, NULL));
    expect_text(out.data, out.size, "é?");
    ck_assert_int_eq(close_command(popen), 0);
}
END_TEST

/* ---- other encodings */

static void need(const char *encoding) {
    iconv_t converter = iconv_open("UTF-8", encoding);
    if (converter == (iconv_t)-1)
        skip("this machine's iconv does not know %s", encoding);
    iconv_close(converter);
}

START_TEST(other_encodings_go_both_ways) {
    static const struct {
        const char *encoding;
        struct bytes bytes, text;
    } CASES[] = {
        {"ascii", SIZED("plain\0\x7F"), SIZED("plain\0\x7F")},
        {"latin-1", SIZED("\xE9\x80\xFF"), SIZED("é\xC2\x80ÿ")},
        {"cp1252", SIZED("\x80\x93\x94\xE4"), SIZED("€“”ä")},
        {"koi8-r", SIZED("\xC1\xC2"), SIZED("аб")},
        {"utf-16-le", SIZED("a\0=\xD8\0\xDE\xFF\xFF"), SIZED("a😀\uFFFF")},
        {"utf-16-be", SIZED("\0a\xD8=\xDE\0"), SIZED("a😀")},
        {"utf-16", SIZED("\377\376a\0-\x4E"), SIZED("a中")},
        {"utf-32-le", SIZED("\x01\0\x0E\0"), SIZED("\U000E0001")},
        {"shift_jis", SIZED("\x82\xA0\xB1\x93\xFA"), SIZED("あｱ日")},
        {"gb18030", SIZED("\xD6\xD0\x94\x39\xDA\x33"), SIZED("中\U0001F4A9")},
        {"iso-2022-jp", SIZED("a\x1B$B$\"\x1B(B"), SIZED("aあ")}, /* which goes back to ASCII at the end */
    };
    need("shift_jis");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        expect_decoded(CASES[i].bytes, CASES[i].encoding, NULL, CASES[i].text);
        expect_encoded(CASES[i].text, CASES[i].encoding, NULL, CASES[i].bytes);
    }
    expect_decoded(BYTES(""), "utf-16", NULL, BYTES(""));
    expect_encoded(BYTES(""), "utf-16", NULL, BYTES(""));
}
END_TEST

START_TEST(bad_bytes_of_other_encodings_are_no_text) {
    static const struct damage ASCII[] = {DAMAGE("a\x80\xFFz", "a" R R "z", "az", 1)};
    static const struct damage CP1252[] = {DAMAGE("\x80\x81\x9D!", "€" R R "!", "€!", 1)};
    static const struct damage UTF_16[] = {
        DAMAGE("a\0\0\xDCz\0", "a" R "z", "az", 2), /* a second half alone */
        DAMAGE("a\0\0\xD8z\0", "a" R "z", "az", 2), /* a first half alone */
        DAMAGE("a\0\0\xD8\0\xD8=\xD8\0\xDE", "a" R R "😀", "a😀", 2),
        DAMAGE("a\0\0\xD8", "a" R, "a", 2), /* ends too early */
        DAMAGE("a\0\0\xD8z", "a" R, "a", 2),
        DAMAGE("a\0z", "a" R, "a", 2),
    };
    static const struct damage UTF_32[] = {DAMAGE("a\0\0\0\0\0\x11\0\0\xD8\0\0z\0", "a" R R R, "a", 4)};
    static const struct damage SHIFT_JIS[] = {
        DAMAGE("\x82\xA0\xFF\x82\x20\x82\xA0\x82", "あ" R R " あ" R, "あ あ", 2),
    };
    need("shift_jis");
    expect_damage("ascii", ASCII, sizeof ASCII / sizeof *ASCII);
    expect_damage("cp1252", CP1252, sizeof CP1252 / sizeof *CP1252);
    expect_damage("utf-16-le", UTF_16, sizeof UTF_16 / sizeof *UTF_16);
    expect_damage("utf-32-le", UTF_32, sizeof UTF_32 / sizeof *UTF_32);
    expect_damage("shift_jis", SHIFT_JIS, sizeof SHIFT_JIS / sizeof *SHIFT_JIS);
    expect_decoded(BYTES("a\0\0\0\0\0\x11\0z\0\0\0"), "ucs-4le", "replace", BYTES("a" R R R R "z")); /* too large */
    require(decode(BYTES("\0\0\x11\0"), "ucs-4le", NULL) == -EILSEQ);
    at_completed_free(&done);
}
END_TEST

START_TEST(what_has_no_counterpart_is_not_sent) {
    static const struct {
        const char *encoding;
        struct bytes text, replaced, ignored;
        int bad;
    } CASES[] = {
        {"ascii", SIZED("a€é\n"), SIZED("a??\n"), SIZED("a\n"), 1}, /* not EUR and e */
        {"latin-1", SIZED("é€ﬁ"), SIZED("\xE9??"), SIZED("\xE9"), 2},
        {"latin-1", SIZED("a\U000E0041z€"), SIZED("a?z?"), SIZED("az"), 1}, /* a tag, which nobody sees */
        {"iso-2022-jp", SIZED("あ€い"), SIZED("\x1B$B$\"\x1B(B?\x1B$B$$\x1B(B"), SIZED("\x1B$B$\"$$\x1B(B"), 3},
        {NULL, SIZED("a\xC3z\xED\xA0\x80"), SIZED("a?z???"), SIZED("az"), 1}, /* input that is no UTF-8 itself */
        {"utf-16-le", SIZED("a\xFFz"), SIZED("a\0?\0z\0"), SIZED("a\0z\0"), 1},
        {"ascii", SIZED("ab€\xFF"), SIZED("ab??"), SIZED("ab"), 2}, /* the first of two reasons */
        {"ascii", SIZED("ab\xFF€"), SIZED("ab??"), SIZED("ab"), 2},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        expect_unencodable(CASES[i].text, CASES[i].encoding, "strict", CASES[i].bad);
        expect_encoded(CASES[i].text, CASES[i].encoding, "replace", CASES[i].replaced);
        expect_encoded(CASES[i].text, CASES[i].encoding, "ignore", CASES[i].ignored);
    }
}
END_TEST

START_TEST(input_keeps_its_newlines) {
    expect_encoded(BYTES("a\r\nb\rc\n"), NULL, NULL, BYTES("a\r\nb\rc\n"));
}
END_TEST

/* Each byte becomes two, then three: whatever room there was at first does not do. */
START_TEST(text_may_be_larger_than_its_bytes) {
    enum { SIZE = 1 << 14 };
    char *bytes = malloc(SIZE), *text = malloc(3 * SIZE);
    memset(bytes, 0xE9, SIZE);
    for (int i = 0; i < SIZE; i++)
        memcpy(text + 2 * i, "é", 2);
    expect_decoded((struct bytes){bytes, SIZE}, "latin-1", NULL, (struct bytes){text, 2 * SIZE});
    for (int i = 0; i < SIZE; i++)
        memcpy(text + 3 * i, R, 3);
    expect_decoded((struct bytes){bytes, SIZE}, "ascii", "replace", (struct bytes){text, 3 * SIZE});
    memset(bytes, 0x80, SIZE);
    expect_decoded((struct bytes){bytes, SIZE}, NULL, "replace", (struct bytes){text, 3 * SIZE});
    expect_decoded((struct bytes){bytes, SIZE}, NULL, "ignore", BYTES(""));
    free(bytes);
    free(text);
}
END_TEST

/* ---- against Python */

/* Reads "encoding errors hexadecimal" a line, and prints what Python makes of it: the text, or where it is bad. */
static const char PYTHON[] = "import sys\n"
                             "for line in sys.stdin:\n"
                             "    encoding, errors, data = line[:-1].split(' ')\n"
                             "    try:\n"
                             "        text = bytes.fromhex(data).decode(encoding, errors)\n"
                             "        print(text.replace('\\r\\n', '\\n').replace('\\r', '\\n').encode().hex())\n"
                             "    except UnicodeDecodeError as error:\n"
                             "        print('bad', error.start)\n";

static const char *const ENCODINGS[] = {"utf-8",   "utf-8",     "utf-8",  "ascii",
                                        "latin-1", "utf-16-le", "cp1252", "shift_jis"};
static const char *const ERRORS[] = {"strict", "replace", "ignore"};

/* Characters and parts of characters; Python and iconv differ on what '\\' and '~' mean in Japan. */
static const char *const PARTS[] = {
    "a",        "\r",
    "\n",       "long enough for several words",
    "é",        "€",
    "😀",        "\xC3",
    "\xE2\x82", "\xF0\x9F\x98",
    "\xE0\x80", "\xED\xA0\x80",
    "\xF4\x90", "\xC0\xAF",
    "\x80",     "\xBF",
    "\xFF\xFE", "=\xD8",
    "1\xDE",    "\x82\xA0",
    "\x81",     "\xB1",
};
enum { PART_COUNT = sizeof PARTS / sizeof *PARTS };

/* Up to eight of these, some with their NUL, or of any bytes. */
static struct bytes random_bytes(char *place, unsigned *seed) {
    struct bytes bytes = {place, 0};
    for (int parts = rand_r(seed) % 9; parts > 0; parts--) {
        const char *part = PARTS[rand_r(seed) % PART_COUNT];
        size_t size = strlen(part) + (rand_r(seed) % 4 == 0);
        char byte = (char)rand_r(seed);
        if (rand_r(seed) % 4 == 0 && byte != '\\' && byte != '~') {
            part = &byte;
            size = 1;
        }
        memcpy(place + bytes.size, part, size);
        bytes.size += size;
    }
    return bytes;
}

static void print_hexadecimal(FILE *file, const char *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        fprintf(file, "%02x", (unsigned char)data[i]);
    fputc('\n', file);
}

START_TEST(python_makes_the_same_of_random_bytes) {
    enum { COUNT = 2000 };
    unsigned seed = 20260;
    char *asked, *answered, place[300];
    size_t asked_size, answered_size;
    need("shift_jis");
    FILE *questions = open_memstream(&asked, &asked_size), *answers = open_memstream(&answered, &answered_size);
    for (int i = 0; i < (UNDER_TSAN || UNDER_ASAN ? COUNT / 10 : COUNT); i++) {
        const char *encoding = ENCODINGS[(size_t)i % (sizeof ENCODINGS / sizeof *ENCODINGS)];
        const char *errors = ERRORS[rand_r(&seed) % 3];
        struct bytes bytes = random_bytes(place, &seed);
        int result = decode(bytes, encoding, errors);
        require(result == 0 || result == -EILSEQ);
        fprintf(questions, "%s %s ", encoding, errors);
        print_hexadecimal(questions, bytes.data, bytes.size);
        if (result == 0)
            print_hexadecimal(answers, done.stdout, done.stdout_size);
        else
            fprintf(answers, "bad %d\n", atoi(strstr(done.failure.text, "byte ") + 5));
        at_completed_free(&done);
    }
    fclose(questions);
    fclose(answers);
    int file = file_of((struct bytes){asked, asked_size});
    int result = ran(AT_ARGS("python3", "-c", PYTHON), .stdin = at_descriptor(file), .stdout = AT_PIPE);
    if (result == -ENOENT)
        skip("no python3 to ask");
    ok(result);
    const char *ours = answered, *theirs = done.stdout, *question = asked;
    for (; *ours; question = strchr(question, '\n') + 1) {
        size_t size = strcspn(ours, "\n") + 1;
        if (strncmp(ours, theirs, size) != 0)
            ck_abort_msg("%.*s: %.*s, but Python says %.*s", (int)strcspn(question, "\n"), question, (int)size - 1,
                         ours, (int)strcspn(theirs, "\n"), theirs);
        ours += size;
        theirs += size;
    }
    at_completed_free(&done);
    free(asked);
    free(answered);
    close(file);
}
END_TEST

SUITE_WITH("subprocess_encodings", begin_commands, end_commands, encodings_have_many_spellings,
           unknown_names_are_refused, name_is_copied, other_encodings_go_both_ways,
           bad_bytes_of_other_encodings_are_no_text, what_has_no_counterpart_is_not_sent, input_keeps_its_newlines,
           text_may_be_larger_than_its_bytes, python_makes_the_same_of_random_bytes)
