/* workloads.c: the list of all workloads, and what several of them share: results in memory that children share. */
#include <string.h>

#include "atelier.h"
#include "workloads.h"

static struct workload *const all[] = {
    &empty_workload,
    &cpu_workload,
    &mixed_workloads[0],
    &mixed_workloads[1],
    &memory_workload,
    &io_workload,
    &commands_workload,
    &lock_workloads[LOCK_MUTEX],
    &lock_workloads[LOCK_ATOMIC],
    &lock_workloads[LOCK_PRIVATE],
    &lock_workloads[LOCK_NEIGHBOURS],
};
const struct workload_list all_workloads = {all, sizeof all / sizeof all[0]};

struct workload *workload_named(struct workload_list list, const char *name) {
    for (size_t i = 0; i < list.count; i++)
        if (strcmp(list.workloads[i]->name, name) == 0)
            return list.workloads[i];
    return NULL;
}

uint64_t *results_new(struct workload *workload, size_t count) {
    uint64_t *results = at_shared_new(count * sizeof *results);
    if (results == NULL)
        workload->missing = "out of shared memory";
    return results;
}
