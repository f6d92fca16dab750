/* nccl_table.c: where the ranks of the NCCL that is none meet; see nccl_table.h. */
#include "nccl_table.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static size_t table_size(int ranks) {
    return sizeof(struct table) + (size_t)ranks * sizeof(float[CHUNK]);
}

bool table_make(struct id *id) {
    id->pid = getpid();
    id->fd = memfd_create("emulated NCCL", MFD_CLOEXEC);
    if (id->fd >= 0 && ftruncate(id->fd, (off_t)table_size(MOST_RANKS)) == 0 &&
        getrandom(&id->token, sizeof id->token, 0) == sizeof id->token &&
        pwrite(id->fd, &id->pid, sizeof id->pid, offsetof(struct table, maker)) == sizeof id->pid &&
        pwrite(id->fd, &id->token, sizeof id->token, offsetof(struct table, token)) == sizeof id->token)
        return true;
    int error = errno;
    if (id->fd >= 0)
        close(id->fd);
    errno = error;
    return false;
}

struct table *table_attach(const struct id *id, int ranks) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", id->pid, id->fd);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct stat file;
    bool whole = fstat(fd, &file) == 0 && file.st_size == (off_t)table_size(MOST_RANKS);
    void *table = whole ? mmap(NULL, table_size(ranks), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (table == MAP_FAILED)
        return NULL;
    if (((struct table *)table)->token == id->token)
        return table;
    munmap(table, table_size(ranks));
    return NULL;
}

void table_detach(struct table *table, int ranks) {
    munmap(table, table_size(ranks));
}

/* ---- meeting */

static bool has_ended(int pidfd) {
    return poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, 0) > 0;
}

/* Once whoever made the table has ended, nobody finds it any more. */
static bool can_come(const struct table *table) {
    int maker = (int)syscall(SYS_pidfd_open, table->maker, 0);
    bool can = maker >= 0 ? !has_ended(maker) : errno != ESRCH;
    if (maker >= 0)
        close(maker);
    return can;
}

/* Whether that rank's process has ended, or will never be; it is watched from when it has come. */
static bool is_dead(struct ncclComm *comm, int rank) {
    pid_t pid = atomic_load(&comm->table->seats[rank].pid);
    if (rank == comm->rank)
        return false;
    if (pid == 0)
        return !can_come(comm->table);
    if (comm->watched[rank] < 0)
        comm->watched[rank] = (int)syscall(SYS_pidfd_open, pid, 0);
    return comm->watched[rank] < 0 ? errno == ESRCH : has_ended(comm->watched[rank]);
}

void table_ring(struct table *table) {
    atomic_fetch_add(&table->bell, 1);
    syscall(SYS_futex, &table->bell, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

bool table_meet(struct ncclComm *comm) {
    struct table *table = comm->table;
    uint64_t step = ++comm->step;
    atomic_store(&table->seats[comm->rank].step, step);
    table_ring(table);
    for (int rank = 0; rank < comm->ranks;) {
        struct seat *seat = &table->seats[rank];
        uint32_t bell = atomic_load(&table->bell);
        bool over = atomic_load(&seat->gone) || is_dead(comm, rank) || atomic_load(&comm->broken);
        /* Looked at after its end: it may have come before. */
        if (atomic_load(&seat->step) >= step) {
            rank++;
        } else if (over) {
            atomic_store(&comm->broken, true);
            atomic_store(&table->seats[comm->rank].gone, true);
            table_ring(table);
            return false;
        } else {
            struct timespec moment = {.tv_nsec = 20000000}; /* a death rings no bell */
            syscall(SYS_futex, &table->bell, FUTEX_WAIT, bell, &moment, NULL, 0);
        }
    }
    return true;
}

void table_leave(struct ncclComm *comm) {
    atomic_store(&comm->table->seats[comm->rank].gone, true);
    table_ring(comm->table);
    table_detach(comm->table, comm->ranks);
    comm->table = NULL;
    for (int i = 0; i < comm->ranks; i++)
        if (comm->watched[i] >= 0)
            close(comm->watched[i]);
}
