/*
 * footprint.c: what it costs to start a process, by how much memory the one who starts it has resident.
 *
 * A fork copies the tables that say where memory is, so it costs more the more there is. A zygote is forked while its
 * parent is small and stays so, and a program that is started by vfork only borrows the memory: both should cost the
 * same at any size. The starters are processes of their own, one for each size; the few MiB that every process has come
 * on top. A sample is a start and the wait for its end, right after one that does not count, since it wakes the starter
 * up. Each time the starter looks whether its memory is resident, and at the child's status; a wrong one ends the run
 * with status 1.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "atelier.h"
#include "cells.h"
#include "comparison.h"
#include "console.h"
#include "measure.h"
#include "options.h"
#include "output.h"
#include "record.h"
#include "spawns.h"
#include "usage.h"
#include "subjects.h"

enum { SIZES = 5, WAYS = 4, KEY_SIZE = 32, NAME_SIZE = 40, REASON_SIZE = 80, KEPT_SAMPLES = 100 };

static const size_t all_mib[SIZES] = {1, 16, 64, 256, 1024};
static const double TIMES_FREE = 2.5; /* so much more must be free than a starter takes */

static const struct way {
    const char *name, *role;
    take_samples *take;
} ways[WAYS] = {
    {"fork", "ours", fork_ours},     /* at_process by fork */
    {"zygote", "ours", zygote_ours}, /* at_process by the zygote */
    {"vfork", "ours", run_ours},     /* at_run of a program that ends at once */
    {"bare", "floor", fork_floor},   /* fork, _exit, waitpid */
};

/* A process with so much memory. */
struct starter {
    size_t mib;
    char name[NAME_SIZE];
    struct peer peer;
    char missing[REASON_SIZE]; /* why it is not there, or not any more; "" when it is */
};

/* One row: a way to start, by one starter. */
struct place {
    struct starter *starter;
    const struct way *way;
    char key[KEY_SIZE]; /* "16/zygote" */
};

struct plan {
    struct starter starters[SIZES];
    struct place places[SIZES * WAYS];
    struct cell cells[SIZES * WAYS]; /* the same */
    size_t sizes, count;
};

/* ---- a starter's life */

/* Its memory, touched, so that all of it is there. Pages as the system hands them out, as in starts.c. */
static bool grow(size_t mib, FILE *answers) {
    size_t bytes = mib << 20;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(answers, "lost: mmap: %s\n", strerror(errno));
        return false;
    }
    memset(memory, 1, bytes);
    return true;
}

/*
 * Answers each request, the number of a way, with the ns of one start. The zygote comes first, while this process is
 * small, then the memory; the answer to a request for no way says that both are there.
 */
static void live(const void *context, FILE *requests, FILE *answers) {
    const struct starter *starter = context;
    char line[16];
    int zygote = at_zygote_start();
    if (zygote < 0)
        fprintf(answers, "lost: the zygote: %s\n", at_strerror(zygote));
    bool ready = zygote == 0 && grow(starter->mib, answers);
    fflush(answers);
    while (ready && fgets(line, sizeof line, requests) != NULL) {
        struct observation taken[2] = {0};
        size_t way = strtoul(line, NULL, 10);
        if (way < WAYS)
            ways[way].take(taken, 2);
        double resident = status_number(0, "VmRSS") / 1024;
        if (resident < (double)starter->mib)
            fprintf(answers, "lost: only %.0f MiB of %zu are resident\n", resident, starter->mib);
        else
            fprintf(answers, "%.6g\n", taken[1].ns);
        fflush(answers);
    }
}

/* ---- the plan */

/* Starts the starter, waits until it has its memory; or says why it is left out. */
static void start(struct starter *starter) {
    enum { NO_WAY = WAYS };
    char request[16], answer[64];
    double needed = TIMES_FREE * (double)starter->mib;
    snprintf(starter->name, NAME_SIZE, "a process of %zu MiB", starter->mib);
    if (available_memory() / 0x1p20 < needed) {
        snprintf(starter->missing, REASON_SIZE, "less than %.0f MiB of memory are free", needed);
    } else if (peer_fork_to(&starter->peer, starter->name, live, starter)) {
        snprintf(request, sizeof request, "%d", NO_WAY);
        if (peer_request(&starter->peer, request, answer, sizeof answer))
            return;
        snprintf(starter->missing, REASON_SIZE, "%.79s", starter->peer.lost);
        peer_stop(&starter->peer);
    }
    if (interrupted())
        return;
    if (starter->missing[0] == '\0')
        snprintf(starter->missing, REASON_SIZE, "it could not be started");
    note("bench: %s: left out: %s", starter->name, starter->missing);
}

static void make_plan(struct plan *plan, const struct options *options) {
    plan->sizes = options->quick ? SIZES - 1 : SIZES;
    for (size_t size = 0; size < plan->sizes; size++) {
        size_t before = plan->count;
        struct starter *starter = &plan->starters[size];
        starter->mib = all_mib[size];
        for (size_t way = 0; way < WAYS; way++) {
            struct place *place = &plan->places[plan->count];
            *place = (struct place){.starter = starter, .way = &ways[way]};
            snprintf(place->key, KEY_SIZE, "%zu/%s", starter->mib, ways[way].name);
            if (options->only == NULL || strncmp(place->key, options->only, strlen(options->only)) == 0)
                plan->count++;
        }
        if (plan->count > before)
            start(starter);
        for (size_t i = before; i < plan->count; i++)
            plan->cells[i] = (struct cell){.what = &plan->places[i], .left_out = starter->peer.pid == 0};
    }
}

