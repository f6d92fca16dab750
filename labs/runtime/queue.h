/* queue.h: a queue between processes and threads, as Python's multiprocessing.Queue, that survives its users. */
#ifndef ATELIER_QUEUE_H
#define ATELIER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "api.h"
#include "clock.h"

AT_BEGIN_DECLS

/*
 * Messages are bytes, any number of them each, and come out whole, in the order in which they were put in: for those of
 * one process or thread that is the order of its puts. A put copies its message into memory that all users share, so
 * when it returns the message is there, even if the one who put it ends, or waits for somebody, or is killed: there is
 * no feeder thread, and joining a process before draining its queue does no harm. Whoever is killed in the middle of a
 * call leaves the queue sound: a message whose put returned 0 is received once, unless its receiver is killed while it
 * holds it; one whose put did not return is received whole or not at all.
 *
 * Timeouts are kept even while another is stopped (SIGSTOP) in the middle of its call; polls then take up to 0.1 s.
 *
 * All calls but new and free may be made by any thread and process at any time; none is for signal handlers.
 */
typedef struct at_queue at_queue;

typedef struct at_queue_options {
    int no_option;  /* so that at_queue_new() needs none */
    size_t maxsize; /* the most messages at a time (Queue(maxsize)); left out: as many as fit */
    /*
     * The most bytes at a time, each message rounded up to 16 and 16 more; left out: 64 MiB. Only what is used costs.
     */
    size_t capacity;
} at_queue_options;

/*
 * A queue for this process, its threads, and every child forked after this call; a child by the zygote sees only queues
 * made before at_zygote_start. NULL only when memory is short, or capacity above 32 GiB. Each process that has it may
 * free it when it no longer uses it; the messages are gone when the last one has.
 */
#define at_queue_new(...) at_queue_create(&(at_queue_options){.no_option = 0, __VA_ARGS__})
AT_API at_queue *at_queue_create(const at_queue_options *options);
AT_API void at_queue_free(at_queue *queue);

/*
 * Puts a copy of `size` bytes in (Queue.put), waiting for room if need be; 0 bytes are a message, too. A negative
 * timeout polls. Errors, and then nothing was put: AT_EFULL when there was no room in the time given; AT_ECLOSED;
 * AT_ETOOLARGE for a message larger than the queue can ever hold; -EBADMSG when somebody has written into the queue's
 * memory past its calls; -EINVAL, -EOVERFLOW (clock.h).
 */
AT_API int at_queue_put(at_queue *queue, const void *data, size_t size, double timeout) AT_MUST_CHECK;

/*
 * Takes the oldest message out (Queue.get), waiting for one if need be, and copies it to `buffer`, whose size in bytes
 * is *size; then *size is the message's. A negative timeout polls. Errors: AT_EEMPTY when none came in the time given;
 * AT_ECLOSED when the queue is closed and drained; -EMSGSIZE when the message is larger than the buffer: it stays the
 * oldest, and *size says how large it is; -EBADMSG as put; -EINVAL, -EOVERFLOW.
 */
AT_API int at_queue_get(at_queue *queue, void *buffer, size_t *size, double timeout) AT_MUST_CHECK;

/* The same into memory made for it, which the caller frees with free(3). Errors: also -ENOMEM, and it stays. */
AT_API int at_queue_get_new(at_queue *queue, void **data, size_t *size, double timeout) AT_MUST_CHECK;

/*
 * Takes up to `most` messages of `item_size` bytes each into an array; it waits for the first one only. Returns how
 * many, at least 1. A message of another size stays: it ends the array, or, as the first, is -EMSGSIZE. Other errors
 * as get.
 */
AT_API int at_queue_get_many(at_queue *queue, void *items, size_t item_size, int most, double timeout) AT_MUST_CHECK;

/* Without waiting (put_nowait, get_nowait). */
AT_API int at_queue_put_nowait(at_queue *queue, const void *data, size_t size) AT_MUST_CHECK;
AT_API int at_queue_get_nowait(at_queue *queue, void *buffer, size_t *size) AT_MUST_CHECK;

/*
 * For a message that is one value: at_put(q, value) puts a copy of it, a variable or an expression; at_get(q,
 * &variable) takes one of exactly that size out (else -EMSGSIZE, and it stays). Both wait as long as it takes.
 */
#define at_put(queue, value)                                                                                           \
    __extension__({                                                                                                    \
        __typeof__(value) at_value = (value);                                                                          \
        at_queue_put((queue), &at_value, sizeof at_value, AT_FOREVER);                                                 \
    })
#define at_get(queue, pointer) at_queue_get_exactly((queue), (pointer), sizeof *(pointer), AT_FOREVER)
AT_API int at_queue_get_exactly(at_queue *queue, void *item, size_t size, double timeout) AT_MUST_CHECK;

/*
 * The number of messages in it (Queue.qsize); whether there is none, or no room for another by number (Queue.empty,
 * full). While others put and get, it may have changed when you look at the answer.
 */
AT_API size_t at_queue_qsize(at_queue *queue);
AT_API bool at_queue_empty(at_queue *queue);
AT_API bool at_queue_full(at_queue *queue);

/*
 * Closes it for everybody: put says AT_ECLOSED from now on, and get, when what was put before is drained; those who
 * wait return. (Queue.close closes one process's end only, and strands the rest.) A second time it changes nothing.
 */
AT_API void at_queue_close(at_queue *queue);

/*
 * A descriptor that poll(2) finds readable when there is a message, or the queue is closed; it may rarely say so for
 * nothing. It belongs to the queue: do not read, write or close it. Poll it, then at_queue_get_nowait until AT_EEMPTY.
 * Errors: -EMFILE, -ENFILE, -ENOMEM when there was none to be had as the queue was made; -EBADMSG; -EINVAL.
 */
AT_API int at_queue_fileno(at_queue *queue);

AT_END_DECLS

#endif
