/* nccl.c: sums over the emulated cards of several processes, by NCCL's calls: see emulated.h. */
#include <errno.h>
#include <math.h>
#include <nccl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulated.h"
#include "nccl_table.h"

#define API __attribute__((visibility("default")))

static const char MARK[8] = "emulate";
static _Atomic(struct ncclComm *) all;

/* ---- results */

static _Thread_local char last_error[200];

__attribute__((format(printf, 2, 3))) static ncclResult_t refuse(ncclResult_t result, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    return result;
}

static ncclResult_t called(const char *function) {
    int error = emulated_call(function);
    if (error == 0)
        return ncclSuccess;
    return refuse(error < ncclNumResults ? (ncclResult_t)error : ncclUnhandledCudaError, "%s: error %d, as asked for",
                  function, error);
}

API const char *ncclGetLastError(ncclComm_t comm) {
    (void)comm;
    return last_error;
}

API const char *ncclGetErrorString(ncclResult_t result) {
    static const char *const SENTENCES[ncclNumResults] = {"no error",
                                                          "unhandled cuda error",
                                                          "unhandled system error",
                                                          "internal error",
                                                          "invalid argument",
                                                          "invalid usage",
                                                          "remote process exited or there was a network error",
                                                          "NCCL operation in progress"};
    return result >= 0 && result < ncclNumResults ? SENTENCES[result] : "unknown result code";
}

API ncclResult_t ncclGetVersion(int *version) {
    if (version == NULL)
        return ncclInvalidArgument;
    *version = NCCL_VERSION_CODE;
    return called("ncclGetVersion");
}

/* One communicator a process: what comes between these two is not more than it would be alone. */
API ncclResult_t ncclGroupStart(void) {
    return called("ncclGroupStart");
}

API ncclResult_t ncclGroupEnd(void) {
    return called("ncclGroupEnd");
}

/* ---- communicators */

API ncclResult_t ncclGetUniqueId(ncclUniqueId *unique) {
    struct id id = {.token = 0};
    ncclResult_t fault = called("ncclGetUniqueId");
    if (fault != ncclSuccess || unique == NULL)
        return fault != ncclSuccess ? fault : ncclInvalidArgument;
    memcpy(id.mark, MARK, sizeof id.mark);
    if (!table_make(&id))
        return refuse(ncclSystemError, "no shared memory: %s", strerror(errno));
    memset(unique, 0, sizeof *unique);
    memcpy(unique->internal, &id, sizeof id);
    return ncclSuccess;
}

static struct ncclComm *new_communicator(struct table *table, int rank, int ranks) {
    struct ncclComm *comm = calloc(1, sizeof *comm);
    if (comm == NULL)
        return NULL;
    comm->table = table;
    comm->rank = rank;
    comm->ranks = ranks;
    for (int i = 0; i < MOST_RANKS; i++)
        comm->watched[i] = -1;
    comm->next = atomic_load(&all);
    while (!atomic_compare_exchange_weak(&all, &comm->next, comm))
        ;
    return comm;
}

/* Takes this rank's seat; each can be taken once. */
static ncclResult_t sit_down(struct table *table, int rank, int ranks) {
    pid_t nobody = 0;
    int none = 0, device;
    if (!atomic_compare_exchange_strong(&table->ranks, &none, ranks) && none != ranks)
        return refuse(ncclInvalidUsage, "rank %d says there are %d ranks, another one says %d", rank, ranks, none);
    if (!atomic_compare_exchange_strong(&table->seats[rank].pid, &nobody, getpid()))
        return refuse(ncclInvalidUsage, "there are two ranks %d", rank);
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetPCIBusId(table->seats[rank].bus, BUS, device) != cudaSuccess) {
        atomic_store(&table->seats[rank].gone, true);
        table_ring(table);
        return refuse(ncclUnhandledCudaError, "no card is chosen");
    }
    return ncclSuccess;
}

