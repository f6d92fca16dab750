/* test_cuda_reduction.c: the NCCL that is none: sums over the cards of several processes, and what breaks them. */
#include <cuda_runtime_api.h>
#include <math.h>
#include <nccl.h>
#include <sys/mman.h>

#include "emulated.h"
#include "watch.h"

#define done(call) require((call) == cudaSuccess)

/* ---- ranks: processes, each with a card of its own */

enum { RANKS = 3, ROUNDS = 3, MANY = 70000 };

/* What they share to find each other. */
static struct shared {
    ncclUniqueId id;
    _Atomic int made, reached;
} * shared;

static ncclUniqueId unique_id(int rank) {
    if (rank == 0) {
        require(ncclGetUniqueId(&shared->id) == ncclSuccess);
        shared->made = 1;
    }
    await(shared->made == 1);
    return shared->id;
}

static ncclComm_t join_in(int rank, int ranks) {
    ncclComm_t comm;
    done(cudaSetDevice(rank));
    if (ncclCommInitRank(&comm, ranks, unique_id(rank), rank) != ncclSuccess)
        ck_abort_msg("rank %d: %s", rank, ncclGetLastError(NULL));
    return comm;
}

/* Runs each rank in a process, and returns how the last one ended: the others end well. */
static int run_ranks(void (*work)(int rank), int ranks) {
    pid_t children[RANKS];
    setenv("EMULATED_CARDS", "4", 1);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(shared != MAP_FAILED);
    for (int rank = 0; rank < ranks; rank++) {
        children[rank] = fork();
        if (children[rank] == 0) {
            signal(SIGABRT, SIG_DFL);
            work(rank);
            _exit(0);
        }
    }
    for (int rank = 0; rank < ranks - 1; rank++)
        ck_assert_int_eq(end_of(children[rank]), 0);
    return end_of(children[ranks - 1]);
}

/* ---- sums */

/* Of very different sizes, so that the order in which they are added shows. */
static float number_of(int rank, size_t index, int round) {
    return ldexpf(1 + (float)((index * 7 + (size_t)rank) % 101) / 101, (int)(index + (size_t)(rank * round)) % 40 - 20);
}

static float *numbers_on_card(size_t count) {
    float *numbers;
    done(cudaMalloc((void **)&numbers, count * sizeof *numbers));
    return numbers;
}

