/*
 * plain_variable.c: a plain variable does not travel between processes; shared memory does.
 *
 * Python:  plain_variable.py; a global variable beside a multiprocessing.RawValue
 * Expect:  the child counts 10 in both; the parent sees 0 in the plain variable and 10 in the shared one
 * Try:     run paint in a thread instead: 10 and 10, since threads share all memory
 */
#include <errno.h>
#include <stdio.h>

#include "atelier.h"

static int plain;   /* from the start on, the child has a copy of its own */
static int *shared; /* points to the same memory in both; one artist at a time, so no lock */

static int paint(void *arg) {
    (void)arg;
    for (int i = 0; i < 10; i++) {
        plain += 1;
        *shared += 1;
    }
    printf("child: plain %d, shared %d\n", plain, *shared);
    return 0;
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    shared = at_shared_new(sizeof *shared);
    at_check(shared != NULL ? 0 : -ENOMEM);
    at_process *m1 = at_process_new(.target = paint);
    at_check(at_process_start(m1));
    at_check(at_process_join(m1, AT_FOREVER));
    at_process_free(m1);
    printf("parent: plain %d, shared %d\n", plain, *shared);
    int broken = plain != 0 || *shared != 10;
    if (broken)
        fprintf(stderr, "plain_variable: the parent should see plain 0, shared 10\n");
    at_shared_free(shared);
    return broken;
}
