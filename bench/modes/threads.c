/* threads.c: a thread for each worker, started and joined in each run. */
#include "atelier.h"
#include "modes.h"

static void run(const struct job *job) {
    at_thread *threads[job->workers];
    for (size_t i = 0; i < job->workers; i++) {
        struct share share = {job, i};
        threads[i] = at_thread_new(.target = share_do, AT_COPY(share));
        at_check(at_thread_start(threads[i]));
    }
    for (size_t i = 0; i < job->workers; i++) {
        at_check(at_thread_join(threads[i], AT_FOREVER));
        at_thread_free(threads[i]);
    }
}

const struct mode threads_mode = {.name = "threads", .title = "threads", .locks = &thread_locks, .run = run};
