/* subjects.h: the functions that take samples of ours and of the floor under it; and the state that they need. */
#ifndef BENCH_SUBJECTS_H
#define BENCH_SUBJECTS_H

#include <stdbool.h>
#include <stddef.h>

#include "peer.h"

/* locks.c: a pair of acquire and release that nobody disturbs. locks_ready keeps a second thread alive meanwhile. */
bool locks_ready(void);
void locks_done(void);
size_t lock_ours(struct observation *samples, size_t count);
size_t lock_floor(struct observation *samples, size_t count);
size_t rlock_ours(struct observation *samples, size_t count);
size_t rlock_floor(struct observation *samples, size_t count);
size_t process_lock_ours(struct observation *samples, size_t count);
size_t process_lock_floor(struct observation *samples, size_t count);

/* contention.c: the same with several threads who all want it. */
bool two_contend(void);
bool all_cores_contend(void);
size_t contention_ours(struct observation *samples, size_t count);
size_t contention_floor(struct observation *samples, size_t count);

/* recovery.c: from the SIGKILL of a holder to the next holder. */
size_t recovery_ours(struct observation *samples, size_t count);
size_t recovery_floor(struct observation *samples, size_t count);

/* starts.c: start and join of a thread and of a process. */
size_t thread_ours(struct observation *samples, size_t count);
size_t thread_floor(struct observation *samples, size_t count);
size_t fork_ours(struct observation *samples, size_t count);
size_t zygote_ours(struct observation *samples, size_t count);
size_t fork_floor(struct observation *samples, size_t count);
double fork_once(void); /* for a peer: fork, _exit, waitpid, in ns */
bool grow_by_a_gibibyte(void);
void shrink_again(void);
double available_memory(void); /* in bytes, without swapping */

/* channels.c, floors.c: what carries messages as the plan says (traffic.h). */
size_t queue_take(struct observation *samples, size_t count);
size_t ring_take(struct observation *samples, size_t count);
size_t futex_take(struct observation *samples, size_t count);
size_t memcpy_take(struct observation *samples, size_t count);
size_t pipe_take(struct observation *samples, size_t count);
size_t mqueue_take(struct observation *samples, size_t count);
size_t boost_take(struct observation *samples, size_t count);

/* pool_subjects.c: tasks as planned (tasks.h), by our pool and by processes with a counter between them. */
size_t pool_map_single(struct observation *samples, size_t count);
size_t pool_map_default(struct observation *samples, size_t count);
size_t pool_apply_async(struct observation *samples, size_t count);
size_t pool_apply_hot(struct observation *samples, size_t count);
size_t pool_apply_asleep(struct observation *samples, size_t count);
size_t tasks_counted_out(struct observation *samples, size_t count);
size_t tasks_counted_out_in_chunks(struct observation *samples, size_t count);
void pool_done(void);

#endif
