/* crew.c: processes that do something measured together. */
#include "crew.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "measure.h"

enum { LOOK_MS = 100, ROUND_SECONDS = 20 };

/* The cores that were usable before anything was bound; none when that cannot be known. */
static const cpu_set_t *usable(void) {
    static cpu_set_t set;
    static bool known;
    if (!known && sched_getaffinity(0, sizeof set, &set) != 0)
        CPU_ZERO(&set);
    known = true;
    return &set;
}

void bind_to_core(size_t index) {
    const cpu_set_t *set = usable();
    size_t left = CPU_COUNT(set) > 0 ? index % (size_t)CPU_COUNT(set) : 0;
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET(core, set) && left-- == 0) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(core, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}

void bind_to_none(void) {
    if (CPU_COUNT(usable()) > 0)
        sched_setaffinity(0, sizeof *usable(), usable());
}

/* Sleeps while the word has this value, or for LOOK_MS, or until a signal comes. */
static void wait_on(_Atomic uint32_t *word, uint32_t value) {
    struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &look, NULL, 0);
}

static void wake(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

__attribute__((noreturn)) static void live(struct crew *crew, size_t index, crew_member *member, pid_t leader) {
    struct stage *stage = crew->stage;
    uint32_t round = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != leader) /* who has died before that call */
        _exit(0);
    signal(SIGINT, SIG_IGN); /* Ctrl-C is for the leader to handle */
    signal(SIGTERM, SIG_DFL);
    bind_to_core(index);
    for (;;) {
        while (atomic_load(&stage->round) == round)
            wait_on(&stage->round, round);
        round++;
        /* The start line: the ones that are there spin until the last one is awake. */
        atomic_fetch_add(&stage->arrived, 1);
        while (atomic_load(&stage->arrived) < round * crew->count)
            sched_yield();
        member(stage, index);
        if (atomic_fetch_add(&stage->done, 1) + 1 == crew->count)
            wake(&stage->done);
    }
}

bool crew_start(struct crew *crew, const char *name, size_t count, crew_member *member) {
    struct stage *stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stage == MAP_FAILED) {
        note("bench: %s: mmap: %s", name, strerror(errno));
        return false;
    }
    *crew = (struct crew){.name = name, .stage = stage, .count = count < CREW_MOST ? count : CREW_MOST};
    pid_t leader = getpid();
    fflush(NULL);
    for (size_t i = 0; i < crew->count; i++) {
        crew->members[i] = fork();
        if (crew->members[i] == 0)
            live(crew, i, member, leader);
        if (crew->members[i] < 0) {
            note("bench: %s: fork: %s", name, strerror(errno));
            crew_end(crew);
            return false;
        }
    }
    return true;
}

/* A member that ended did not mean to. */
static void look_for_the_dead(struct crew *crew) {
    for (size_t i = 0; i < crew->count; i++) {
        int status;
        if (crew->members[i] > 0 && waitpid(crew->members[i], &status, WNOHANG) > 0) {
            crew->members[i] = 0;
            if (crew->stage->wrong[0] == '\0')
                snprintf(crew->stage->wrong, sizeof crew->stage->wrong, "a process ended with status %#x", status);
        }
    }
}

bool crew_round(struct crew *crew, size_t messages, size_t samples) {
    struct stage *stage = crew->stage;
    stage->messages = messages;
    stage->samples = samples;
    for (size_t i = 0; i < crew->count; i++)
        stage->parts[i] = (struct part){0};
    atomic_store(&stage->done, 0);
    atomic_fetch_add(&stage->round, 1);
    wake(&stage->round);
    uint64_t start = now_ns();
    for (uint32_t done; (done = atomic_load(&stage->done)) < crew->count;) {
        if (interrupted())
            return false;
        wait_on(&stage->done, done);
        if (seconds_since(start) < 0.9 * LOOK_MS * 1e-3)
            continue;
        look_for_the_dead(crew);
        if (stage->wrong[0] != '\0') {
            char wrong[sizeof stage->wrong];
            snprintf(wrong, sizeof wrong, "%s", stage->wrong);
            const char *name = crew->name;
            crew_end(crew);
            wrong_result("%s: %s", name, wrong);
        }
        if (seconds_since(start) > ROUND_SECONDS) {
            note("bench: %s: has not ended after %d s; it is left out", crew->name, ROUND_SECONDS);
            crew_end(crew);
            return false;
        }
    }
    return true;
}

double crew_ns(const struct crew *crew) {
    uint64_t start = UINT64_MAX, end = 0;
    for (size_t i = 0; i < crew->count; i++) {
        const struct part *part = &crew->stage->parts[i];
        if (part->start != 0 && part->start < start)
            start = part->start;
        if (part->end > end)
            end = part->end;
    }
    return end > start ? (double)(end - start) : 0;
}

void crew_end(struct crew *crew) {
    for (size_t i = 0; i < crew->count; i++) {
        if (crew->members[i] <= 0)
            continue;
        kill(crew->members[i], SIGKILL);
        while (waitpid(crew->members[i], NULL, 0) < 0 && errno == EINTR) {
        }
    }
    if (crew->stage != NULL)
        munmap(crew->stage, sizeof *crew->stage);
    *crew = (struct crew){0};
}

void crew_wrong(struct stage *stage, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(stage->wrong, sizeof stage->wrong, format, arguments);
    va_end(arguments);
    _exit(1);
}
