/* test_subprocess_text.c: text from a child: when there is any, newlines, UTF-8 and what is none; as Python has it. */
#include "text.h"

/* ---- when there is text at all */

static const struct bytes DIRTY = SIZED("a\r\nb\rc\0\xFF");

START_TEST(bytes_stay_as_they_are_without_text) {
    int file = file_of(DIRTY);
    ok(ran(AT_ARGS("cat"), .stdin = at_descriptor(file), .stdout = AT_PIPE));
    close(file);
    expect_bytes(done.stdout, done.stdout_size, DIRTY.data, DIRTY.size);
    at_completed_free(&done);
    ok(captured(AT_ARGS("cat"), .input = at_bytes(DIRTY.data, DIRTY.size)));
    expect_bytes(done.stdout, done.stdout_size, DIRTY.data, DIRTY.size);
    at_completed_free(&done);
}
END_TEST

START_TEST(each_of_four_options_means_text) {
    ok(captured(SHELL("printf 'a\\r\\n'"), .text = true));
    expect_stdout("a\n");
    at_completed_free(&done);
    ok(captured(SHELL("printf 'a\\r\\n'"), .universal_newlines = true));
    expect_stdout("a\n");
    at_completed_free(&done);
    ok(captured(SHELL("printf 'a\\r\\n'"), .encoding = "utf-8"));
    expect_stdout("a\n");
    at_completed_free(&done);
    ok(captured(SHELL("printf 'a\\r\\n'"), .errors = "ignore"));
    expect_stdout("a\n");
    at_completed_free(&done);
}
END_TEST

START_TEST(both_streams_are_text) {
    ok(captured(SHELL("printf 'a\\r\\n\\377'; printf '\\377\\r' >&2"), .errors = "replace"));
    expect_stdout("a\n\uFFFD");
    expect_stderr("\uFFFD\n");
    at_completed_free(&done);
    ck_assert_int_eq(captured(SHELL("printf '\\377' >&2"), .text = true), -EILSEQ);
    expect_word(done.failure.text, "byte 0 of stderr");
    at_completed_free(&done);
}
END_TEST

/* Also the one that would be text. */
START_TEST(both_streams_are_as_written_when_one_is_no_text) {
    ck_assert_int_eq(captured(SHELL("printf 'a\\r\\n'; printf '\\377\\r\\n' >&2"), .text = true), -EILSEQ);
    expect_stdout("a\r\n");
    expect_stderr("\377\r\n");
    at_completed_free(&done);
    ck_assert_int_eq(captured(SHELL("printf '\\377\\r\\n'; printf 'a\\r\\n' >&2"), .text = true), -EILSEQ);
    expect_stdout("\377\r\n");
    expect_stderr("a\r\n");
    at_completed_free(&done);
}
END_TEST

START_TEST(check_output_counts_the_text) {
    char *output;
    ck_assert_int_eq(at_check_output(&output, SHELL("printf '\\351\\r\\n'"), .encoding = "latin-1"), 3);
    expect_text(output, 3, "é\n");
    free(output);
}
END_TEST

/* ---- newlines */

