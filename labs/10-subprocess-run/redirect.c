/*
 * redirect.c: where a command's output goes, and where its input comes from.
 *
 * Python:  redirect.py; stdout=DEVNULL, stdin=DEVNULL, stdout=file, stdin=file, stdout=1, stderr=STDOUT
 * Expect:  nothing of the first, nothing for the second; a line by a descriptor, our own stdout; a file's two lines,
 *          of which a command wrote the second, and another read both; stderr's line between stdout's, as written
 * Try:     in the twin, leave out file.flush(): which line comes first in the file, and why?
 */
#include <unistd.h>

#include "completed.h"

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_completed thrown, empty, direct, written, lines, merged;
    check_run(at_run(AT_ARGS("echo", "unseen"), .stdout = AT_DEVNULL, .completed = &thrown), &thrown);
    print_completed("DEVNULL: ", &thrown);
    check_run(at_run(AT_ARGS("cat"), .stdin = AT_DEVNULL, .stdout = AT_PIPE, .completed = &empty), &empty);
    print_completed("stdin: ", &empty);
    check_run(at_run(AT_ARGS("echo", "seen"), .stdout = at_descriptor(STDOUT_FILENO), .completed = &direct), &direct);

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

    bool right = captured(empty.stdout, empty.stdout_size, "") &&
                 captured(lines.stdout, lines.stdout_size, "ours: red\nthe command's: blue\n") &&
                 captured(merged.stdout, merged.stdout_size, "colour\nwater\ncolour\n") && merged.stderr == NULL;
    at_completed *all[] = {&thrown, &empty, &direct, &written, &lines, &merged};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        at_completed_free(all[i]);
    if (!right)
        fprintf(stderr, "redirect: the lines did not go where they were sent\n");
    return !right;
}
