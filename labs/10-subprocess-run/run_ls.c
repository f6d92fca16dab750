/*
 * run_ls.c: the tutorial's "ls -la": another program runs, and what it prints goes where ours goes.
 *
 * Python:  run_ls.py; subprocess.run(["ls", "-la"])
 * Expect:  the files of this folder, as a shell would list them; then the arguments and the return code
 * Try:     AT_ARGS("ls", "-la", "no-such-file"): ls says what is wrong and returns 2; at_run has done its part. Then
 *          AT_ARGS("no-such-program"): at_run itself fails, and says at which stage
 */
#include "completed.h"

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_completed completed;
    check_run(at_run(AT_ARGS("ls", "-la"), .completed = &completed), &completed);
    print_completed("", &completed); /* after ls: it writes at once, this at the program's end */
    int returncode = completed.returncode;
    at_completed_free(&completed);
    if (returncode != 0)
        fprintf(stderr, "run_ls: ls should return 0, not %d\n", returncode);
    return returncode != 0;
}