START_TEST(newlines_become_one) {
    static const struct {
        struct bytes from, to;
    } CASES[] = {
        {SIZED(""), SIZED("")},
        {SIZED("\r"), SIZED("\n")},
        {SIZED("\r\n"), SIZED("\n")},
        {SIZED("\n\r"), SIZED("\n\n")},
        {SIZED("\r\r\n\r"), SIZED("\n\n\n")},
        {SIZED("one\r\ntwo\rthree\n\r\nfour"), SIZED("one\ntwo\nthree\n\nfour")},
        {SIZED("\0\r\0\n\0\r\n\0"), SIZED("\0\n\0\n\0\n\0")},           /* a NUL is a character as others are */
        {SIZED("\r\xC2\x85\u2028\v\f"), SIZED("\n\xC2\x85\u2028\v\f")}, /* and these are no newlines */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        expect_decoded(CASES[i].from, NULL, NULL, CASES[i].to);
    expect_decoded(BYTES("a\0\r\0\n\0\r\0"), "utf-16-le", NULL, BYTES("a\n\n"));
}
END_TEST

/* Lengths that straddle whatever is read or looked at in one go. */
START_TEST(large_text_is_translated_as_small_is) {
    enum { LINES = 200000 };
    static const char *const KINDS[] = {"short\r\n", "größer\r\n", "\r", "漢字かな交じり文\r\n😀"};
    char *written = malloc(LINES * 40), *expected = malloc(LINES * 40), *to = written, *clean = expected;
    for (int i = 0; i < LINES; i++)
        for (const char *from = KINDS[(i * 7 / 3) % 4]; *from; from++) {
            *to++ = *from;
            if (*from != '\r' || from[1] != '\n')
                *clean++ = (char)(*from == '\r' ? '\n' : *from);
        }
    /* What ends with '\r' meets no '\n' at the beginning of the next: none has one there. */
    ok(decode((struct bytes){written, (size_t)(to - written)}, NULL, NULL));
    expect_bytes(done.stdout, done.stdout_size, expected, (size_t)(clean - expected));
    at_completed_free(&done);
    free(written);
    free(expected);
}
END_TEST

/* ---- UTF-8 */

/* All that there are: U+0000 to U+10FFFF without the surrogates, '\r' as what it becomes. */
START_TEST(every_character_passes) {
    char *all = malloc(4 * 0x110000), *to = all;
    for (unsigned c = 0; c < 0x110000; c++) {
        if (c >= 0xD800 && c < 0xE000)
            continue;
        unsigned character = c == '\r' ? '\n' : c;
        int more = character < 0x80 ? 0 : character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
        static const unsigned char LEAD[] = {0, 0xC0, 0xE0, 0xF0};
        *to++ = (char)(LEAD[more] | character >> 6 * more);
        while (more-- > 0)
            *to++ = (char)(0x80 | (character >> 6 * more & 0x3F));
    }
    struct bytes text = {all, (size_t)(to - all)};
    ok(captured(AT_ARGS("cat"), .input = at_bytes(text.data, text.size), .text = true));
    expect_bytes(done.stdout, done.stdout_size, text.data, text.size);
    at_completed_free(&done);
    free(all);
}
END_TEST

/* The examples of the Unicode Standard, 3.9, are among them. */
START_TEST(each_maximal_subpart_is_one_replacement) {
    static const struct damage CASES[] = {
        DAMAGE("a\xFFz", "a" R "z", "az", 1),
        DAMAGE("a\x80\xBFz", "a" R R "z", "az", 1),
        DAMAGE("ab\xC3", "ab" R, "ab", 2),         /* ends too early */
        DAMAGE("ab\xE2\x82", "ab" R, "ab", 2),     /* one subpart */
        DAMAGE("ab\xF0\x9F\x98", "ab" R, "ab", 2), /* one subpart */
        DAMAGE("\xE2\x82z\xF0\x9F\x98z", R "z" R "z", "zz", 0),
        DAMAGE("\xC0\x80", R R, "", 0), /* NUL, too long */
        DAMAGE("\xC1\xBF", R R, "", 0),
        DAMAGE("\xE0\x80\xAF", R R R, "", 0), /* '/', too long */
        DAMAGE("\xE0\x9F\xBF", R R R, "", 0),
        DAMAGE("\xF0\x80\x80\xAF", R R R R, "", 0),
        DAMAGE("\xED\xA0\x80\xED\xBF\xBF", R R R R R R, "", 0), /* surrogates */
        DAMAGE("\xF4\x90\x80\x80", R R R R, "", 0),             /* above U+10FFFF */
        DAMAGE("\xF5\x80\xFE", R R R, "", 0),
        DAMAGE("a\361\200\200\341\200\302b\200c\200\277d", "a" R R R "b" R "c" R R "d", "abcd", 1),
        DAMAGE("\xC3\xA9\xC3\r\n\xE2\xFF\0", "é" R "\n" R R "\0", "é\n\0", 2),
        DAMAGE("sixteen bytes of it, and then \x80 more and more", "sixteen bytes of it, and then " R " more and more",
               "sixteen bytes of it, and then  more and more", 30),
    };
    expect_damage(NULL, CASES, sizeof CASES / sizeof *CASES);
}
END_TEST

START_TEST(ignored_bytes_leave_a_newline_together) {
    expect_decoded(BYTES("a\r\xFF\nb"), NULL, "ignore", BYTES("a\nb"));
    expect_decoded(BYTES("a\r\xFF\nb"), NULL, "replace", BYTES("a\n" R "\nb"));
}
END_TEST

START_TEST(only_utf_16_and_utf_32_take_the_byte_order_mark) {
    expect_decoded(BYTES("\xEF\xBB\xBFx"), NULL, NULL, BYTES("\uFEFFx"));
    expect_decoded(BYTES("\xFF\xFEx\0"), "utf-16", NULL, BYTES("x"));
    expect_decoded(BYTES("\xFE\xFF\0x"), "utf-16", NULL, BYTES("x"));
    expect_decoded(BYTES("\xFF\xFE\xFF\xFEx\0"), "utf-16", NULL, BYTES("\uFEFFx"));
    expect_decoded(BYTES("\xFF\xFE\0\0x\0\0\0"), "utf-32", NULL, BYTES("x"));
    expect_decoded(BYTES("\xFF\xFEx\0"), "utf-16-le", NULL, BYTES("\uFEFFx"));
    expect_decoded(BYTES("\xFE\xFF\0x\xDC\0\0y"), "utf-16", "replace", BYTES("x" R "y")); /* and it is not forgotten */
}
END_TEST

SUITE_WITH("subprocess_text", begin_commands, end_commands, bytes_stay_as_they_are_without_text,
           each_of_four_options_means_text, both_streams_are_text, both_streams_are_as_written_when_one_is_no_text,
           check_output_counts_the_text, newlines_become_one, large_text_is_translated_as_small_is,
           every_character_passes, each_maximal_subpart_is_one_replacement, ignored_bytes_leave_a_newline_together,
           only_utf_16_and_utf_32_take_the_byte_order_mark)
