/* support.c: what the Check suites share. */
#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

int run_suite(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}

/* The number of the running test: one more than the results in Check's log, which is flushed before each test. */
static int test_number(void) {
    const char *path = getenv("CK_TAP_LOG_FILE_NAME");
    FILE *log = path ? fopen(path, "r") : NULL;
    int number = 1;
    char line[4096];
    while (log && fgets(line, sizeof line, log))
        number += strncmp(line, "ok ", 3) == 0 || strncmp(line, "not ok ", 7) == 0;
    if (log)
        fclose(log);
    return number;
}

void skip(const char *format, ...) {
    const char *path = getenv("AT_SKIP_LOG"); /* unset when the suite is run by hand */
    FILE *log = path ? fopen(path, "a") : stderr;
    if (!log)
        ck_abort_msg("skip: cannot write to %s", path);
    va_list arguments;
    va_start(arguments, format);
    fprintf(log, "%d skipped: ", test_number());
    vfprintf(log, format, arguments);
    fprintf(log, "\n");
    va_end(arguments);
    fclose(log);
    exit(0);
}

int usable_cores(void) {
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

/* LeakSanitizer takes for lost what Check kept on that thread's stack. */
static bool main_is_gone;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
    return main_is_gone;
}

void end_main_thread(void) {
    main_is_gone = true;
    pthread_exit(NULL);
}

int first_usable_core(void) {
    cpu_set_t cores;
    size_t core = 0;
    if (sched_getaffinity(0, sizeof cores, &cores) == 0)
        while (core < CPU_SETSIZE - 1 && !CPU_ISSET(core, &cores))
            core++;
    return (int)core;
}

/* What one line of /proc says about a task; see proc_pid_stat(5). */
struct task {
    char state;
    int parent;
    unsigned flags;
    long threads; /* of its process */
};

/* Counts the tasks listed in a folder of /proc that the test wants. */
static int count_tasks(const char *folder, bool (*wanted)(const struct task *)) {
    DIR *tasks = opendir(folder);
    if (!tasks)
        ck_abort_msg("%s cannot be read", folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));) {
        char path[300], line[1024] = "";
        snprintf(path, sizeof path, "%s/%s/stat", folder, entry->d_name);
        FILE *file = isdigit((unsigned char)entry->d_name[0]) ? fopen(path, "r") : NULL;
        if (!file)
            continue; /* no task, or gone since */
        size_t length = fread(line, 1, sizeof line - 1, file);
        fclose(file);
        line[length] = '\0';
        struct task task = {0};
        const char *name_end = strrchr(line, ')'); /* a name may hold spaces and parentheses */
        static const char FORMAT[] = ") %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld";
        if (name_end && sscanf(name_end, FORMAT, &task.state, &task.parent, &task.flags, &task.threads) == 4)
            count += wanted(&task);
    }
    closedir(tasks);
    return count;
}

static bool is_running(const struct task *task) {
    const unsigned exiting = 0x4; /* PF_EXITING, set before the thread's joiner is woken */
    return !(task->flags & exiting);
}

static bool is_child(const struct task *task) {
    return task->parent == getpid();
}

/* A main thread that has ended is a zombie, too, while other threads of its process still run: ThreadSanitizer's, say. */
static bool is_zombie(const struct task *task) {
    return is_child(task) && task->state == 'Z' && task->threads <= 1;
}

int count_threads(void) {
    return count_tasks("/proc/self/task", is_running);
}

int count_children(void) {
    return count_tasks("/proc", is_child);
}

int count_zombies(void) {
    return count_tasks("/proc", is_zombie);
}

int count_entries(const char *folder) {
    DIR *entries = opendir(folder);
    if (!entries)
        ck_abort_msg("%s cannot be read", folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(entries));)
        count += entry->d_name[0] != '.';
    closedir(entries);
    return count;
}

int count_fds(void) {
    return count_entries("/proc/self/fd") - 1; /* without the one that did the counting */
}
