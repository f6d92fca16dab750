/* starts.c: start and join of a thread and of a process that do nothing; and a GiB to make the process large. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atelier.h"
#include "console.h"
#include "measure.h"
#include "subjects.h"

static int nothing(void *unused) {
    (void)unused;
    return 0;
}

static void *nothing_in_a_thread(void *unused) {
    nothing(unused);
    return NULL;
}

size_t thread_ours(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t start = now_ns();
        at_thread *thread = at_thread_new(.target = nothing);
        at_check(at_thread_start(thread));
        at_check(at_thread_join(thread, AT_FOREVER));
        at_thread_free(thread);
        samples[i] = (struct observation){.ns = (double)(now_ns() - start)};
    }
    return count;
}

size_t thread_floor(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        pthread_t thread;
        uint64_t start = now_ns();
        int failure = pthread_create(&thread, NULL, nothing_in_a_thread, NULL);
        if (failure == 0)
            failure = pthread_join(thread, NULL);
        samples[i] = (struct observation){.ns = (double)(now_ns() - start)};
        if (failure != 0) {
            note("bench: pthread_create: %s", strerror(failure));
            exit(1);
        }
    }
    return count;
}

static double start_and_join(at_start_method method) {
    int code = -1;
    uint64_t start = now_ns();
    at_process *process = at_process_new(.target = nothing, .start_method = method);
    at_check(at_process_start(process));
    at_check(at_process_join(process, AT_FOREVER));
    double ns = (double)(now_ns() - start);
    at_check(at_process_exitcode(process, &code));
    start = now_ns();
    at_process_free(process);
    ns += (double)(now_ns() - start);
    if (code != 0 && !interrupted())
        wrong_result("an empty process ended with %d", code);
    return ns;
}

size_t fork_ours(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count; i++)
        samples[i] = (struct observation){.ns = start_and_join(AT_START_FORK)};
    return count;
}

size_t zygote_ours(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count; i++)
        samples[i] = (struct observation){.ns = start_and_join(AT_START_ZYGOTE)};
    return count;
}

double fork_once(void) {
    int status = -1;
    uint64_t start = now_ns();
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    double ns = (double)(now_ns() - start);
    if (pid < 0) {
        note("bench: fork: %s", strerror(errno));
        exit(1);
    }
    if (status != 0 && !interrupted())
        wrong_result("an empty fork ended with status %d", status);
    return ns;
}

size_t fork_floor(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count; i++)
        samples[i] = (struct observation){.ns = fork_once()};
    return count;
}

/* cgroup v2's and v1's limit of memory, and what is used of it, in bytes. */
static const char *const group_files[2][2] = {
    {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
    {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"},
};

/* The number that the file begins with, 0 when there is none: "max", too. */
static double file_number(const char *path) {
    double number = 0;
    FILE *file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%lf", &number) != 1)
        number = 0;
    if (file != NULL)
        fclose(file);
    return number;
}

double available_memory(void) {
    double kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "MemAvailable: %lf", &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    /* Inside a container, what its own limit leaves. */
    for (size_t version = 0; version < 2; version++) {
        double limit = file_number(group_files[version][0]), used = file_number(group_files[version][1]);
        if (limit > 0 && limit - used < kib * 1024)
            kib = limit > used ? (limit - used) / 1024 : 0;
    }
    return kib * 1024;
}

enum { GIBIBYTE = 1 << 30 };
static char *grown; /* the memory; NULL when this process is as small as it began */

/* Pages as the system hands them out: huge ones where it does so unasked (the machine's description says). */
bool grow_by_a_gibibyte(void) {
    if (grown != NULL)
        return true;
    if (available_memory() < 2.5 * GIBIBYTE) {
        note("bench: processes of 1 GiB: left out: less than 2.5 GiB of memory are free (one is ours, one Python's)");
        return false;
    }
    char *memory = mmap(NULL, GIBIBYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        note("bench: processes of 1 GiB: left out: mmap: %s", strerror(errno));
        return false;
    }
    memset(memory, 1, GIBIBYTE);
    grown = memory;
    return true;
}

void shrink_again(void) {
    if (grown != NULL)
        munmap(grown, GIBIBYTE);
    grown = NULL;
}
