/*
 * ten_threads.c: ten threads that each work for a second are done after one second, not ten.
 *
 * Python:  ten_threads.py; for i in range(10): threading.Thread(target=function, args=(i,)).start()
 * Expect:  ten lines "thread N running....", N from 0 to 9 in a free order, all after about one second
 * Try:     .arg = &i in place of AT_COPY(i), a pointer to the loop variable: by the time a thread looks, the loop has
 *          gone on and main has returned, so the numbers are wrong, often ten times the same
 */
#include <stdio.h>

#include "atelier.h"

static int function(void *arg) {
    const int *number = arg;
    at_work(1);
    printf("thread %d running....\n", *number);
    return 0;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    for (int i = 0; i < 10; i++) { /* create ten threads */
        at_thread *t = at_thread_new(.target = function, AT_COPY(i));
        at_check(at_thread_start(t));
        at_thread_free(t); /* gives back the handle; the thread goes on, and is joined at exit */
    }
    return 0;
}
