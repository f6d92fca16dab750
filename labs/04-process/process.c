/*
 * process.c: two processes run a function each, as two threads would: start them, then join them.
 *
 * Python:  process.py; multiprocessing.Process(target=function, args=(i,)), start() and join()
 * Expect:  two lines "process N running....", in a free order, after one second; then how each of them ended
 * Try:     return 3 from the function: that is the exit code; or raise(SIGKILL) in it: the exit code is -9
 */
#include <stdio.h>

#include "atelier.h"

static int function(void *arg) {
    const int *number = arg;
    at_work(1);
    printf("process %d running....\n", *number);
    return 0;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_process *processes[2];
    for (int i = 0; i < 2; i++) {
        processes[i] = at_process_new(.target = function, AT_COPY(i));
        at_check(at_process_start(processes[i]));
    }
    int failed = 0;
    for (int i = 0; i < 2; i++) {
        int code = 0;
        at_check(at_process_join(processes[i], AT_FOREVER));
        at_check(at_process_exitcode(processes[i], &code));
        printf("%s ended with exit code %d\n", at_process_name(processes[i]), code);
        failed += code != 0;
        at_process_free(processes[i]);
    }
    if (failed > 0)
        fprintf(stderr, "process: %d of 2 processes failed\n", failed);
    return failed > 0;
}
