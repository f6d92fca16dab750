/* serial.c: without concurrency: one task after another. */
#include "modes.h"

static void run(const struct job *job) {
    job_share(job, 0);
}

const struct mode serial_mode = {
    .name = "serial", .title = "serial", .alone = true, .locks = &thread_locks, .run = run};
