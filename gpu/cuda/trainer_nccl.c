/* trainer_nccl.c: NCCL, which adds up what lies on several cards; see trainer_nccl.h. */
#include "trainer_nccl.h"

#include <errno.h>

#if __has_include(<nccl.h>)
#include <dlfcn.h>
#include <nccl.h>
#include <pthread.h>
#include <string.h>

#include "checked.h"

_Static_assert(sizeof(ncclUniqueId) == TRAINER_ID, "the id fits");

/* The functions, in the order of their names in NAMES. */
static struct {
    ncclResult_t (*get_unique_id)(ncclUniqueId *);
    ncclResult_t (*init_rank)(ncclComm_t *, int, ncclUniqueId, int);
    ncclResult_t (*all_reduce)(const void *, void *, size_t, ncclDataType_t, ncclRedOp_t, ncclComm_t, cudaStream_t);
    ncclResult_t (*get_async_error)(ncclComm_t, ncclResult_t *);
    ncclResult_t (*destroy)(ncclComm_t);
    ncclResult_t (*abort)(ncclComm_t);
    const char *(*get_error_string)(ncclResult_t);
} functions;

static const char *const NAMES[] = {"ncclGetUniqueId", "ncclCommInitRank", "ncclAllReduce",     "ncclCommGetAsyncError",
                                    "ncclCommDestroy", "ncclCommAbort",    "ncclGetErrorString"};
_Static_assert(sizeof functions == sizeof NAMES / sizeof *NAMES * sizeof(void *), "each has its name");

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static bool loaded; /* for good */

/* POSIX has it that a function's address fits into a void *. */
static int load(struct failure *failure) {
    static const char LIBRARY[] = "libnccl.so.2";
    int result = 0;
    pthread_mutex_lock(&loading);
    void *found[sizeof NAMES / sizeof *NAMES];
    void *library = loaded ? NULL : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!loaded && library == NULL)
        result = fail(failure, -ENOTSUP, "NCCL cannot be loaded: %.200s; install libnccl2", dlerror());
    for (size_t i = 0; library != NULL && result == 0 && i < sizeof NAMES / sizeof *NAMES; i++) {
        found[i] = dlsym(library, NAMES[i]);
        if (found[i] == NULL)
            result = fail(failure, -ENOTSUP, "%s has no %s; install a newer libnccl2", LIBRARY, NAMES[i]);
    }
    if (library != NULL && result == 0) {
        memcpy(&functions, found, sizeof functions);
        loaded = true;
    }
    pthread_mutex_unlock(&loading);
    return result;
}

#define NCCL(failure, call) check(failure, call, #call, __LINE__)

static int check(struct failure *failure, ncclResult_t status, const char *call, int line) {
    if (status == ncclSuccess)
        return 0;
    const char *hint = status == ncclInvalidUsage ? "each process needs a card of its own"
                                                  : "NCCL_DEBUG=WARN says more; --reduce shared does without it";
    return check_failed(failure, -EIO, "NCCL", (int)status, functions.get_error_string(status), hint, call, __FILE__,
                        line);
}

int nccl_make_id(unsigned char id[TRAINER_ID], struct failure *failure) {
    int result = load(failure);
    ncclUniqueId made;
    if (result == 0)
        result = NCCL(failure, functions.get_unique_id(&made));
    if (result == 0)
        memcpy(id, &made, sizeof made);
    return result;
}

int nccl_join(struct nccl *nccl, const unsigned char id[TRAINER_ID], size_t index, size_t members,
              struct failure *failure) {
    int result = load(failure);
    ncclUniqueId name;
    ncclComm_t communicator;
    memcpy(&name, id, sizeof name);
    if (result == 0)
        result = NCCL(failure, functions.init_rank(&communicator, (int)members, name, (int)index));
    if (result == 0)
        nccl->communicator = communicator;
    return result;
}

int nccl_add(const struct nccl *nccl, float *numbers, size_t count, cudaStream_t stream, struct failure *failure) {
    return NCCL(failure,
                functions.all_reduce(numbers, numbers, count, ncclFloat32, ncclSum, nccl->communicator, stream));
}

int nccl_check(const struct nccl *nccl, struct failure *failure) {
    ncclResult_t status = ncclSuccess;
    int result = NCCL(failure, functions.get_async_error(nccl->communicator, &status));
    return result != 0 ? result : NCCL(failure, status);
}

void nccl_leave(struct nccl *nccl, bool well) {
    if (nccl->communicator != NULL)
        (well ? functions.destroy : functions.abort)(nccl->communicator);
    nccl->communicator = NULL;
}

#else /* a build without NCCL's header */

int nccl_make_id(unsigned char id[TRAINER_ID], struct failure *failure) {
    (void)id;
    return fail(failure, -ENOTSUP, "this build has no NCCL (nccl.h was not there): install libnccl-dev, build again");
}

int nccl_join(struct nccl *nccl, const unsigned char id[TRAINER_ID], size_t index, size_t members,
              struct failure *failure) {
    (void)nccl, (void)id, (void)index, (void)members;
    return fail(failure, -ENOTSUP, "this build has no NCCL");
}

int nccl_add(const struct nccl *nccl, float *numbers, size_t count, cudaStream_t stream, struct failure *failure) {
    (void)nccl, (void)numbers, (void)count, (void)stream;
    return fail(failure, -ENOTSUP, "this build has no NCCL");
}

int nccl_check(const struct nccl *nccl, struct failure *failure) {
    (void)nccl;
    return fail(failure, -ENOTSUP, "this build has no NCCL");
}

void nccl_leave(struct nccl *nccl, bool well) {
    (void)nccl, (void)well;
}

#endif