/* One sample of a cell, by its starter. */
static double take(struct cell *cell, void *context, bool keep) {
    const struct plan *plan = context;
    const struct place *place = &plan->places[cell - plan->cells];
    struct starter *starter = place->starter;
    char request[16], answer[64];
    (void)keep;
    if (starter->missing[0] != '\0')
        return 0; /* it said so when another way was asked for */
    snprintf(request, sizeof request, "%d", (int)(place->way - ways));
    if (peer_request(&starter->peer, request, answer, sizeof answer))
        return strtod(answer, NULL);
    if (!interrupted()) {
        bool told = starter->peer.lost[0] != '\0';
        snprintf(starter->missing, REASON_SIZE, "%.79s", told ? starter->peer.lost : "its starter has ended");
        if (told)
            note("bench: %s: left out from here on: %s", starter->name, starter->missing);
        peer_stop(&starter->peer);
    }
    return 0;
}

/* ---- what was found */

/* The rows; cells that Ctrl-C left without samples are left out, those that could not be measured say why. */
static void write_rows(const struct plan *plan, const struct options *options, double seconds) {
    struct record record;
    FILE *rows = output_open(options->output, "footprint",
                             "mib,way,role,samples,median_us,low_us,high_us,q1_us,q3_us,p99_us,least_us,settled");
    record_open(&record, options, "footprint", seconds);
    for (size_t i = 0; i < plan->count; i++) {
        const struct place *place = &plan->places[i];
        const struct samples *ns = &plan->cells[i].ns;
        const char *role = place->way->role;
        struct spread spread = spread_of(ns);
        if (spread.count == 0) {
            if (place->starter->missing[0] != '\0')
                record_missing(&record, place->key, role, place->starter->missing);
            continue;
        }
        output_row(rows, "%zu,%s,%s,%zu,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%s", place->starter->mib, place->way->name,
                   role, spread.count, spread.median / 1e3, spread.low / 1e3, spread.high / 1e3, spread.q1 / 1e3,
                   spread.q3 / 1e3, spread.p99 / 1e3, spread.least / 1e3, settled(&spread) ? "yes" : "no");
        json_t *row = record_row(&record, place->key, role, ns, KEPT_SAMPLES);
        json_object_set_new(row, "mib", json_integer((json_int_t)place->starter->mib));
        json_object_set_new(row, "way", json_string(place->way->name));
    }
    output_close(rows);
    record_close(&record);
}

/* A size's median of a way, 0 when there is none. */
static double median_at(const struct plan *plan, const struct starter *starter, const struct way *way) {
    for (size_t i = 0; i < plan->count; i++)
        if (plan->places[i].starter == starter && plan->places[i].way == way)
            return spread_of(&plan->cells[i].ns).median;
    return 0;
}

static void print_table(const struct plan *plan) {
    printf("\nstart and end of a process, median times, by the MiB that its starter has resident\n%8s", "MiB");
    for (size_t way = 0; way < WAYS; way++)
        printf(" %10s", ways[way].name);
    putchar('\n');
    const struct starter *least = NULL, *most = NULL;
    for (size_t size = 0; size < plan->sizes; size++) {
        const struct starter *starter = &plan->starters[size];
        bool any = false;
        for (size_t way = 0; way < WAYS; way++)
            any |= median_at(plan, starter, &ways[way]) > 0;
        if (!any)
            continue;
        least = least == NULL ? starter : least;
        most = starter;
        printf("%8zu", starter->mib);
        for (size_t way = 0; way < WAYS; way++) {
            double median = median_at(plan, starter, &ways[way]);
            printf(" %10s", median > 0 ? human_time(median) : "-");
        }
        putchar('\n');
    }
    if (least == most)
        return;
    printf("At %zu MiB a start takes so many times as long as at %zu MiB:", most->mib, least->mib);
    const char *between = "";
    for (size_t way = 0; way < WAYS; way++) {
        double small = median_at(plan, least, &ways[way]), large = median_at(plan, most, &ways[way]);
        if (small > 0 && large > 0) {
            printf("%s %s %.*f", between, ways[way].name, large < 10 * small ? 2 : 0, large / small);
            between = ",";
        }
    }
    putchar('\n');
}

int main(int argc, char *argv[]) {
    struct options options =
        options_read(argc, argv, "Times the start of a process by how much memory the one who starts it has.");
    double seconds = options.seconds > 0 ? options.seconds : options.quick ? 1 : 15;
    struct dice dice = {options.seed};
    static struct plan plan;
    spawns_ready();
    plan_noop();
    catch_interrupts();
    make_plan(&plan, &options); /* forks the starters, while this process is small */
    cells_measure(plan.cells, plan.count, take, &plan, &dice, seconds, "footprint: starts by memory resident");
    for (size_t size = 0; size < plan.sizes; size++)
        peer_stop(&plan.starters[size].peer);
    progress_clear();
    write_rows(&plan, &options, seconds);
    print_table(&plan);
    for (size_t i = 0; i < plan.count; i++)
        samples_free(&plan.cells[i].ns);
    return end_status();
}
