/* nccl_table.h: the table at which the ranks of the NCCL that is none meet. */
#ifndef TESTS_EMULATED_NCCL_TABLE_H
#define TESTS_EMULATED_NCCL_TABLE_H

#include <nccl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The ranks meet in a piece of shared memory, chunk by chunk: each puts its numbers there, all meet, each adds them up
 * in the order of the ranks, all meet again. It is a memfd of the process that made the unique id, which closes it once
 * all have come; so nothing stays behind whoever dies.
 *
 * Ranks must be processes here: the emulated card lets one thread of a process run at a time, and a rank that waits for
 * another one of its own process would wait for ever.
 */
enum { MOST_RANKS = 16, CHUNK = 1 << 16, BUS = 24 };

struct seat {
    _Atomic pid_t pid;     /* 0: nobody has come */
    char bus[BUS];         /* which card; written before the first step */
    uint64_t count;        /* of the numbers that it brings to the step */
    _Atomic uint64_t step; /* how often it has come; released, so that what it wrote before is seen */
    _Atomic bool gone;     /* it has given up */
};

struct table {
    uint64_t token; /* that of the unique id */
    pid_t maker;
    _Atomic int ranks;
    _Atomic uint32_t bell; /* goes up with each step: what the waiting sleep on */
    struct seat seats[MOST_RANKS];
    float numbers[][CHUNK]; /* of each rank */
};

/* What a unique id says: where the table is, and by what it is known for certain. */
struct id {
    char mark[8];
    uint64_t token;
    pid_t pid;
    int fd;
};

struct ncclComm {
    struct ncclComm *next; /* of all that there ever were: work in a stream may still name one that is destroyed */
    struct table *table;   /* NULL: destroyed */
    int rank, ranks, watched[MOST_RANKS]; /* pidfds of the others */
    uint64_t step;
    atomic_bool broken, used;
};

/* Makes one and says in the id where; false: errno. */
bool table_make(struct id *id);
/* The id's table, as much of it as that many ranks need; NULL: it is gone. */
struct table *table_attach(const struct id *id, int ranks);
void table_detach(struct table *table, int ranks);
/* Wakes all that wait, so that they look around. */
void table_ring(struct table *table);
/* Waits until all have come as often as this one; false if one never will: it is dead, or has given up. */
bool table_meet(struct ncclComm *comm);
/* Gives up this rank's seat, and the table. */
void table_leave(struct ncclComm *comm);

#endif
