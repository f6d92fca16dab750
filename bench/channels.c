/* channels.c: our queue, and the peers that carry messages in C: a pipe, a POSIX message queue, Boost's queue. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "atelier.h"
#include "console.h"
#include "subjects.h"
#include "traffic.h"

/* ours: with the capacity that is the default */

static at_queue *queues[LANES];

static bool queue_open(void) {
    for (size_t lane = 0; lane < LANES; lane++) {
        queues[lane] = at_queue_new(.maxsize = traffic.one_at_a_time ? 1 : 0);
        if (queues[lane] == NULL) {
            note("bench: at_queue: out of memory");
            return false;
        }
    }
    return true;
}

static void queue_close(void) {
    for (size_t lane = 0; lane < LANES; lane++)
        at_queue_free(queues[lane]);
}

static inline bool queue_put(size_t lane, const void *data, size_t size) {
    return at_queue_put(queues[lane], data, size, AT_FOREVER) == 0;
}

static inline bool queue_get(size_t lane, void *data, size_t size) {
    size_t received = size;
    return at_queue_get(queues[lane], data, &received, AT_FOREVER) == 0 && received == size;
}

CHANNEL(queue, "at_queue", false)

/*
 * A pipe: has no messages, only bytes; but writes of up to PIPE_BUF bytes are whole, and so is a read of as many.
 * Larger ones are whole with one writer and one reader.
 */

static int pipes[LANES][2];

static bool pipe_open(void) {
    enum { AS_LARGE_AS_ANYBODY_MAY = 1 << 20 };
    if (traffic.one_at_a_time)
        return false; /* it limits bytes, not messages */
    for (size_t lane = 0; lane < LANES; lane++) {
        if (pipe2(pipes[lane], O_CLOEXEC) != 0) {
            note("bench: pipe: %s", strerror(errno));
            return false;
        }
        fcntl(pipes[lane][1], F_SETPIPE_SZ, AS_LARGE_AS_ANYBODY_MAY); /* otherwise it stays as it is */
    }
    return true;
}

static void pipe_close(void) {
    for (size_t lane = 0; lane < LANES; lane++) {
        close(pipes[lane][0]);
        close(pipes[lane][1]);
    }
}

static inline bool pipe_put(size_t lane, const void *data, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t written = write(pipes[lane][1], (const char *)data + done, size - done);
        if (written <= 0)
            return false;
        done += (size_t)written;
    }
    return true;
}

static inline bool pipe_get(size_t lane, void *data, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t got = read(pipes[lane][0], (char *)data + done, size - done);
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

CHANNEL(pipe, "pipe", false)

/* A POSIX message queue: as many messages as the system lets anybody have. */

static mqd_t mqueues[LANES];

static long mqueue_limit(const char *what) {
    char path[64];
    long limit = 0;
    snprintf(path, sizeof path, "/proc/sys/fs/mqueue/%s_max", what);
    FILE *file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%ld", &limit) != 1)
        limit = 0;
    if (file != NULL)
        fclose(file);
    return limit;
}

static bool mqueue_open(void) {
    struct mq_attr attributes = {.mq_maxmsg = traffic.one_at_a_time ? 1 : mqueue_limit("msg"),
                                 .mq_msgsize = (long)traffic.size};
    if (attributes.mq_msgsize > mqueue_limit("msgsize"))
        return false; /* no message is as large as that; the documentation says so */
    for (size_t lane = 0; lane < LANES; lane++) {
        char name[64];
        snprintf(name, sizeof name, "/atelier-bench-%d-%zu", (int)getpid(), lane);
        mqueues[lane] = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, &attributes);
        if (mqueues[lane] < 0) {
            note("bench: mq_open: %s; POSIX message queues are left out", strerror(errno));
            return false;
        }
        mq_unlink(name);
    }
    return true;
}

static void mqueue_close(void) {
    for (size_t lane = 0; lane < LANES; lane++)
        mq_close(mqueues[lane]);
}

static inline bool mqueue_put(size_t lane, const void *data, size_t size) {
    return mq_send(mqueues[lane], data, size, 0) == 0;
}

static inline bool mqueue_get(size_t lane, void *data, size_t size) {
    return mq_receive(mqueues[lane], data, size, NULL) == (ssize_t)size;
}

CHANNEL(mqueue, "POSIX message queue", false)

/* Boost.Interprocess: BUILD/bench/peers/boost_queue.so, where there were a C++ compiler and Boost to build it. */

static struct {
    bool (*open)(size_t lane, size_t size, size_t messages);
    void (*close)(size_t lane);
    put_message *put;
    get_message *get;
} boost;

static bool boost_load(void) {
    static bool tried;
    char self[4000] = "", path[4096];
    if (tried)
        return boost.get != NULL;
    tried = true;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    snprintf(path, sizeof path, "%s/peers/boost_queue.so", length > 0 ? dirname(self) : ".");
    void *library = access(path, R_OK) == 0 ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL) {
        note("bench: no Boost.Interprocess: its column stays empty; on Debian: apt install g++ libboost-dev, and make");
        return false;
    }
    /* dlsym returns a pointer to data: POSIX has it so. */
    *(void **)&boost.open = dlsym(library, "boost_queue_open");
    *(void **)&boost.close = dlsym(library, "boost_queue_close");
    *(void **)&boost.put = dlsym(library, "boost_queue_put");
    *(void **)&boost.get = dlsym(library, "boost_queue_get");
    return boost.get != NULL;
}

static bool boost_open(void) {
    enum { BYTES = 64 << 20, MOST = 1 << 17 };
    size_t fitting = BYTES / traffic.size;
    size_t messages = traffic.one_at_a_time ? 1 : fitting < MOST ? fitting : MOST;
    if (!boost_load())
        return false;
    for (size_t lane = 0; lane < (traffic.trip ? LANES : 1); lane++) {
        if (!boost.open(lane, traffic.size, messages)) {
            note("bench: Boost.Interprocess: cannot make a queue of %zu messages", messages);
            return false;
        }
    }
    return true;
}

static void boost_close(void) {
    for (size_t lane = 0; lane < LANES; lane++)
        boost.close(lane);
}

static inline bool boost_put(size_t lane, const void *data, size_t size) {
    return boost.put(lane, data, size);
}

static inline bool boost_get(size_t lane, void *data, size_t size) {
    return boost.get(lane, data, size);
}

CHANNEL(boost, "Boost.Interprocess", false)
