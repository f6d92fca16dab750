/* usage.c: what a piece of work took of the machine. */
#include "usage.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static struct usage before;
static double shared_before; /* in KiB, resident in all of the processes */

static void add(struct usage *usage, int who) {
    struct rusage used;
    if (getrusage(who, &used) != 0)
        return;
    usage->cpu_ns += 1e9 * (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     1e3 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    usage->voluntary_switches += (double)used.ru_nvcsw;
    usage->forced_switches += (double)used.ru_nivcsw;
    usage->minor_faults += (double)used.ru_minflt;
    usage->major_faults += (double)used.ru_majflt;
}

double status_number(pid_t pid, const char *name) {
    char path[64], line[256];
    double number = 0;
    snprintf(path, sizeof path, pid > 0 ? "/proc/%d/status" : "/proc/self/status", pid);
    FILE *file = fopen(path, "r");
    size_t length = strlen(name);
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, length) == 0 && line[length] == ':' && sscanf(line + length + 1, "%lf", &number) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return number;
}

/*
 * Another process's, and its children's that have ended, which getrusage does not tell: its clock, and fields 10 to 13,
 * 16 and 17 of proc_pid_stat(5); the children's time is in ticks of mostly 10 ms.
 */
static void add_member(struct usage *usage, pid_t pid) {
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &used) == 0)
        usage->cpu_ns += 1e9 * (double)used.tv_sec + (double)used.tv_nsec;
    usage->voluntary_switches += status_number(pid, "voluntary_ctxt_switches");
    usage->forced_switches += status_number(pid, "nonvoluntary_ctxt_switches");
    char path[64];
    double faults[4], ticks[2];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %lf %lf %lf %lf %*u %*u %lf %lf",
                               &faults[0], &faults[1], &faults[2], &faults[3], &ticks[0], &ticks[1]) == 6) {
        usage->minor_faults += faults[0] + faults[1];
        usage->major_faults += faults[2] + faults[3];
        usage->cpu_ns += 1e9 * (ticks[0] + ticks[1]) / (double)sysconf(_SC_CLK_TCK);
    }
    if (file != NULL)
        fclose(file);
}

static struct usage so_far(struct members members) {
    struct usage usage = {0};
    add(&usage, RUSAGE_SELF);
    add(&usage, RUSAGE_CHILDREN);
    for (size_t i = 0; i < members.count; i++)
        add_member(&usage, members.pids[i]);
    return usage;
}

/* Sets a process's VmHWM to what it has resident now (proc_pid_clear_refs(5)); where that cannot be, it stays. */
static void forget_peak(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, pid > 0 ? "/proc/%d/clear_refs" : "/proc/self/clear_refs", pid);
    FILE *file = fopen(path, "w");
    if (file != NULL) {
        fputs("5", file);
        fclose(file);
    }
}

void usage_begin(struct members members, uint64_t *peaks, size_t count) {
    forget_peak(0);
    shared_before = status_number(0, "RssShmem");
    for (size_t i = 0; i < members.count; i++) {
        forget_peak(members.pids[i]);
        shared_before += status_number(members.pids[i], "RssShmem");
    }
    for (size_t i = 0; peaks != NULL && i < count; i++)
        peaks[i] = 0;
    before = so_far(members);
}

struct usage usage_end(struct members members, const uint64_t *peaks, size_t count) {
    struct usage usage = so_far(members);
    usage.cpu_ns -= before.cpu_ns;
    usage.voluntary_switches -= before.voluntary_switches;
    usage.forced_switches -= before.forced_switches;
    usage.minor_faults -= before.minor_faults;
    usage.major_faults -= before.major_faults;
    usage.peak_kib = status_number(0, "VmHWM") - shared_before;
    for (size_t i = 0; i < members.count; i++)
        usage.peak_kib += status_number(members.pids[i], "VmHWM");
    for (size_t i = 0; peaks != NULL && i < count; i++)
        usage.peak_kib += (double)peaks[i];
    return usage;
}