/* After all have come: no two of them may share a card, or a process. */
static ncclResult_t look_around(const struct ncclComm *comm) {
    const struct seat *seats = comm->table->seats;
    for (int i = 0; i < comm->ranks; i++)
        for (int j = 0; j < i; j++) {
            if (strcmp(seats[i].bus, seats[j].bus) == 0)
                return refuse(ncclInvalidUsage, "Duplicate GPU detected : rank %d and rank %d both on CUDA device %s",
                              j, i, seats[i].bus);
            if (atomic_load(&seats[i].pid) == atomic_load(&seats[j].pid))
                return refuse(ncclInvalidUsage, "ranks %d and %d are one process, which the emulated card cannot do", j,
                              i);
        }
    return ncclSuccess;
}

static ncclResult_t join(ncclComm_t *made, int ranks, const struct id *id, int rank) {
    struct table *table = table_attach(id, ranks);
    if (table == NULL)
        return refuse(ncclSystemError, "the process %d, which made the unique id, is gone", id->pid);
    ncclResult_t result = sit_down(table, rank, ranks);
    struct ncclComm *comm = result == ncclSuccess ? new_communicator(table, rank, ranks) : NULL;
    if (comm == NULL) {
        table_detach(table, ranks);
        return result != ncclSuccess ? result : refuse(ncclSystemError, "no memory");
    }
    if (!table_meet(comm))
        result = refuse(ncclSystemError, "another rank is gone");
    else
        result = look_around(comm);
    if (id->pid == getpid())
        close(id->fd);
    if (result != ncclSuccess) {
        table_leave(comm);
        return result;
    }
    emulated_hold(1);
    *made = comm;
    return ncclSuccess;
}

static ncclResult_t init_rank(const char *function, ncclComm_t *comm, int ranks, const ncclUniqueId *unique, int rank) {
    struct id id;
    ncclResult_t fault = called(function);
    if (fault != ncclSuccess)
        return fault;
    memcpy(&id, unique->internal, sizeof id);
    if (comm == NULL || ranks < 1 || ranks > MOST_RANKS || rank < 0 || rank >= ranks ||
        memcmp(id.mark, MARK, sizeof MARK) != 0)
        return refuse(ncclInvalidArgument, "rank %d of %d, or the unique id, is none", rank, ranks);
    return join(comm, ranks, &id, rank);
}

API ncclResult_t ncclCommInitRank(ncclComm_t *comm, int ranks, ncclUniqueId unique, int rank) {
    return init_rank("ncclCommInitRank", comm, ranks, &unique, rank);
}

API ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int ranks, ncclUniqueId unique, int rank,
                                        ncclConfig_t *config) {
    if (config != NULL && config->magic != 0xcafebeef)
        return refuse(ncclInvalidArgument, "the configuration does not begin as NCCL_CONFIG_INITIALIZER");
    return init_rank("ncclCommInitRankConfig", comm, ranks, &unique, rank);
}

/* What still lies in streams is run before, as NCCL's own does. */
API ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    ncclResult_t fault = called("ncclCommDestroy");
    if (comm == NULL || comm->table == NULL)
        return fault != ncclSuccess ? fault : ncclInvalidArgument;
    if (atomic_load(&comm->used) && !atomic_load(&comm->broken))
        (void)cudaDeviceSynchronize();
    table_leave(comm);
    emulated_hold(-1);
    return fault;
}

/* First of all the others, and a thread of this process that may be waiting for them, are let go. */
API ncclResult_t ncclCommAbort(ncclComm_t comm) {
    if (comm == NULL || comm->table == NULL)
        return ncclInvalidArgument;
    atomic_store(&comm->broken, true);
    table_ring(comm->table);
    ncclResult_t fault = called("ncclCommAbort");
    table_leave(comm);
    emulated_hold(-1);
    return fault;
}

API ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *result) {
    if (comm == NULL || comm->table == NULL || result == NULL)
        return ncclInvalidArgument;
    *result = atomic_load(&comm->broken) ? ncclSystemError : ncclSuccess;
    return called("ncclCommGetAsyncError");
}

/* ---- the sum */

struct sum {
    struct ncclComm *comm;
    const float *from;
    float *to;
    size_t count;
};

/* What a card would hang or be wrong in: ends the process, with a sentence. */
static void check_counts(const struct ncclComm *comm, size_t count) {
    for (int rank = 0; rank < comm->ranks; rank++)
        if (comm->table->seats[rank].count != count) {
            fprintf(stderr, "emulated NCCL: rank %d sums %zu numbers, rank %d %zu\n", comm->rank, count, rank,
                    (size_t)comm->table->seats[rank].count);
            abort();
        }
}

static bool sum_chunk(const struct sum *sum, size_t begin, size_t count) {
    struct ncclComm *comm = sum->comm;
    struct table *table = comm->table;
    table->seats[comm->rank].count = sum->count - begin;
    memcpy(table->numbers[comm->rank], sum->from + begin, count * sizeof *sum->from);
    if (!table_meet(comm))
        return false;
    check_counts(comm, sum->count - begin);
    for (size_t i = 0; i < count; i++) {
        float number = table->numbers[0][i];
        for (int rank = 1; rank < comm->ranks; rank++)
            number += table->numbers[rank][i];
        sum->to[begin + i] = number;
    }
    return table_meet(comm);
}

static void run_sum(void *argument) {
    struct sum *sum = argument;
    struct ncclComm *comm = sum->comm;
    if (comm->table == NULL) {
        fprintf(stderr, "emulated NCCL: a sum runs whose communicator was destroyed\n");
        abort();
    }
    size_t size = sum->count * sizeof *sum->from;
    if (!emulated_is_device(sum->from, size) || !emulated_is_device(sum->to, size)) {
        fprintf(stderr, "emulated NCCL: %zu bytes at %p or %p are not the card's memory\n", size,
                (const void *)sum->from, (void *)sum->to);
        emulated_break(cudaErrorIllegalAddress);
        return;
    }
    bool whole = !atomic_load(&comm->broken);
    for (size_t begin = 0; begin < sum->count && whole; begin += CHUNK)
        whole = sum_chunk(sum, begin, sum->count - begin < CHUNK ? sum->count - begin : CHUNK);
    for (size_t i = 0; i < sum->count && !whole; i++)
        sum->to[i] = NAN; /* a card leaves anything there */
}

API ncclResult_t ncclAllReduce(const void *from, void *to, size_t count, ncclDataType_t type, ncclRedOp_t operation,
                               ncclComm_t comm, cudaStream_t stream) {
    struct sum sum = {comm, from, to, count};
    uintptr_t distance =
        (uintptr_t)from > (uintptr_t)to ? (uintptr_t)from - (uintptr_t)to : (uintptr_t)to - (uintptr_t)from;
    ncclResult_t fault = called("ncclAllReduce");
    if (fault != ncclSuccess)
        return fault;
    if (comm == NULL || comm->table == NULL || from == NULL || to == NULL)
        return refuse(ncclInvalidArgument, "ncclAllReduce: a communicator and two places are needed");
    if (type != ncclFloat32 || operation != ncclSum)
        return refuse(ncclInvalidArgument, "ncclAllReduce: the emulated one sums floats, and nothing else");
    if (distance != 0 && distance < count * sizeof(float))
        return refuse(ncclInvalidArgument, "ncclAllReduce: the places overlap");
    if (atomic_load(&comm->broken))
        return refuse(ncclSystemError, "ncclAllReduce: another rank is gone");
    atomic_store(&comm->used, true);
    if (count > 0 && emulated_enqueue(stream, run_sum, &sum, sizeof sum) != cudaSuccess)
        return refuse(ncclUnhandledCudaError, "ncclAllReduce: it cannot be put into the stream");
    return ncclSuccess;
}