static void sum_round(ncclComm_t comm, int rank, int round, cudaStream_t stream) {
    static float here[MANY];
    float *from = numbers_on_card(MANY), *to = round % 2 == 0 ? from : numbers_on_card(MANY);
    for (size_t i = 0; i < MANY; i++)
        here[i] = number_of(rank, i, round);
    done(cudaMemcpy(from, here, sizeof here, cudaMemcpyHostToDevice));
    require(ncclAllReduce(from, to, MANY, ncclFloat32, ncclSum, comm, stream) == ncclSuccess);
    done(cudaStreamSynchronize(stream));
    done(cudaMemcpy(here, to, sizeof here, cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < MANY; i++) {
        float sum = number_of(0, i, round);
        for (int other = 1; other < RANKS; other++)
            sum += number_of(other, i, round);
        require(here[i] == sum);
    }
    done(cudaFree(from));
    if (to != from)
        done(cudaFree(to));
}

static void sum_rounds(int rank) {
    ncclResult_t result = ncclInternalError;
    cudaStream_t stream;
    int fds = count_fds();
    ncclComm_t comm = join_in(rank, RANKS);
    done(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    for (int round = 0; round < ROUNDS; round++)
        sum_round(comm, rank, round, stream);
    require(ncclAllReduce(&fds, &fds, 0, ncclFloat32, ncclSum, comm, stream) == ncclSuccess);
    require(ncclCommGetAsyncError(comm, &result) == ncclSuccess && result == ncclSuccess);
    require(emulated_held("handles") == 1);
    require(ncclCommDestroy(comm) == ncclSuccess);
    require(ncclCommDestroy(comm) == ncclInvalidArgument);
    done(cudaStreamDestroy(stream));
    require(emulated_held("handles") == 0 && count_fds() <= fds + 1); /* the card may keep one */
}

START_TEST(all_ranks_get_the_same_sum_in_their_order) {
    ck_assert_int_eq(run_ranks(sum_rounds, RANKS), 0);
}
END_TEST

static void alone(int rank) {
    ncclComm_t comm = join_in(rank, 1);
    float *numbers = numbers_on_card(1), number = 3;
    done(cudaMemcpy(numbers, &number, sizeof number, cudaMemcpyHostToDevice));
    require(ncclAllReduce(numbers, numbers, 1, ncclFloat32, ncclSum, comm, NULL) == ncclSuccess);
    require(ncclCommDestroy(comm) == ncclSuccess); /* runs what is still to be run */
    done(cudaMemcpy(&number, numbers, sizeof number, cudaMemcpyDeviceToHost));
    require(number == 3);
    done(cudaFree(numbers));
}

START_TEST(one_rank_sums_alone) {
    ck_assert_int_eq(run_ranks(alone, 1), 0);
}
END_TEST

/* ---- deaths: the other ranks are told, and do not hang */

static void require_broken(ncclComm_t comm) {
    ncclResult_t result = ncclSuccess;
    float *numbers = numbers_on_card(8);
    require(ncclAllReduce(numbers, numbers, 8, ncclFloat32, ncclSum, comm, NULL) == ncclSuccess);
    (void)cudaDeviceSynchronize();
    require(ncclCommGetAsyncError(comm, &result) == ncclSuccess && result == ncclSystemError);
    require(ncclAllReduce(numbers, numbers, 8, ncclFloat32, ncclSum, comm, NULL) == ncclSystemError);
    require(ncclCommAbort(comm) == ncclSuccess && emulated_held("handles") == 0);
}

static void last_dies(int rank) {
    ncclComm_t comm = join_in(rank, RANKS);
    if (rank == RANKS - 1)
        kill(getpid(), SIGKILL);
    require_broken(comm);
}

static void last_leaves(int rank) {
    ncclComm_t comm = join_in(rank, RANKS);
    if (rank == RANKS - 1)
        require(ncclCommDestroy(comm) == ncclSuccess);
    else
        require_broken(comm);
}

START_TEST(a_rank_that_is_gone_is_told_to_the_others) {
    ck_assert_int_eq(run_ranks(last_dies, RANKS), -SIGKILL);
    ck_assert_int_eq(run_ranks(last_leaves, RANKS), 0);
}
END_TEST

/* The first one makes the id and is gone before all have come. */
static void maker_ends(int rank) {
    ncclComm_t comm;
    done(cudaSetDevice(rank));
    ncclUniqueId id = unique_id(rank);
    if (rank == 1)
        shared->reached = 1;
    if (rank == 0)
        await(shared->reached == 1);
    else
        require(ncclCommInitRank(&comm, RANKS, id, rank) == ncclSystemError);
}

START_TEST(ranks_whose_id_is_gone_do_not_wait) {
    ck_assert_int_eq(run_ranks(maker_ends, 2), 0);
}
END_TEST

/* One thread waits for a rank that has nothing to sum; another one ends that. */
static int abort_comm(void *comm) {
    await(shared->reached == 1);
    nap();
    return ncclCommAbort(comm) == ncclSuccess ? 0 : 1;
}

static void first_aborts(int rank) {
    ncclComm_t comm = join_in(rank, 2);
    if (rank == 1) {
        await(shared->reached == 2);
        require_broken(comm);
        return;
    }
    float *numbers = numbers_on_card(8);
    at_thread *thread = at_thread_new(.target = abort_comm, .arg = comm);
    start(thread);
    require(ncclAllReduce(numbers, numbers, 8, ncclFloat32, ncclSum, comm, NULL) == ncclSuccess);
    shared->reached = 1;
    (void)cudaDeviceSynchronize();
    join(thread);
    at_thread_free(thread);
    shared->reached = 2;
}

START_TEST(a_wait_is_ended_by_abort) {
    ck_assert_int_eq(run_ranks(first_aborts, 2), 0);
}
END_TEST

/* ---- what is refused */

static void share_card(int rank) {
    ncclComm_t comm;
    done(cudaSetDevice(1));
    require(ncclCommInitRank(&comm, 2, unique_id(rank), rank) == ncclInvalidUsage);
    require(strstr(ncclGetLastError(NULL), "Duplicate GPU detected") != NULL);
}

static void share_number(int rank) {
    ncclComm_t comm;
    done(cudaSetDevice(rank));
    if (rank == 1)
        await(shared->reached == 1);
    ncclUniqueId id = unique_id(rank);
    if (rank == 0) {
        require(ncclCommInitRank(&comm, 1, id, 0) == ncclSuccess);
        shared->reached = 1;
        await(shared->reached == 2);
        require(ncclCommDestroy(comm) == ncclSuccess);
    } else {
        require(ncclCommInitRank(&comm, 1, id, 0) != ncclSuccess);
        shared->reached = 2;
    }
}

START_TEST(two_ranks_cannot_have_one_card_or_one_number) {
    ck_assert_int_eq(run_ranks(share_card, 2), 0);
    ck_assert_int_eq(run_ranks(share_number, 2), 0);
}
END_TEST

static void refuse_all(int rank) {
    ncclComm_t comm;
    ncclUniqueId id = unique_id(rank), none = {{0}};
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER, broken = {.magic = 1};
    require(ncclCommInitRank(&comm, 0, id, 0) == ncclInvalidArgument);
    require(ncclCommInitRank(&comm, 1, id, 1) == ncclInvalidArgument);
    require(ncclCommInitRank(&comm, 1, none, 0) == ncclInvalidArgument);
    require(ncclCommInitRank(NULL, 1, id, 0) == ncclInvalidArgument);
    require(ncclCommInitRankConfig(&comm, 1, id, 0, &broken) == ncclInvalidArgument);
    require(ncclCommInitRankConfig(&comm, 1, id, 0, &config) == ncclSuccess);
    float *numbers = numbers_on_card(16);
    static float here[16];
    require(ncclAllReduce(numbers, numbers, 8, ncclFloat16, ncclSum, comm, NULL) == ncclInvalidArgument);
    require(ncclAllReduce(numbers, numbers, 8, ncclFloat32, ncclMax, comm, NULL) == ncclInvalidArgument);
    require(ncclAllReduce(numbers, NULL, 8, ncclFloat32, ncclSum, comm, NULL) == ncclInvalidArgument);
    require(ncclAllReduce(numbers, numbers + 4, 8, ncclFloat32, ncclSum, comm, NULL) == ncclInvalidArgument);
    emulated_fail("ncclAllReduce:3@1,ncclGetUniqueId:700@1");
    require(ncclAllReduce(numbers, numbers, 8, ncclFloat32, ncclSum, comm, NULL) == ncclInternalError);
    require(ncclGetUniqueId(&id) == ncclUnhandledCudaError);
    emulated_fail("");
    emulated_mend();
    require(ncclAllReduce(here, here, 16, ncclFloat32, ncclSum, comm, NULL) == ncclSuccess);
    require(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    require(ncclAllReduce(numbers, numbers, 8, ncclFloat32, ncclSum, comm, NULL) == ncclUnhandledCudaError);
    emulated_mend();
    require(ncclCommDestroy(comm) == ncclSuccess);
}

START_TEST(what_nccl_refuses_is_refused) {
    ck_assert_int_eq(run_ranks(refuse_all, 1), 0);
}
END_TEST

/* A rank that ends in good order, and has not summed as often as the others. */
static void sum_less(int rank) {
    ncclComm_t comm = join_in(rank, 2);
    if (rank == 1)
        require_broken(comm);
}

START_TEST(a_rank_that_sums_less_often_is_noticed_at_its_end) {
    ck_assert_int_eq(run_ranks(sum_less, 2), 0);
}
END_TEST

SUITE("cuda_reduction", all_ranks_get_the_same_sum_in_their_order, one_rank_sums_alone,
      a_rank_that_is_gone_is_told_to_the_others, ranks_whose_id_is_gone_do_not_wait, a_wait_is_ended_by_abort,
      two_ranks_cannot_have_one_card_or_one_number, what_nccl_refuses_is_refused,
      a_rank_that_sums_less_often_is_noticed_at_its_end)
