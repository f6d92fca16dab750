/* tasks.c: the threads of this process as the kernel sees them, also those that this library did not start. */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>

#include "internal.h"
#include "tsan.h"

static _Atomic int harmless_threads;
_Thread_local bool is_harmless;

void harmless_count(int change) {
    harmless_threads += change;
}

#ifdef BUILT_FOR_TSAN
/* ThreadSanitizer has threads of its own: count those that the runtime knows. */
static int count_tasks(void) {
    return (int)at_active_count();
}
#else
static const unsigned EXITING = 0x4; /* the kernel's PF_EXITING, set before pthread_join returns */

/* False for a thread that is ending, or gone. proc_pid_stat(5) */
static bool is_running(const char *task) {
    char path[64], line[512] = "";
    unsigned flags = EXITING;
    snprintf(path, sizeof path, "/proc/self/task/%.16s/stat", task);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';
    const char *after_name = strrchr(line, ')'); /* a name may hold anything, parentheses too */
    return after_name != NULL && sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && !(flags & EXITING);
}

static int count_tasks(void) {
    struct stat folder;
    if (__libc_single_threaded || (stat("/proc/self/task", &folder) == 0 && folder.st_nlink == 2 + 1))
        return 1; /* a task is a folder, which links to the one above; a cheap look, but it sees ending threads too */
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL)
        return (int)at_active_count();
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        count += entry->d_name[0] != '.' && is_running(entry->d_name);
    closedir(tasks);
    return count;
}
#endif

int count_other_threads(void) {
    int others = count_tasks() - 1 - (harmless_threads - is_harmless);
    return others > 0 ? others : 0; /* without /proc only the registered are counted, and not those */
}

/* A forked child has none of them. */
static void after_fork_in_child(void) {
    harmless_threads = 0;
    is_harmless = false;
}

static __attribute__((constructor)) void initialise(void) {
    pthread_atfork(NULL, NULL, after_fork_in_child);
}
