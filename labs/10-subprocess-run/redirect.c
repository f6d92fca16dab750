/*
 * redirect.c: where a command's output goes, and where its input comes from.
 *
 * Python:  redirect.py; stdout=DEVNULL, stdout=file, stdin=file, stderr=STDOUT
 * Expect:  nothing of the first; a file's two lines, of which a command wrote the second, and another read both;
 *          stderr's line between stdout's, as they were written
 * Try:     in the twin, leave out file.flush(): which line comes first in the file, and why?
 */
#include "completed.h"

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_completed thrown, written, lines, merged;
    check_run(at_run(AT_ARGS("echo", "unseen"), .stdout = AT_DEVNULL, .completed = &thrown), &thrown);
    print_completed("DEVNULL: ", &thrown);

    FILE *file = tmpfile();
    if (file == NULL) {
        fprintf(stderr, "redirect: no temporary file can be made; is there room in %s?\n", P_tmpdir);
        return 1;
    }
    fprintf(file, "ours: red\n"); /* at_file flushes it before the command writes */
    check_run(at_run(AT_ARGS("echo", "the command's: blue"), .stdout = at_file(file), .completed = &written), &written);
    rewind(file);
    check_run(at_run(AT_ARGS("cat"), .stdin = at_file(file), .stdout = AT_PIPE, .completed = &lines), &lines);
    fclose(file);
    print_completed("a file: ", &lines);

    check_run(at_run(AT_ARGS("sh", "-c", "echo colour; echo water >&2; echo colour"), .stdout = AT_PIPE,
                     .stderr = AT_STDOUT, .completed = &merged),
              &merged);
    print_completed("STDOUT: ", &merged);

    bool right = captured(lines.stdout, lines.stdout_size, "ours: red\nthe command's: blue\n") &&
                 captured(merged.stdout, merged.stdout_size, "colour\nwater\ncolour\n") && merged.stderr == NULL;
    at_completed_free(&thrown);
    at_completed_free(&written);
    at_completed_free(&lines);
    at_completed_free(&merged);
    if (!right)
        fprintf(stderr, "redirect: the lines did not go where they were sent\n");
    return !right;
}
