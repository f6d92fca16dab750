/*
 * text.c: bytes or text: line ends, encodings, and what to do with bytes that are no text.
 *
 * Python:  text.py; text=True, universal_newlines=True, encoding="iso-8859-1", errors="replace"
 * Expect:  the bytes as they were printed; three lines, by each name of the parameter; a letter that is one byte in
 *          ISO 8859-1 and two in UTF-8; taken for UTF-8 it is an error, a sign in its place, or left out
 * Try:     .encoding = "utf-16" with AT_ARGS("printf", "r\\0e\\0d\\0")
 */
#include "completed.h"

#define LINES AT_ARGS("printf", "red\\r\\nblue\\rgreen\\n")
#define LATIN AT_ARGS("printf", "caf\\351\\n") /* 351, octal, is the letter e with an acute accent in ISO 8859-1 */

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_completed bytes, text, older, latin, strict, replaced, ignored;
    check_run(at_run(LINES, .stdout = AT_PIPE, .completed = &bytes), &bytes);
    print_completed("bytes: ", &bytes);
    check_run(at_run(LINES, .stdout = AT_PIPE, .text = true, .completed = &text), &text);
    print_completed_text("text: ", &text);
    check_run(at_run(LINES, .stdout = AT_PIPE, .universal_newlines = true, .completed = &older), &older);
    print_completed_text("universal_newlines: ", &older);

    check_run(at_run(LATIN, .stdout = AT_PIPE, .encoding = "iso-8859-1", .completed = &latin), &latin);
    print_completed_text("encoding: ", &latin);
    int code = at_run(LATIN, .stdout = AT_PIPE, .encoding = "utf-8", .completed = &strict);
    printf("strict: %s\n", strict.failure.text);
    check_run(at_run(LATIN, .stdout = AT_PIPE, .encoding = "utf-8", .errors = "replace", .completed = &replaced),
              &replaced);
    print_completed_text("replace: ", &replaced);
    check_run(at_run(LATIN, .stdout = AT_PIPE, .encoding = "utf-8", .errors = "ignore", .completed = &ignored),
              &ignored);
    print_completed_text("ignore: ", &ignored);

    bool right = captured(bytes.stdout, bytes.stdout_size, "red\r\nblue\rgreen\n") &&
                 captured(text.stdout, text.stdout_size, "red\nblue\ngreen\n") &&
                 captured(older.stdout, older.stdout_size, "red\nblue\ngreen\n") &&
                 captured(latin.stdout, latin.stdout_size, "caf\u00e9\n") && code == -EILSEQ &&
                 captured(strict.stdout, strict.stdout_size, "caf\xe9\n") &&
                 captured(replaced.stdout, replaced.stdout_size, "caf\ufffd\n") &&
                 captured(ignored.stdout, ignored.stdout_size, "caf\n");
    at_completed *all[] = {&bytes, &text, &older, &latin, &strict, &replaced, &ignored};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        at_completed_free(all[i]);
    if (!right)
        fprintf(stderr, "text: what was captured is not what the commands print\n");
    return !right;
}
