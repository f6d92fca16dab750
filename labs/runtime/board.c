/* board.c: the board on which a pool's owner posts jobs and from which its workers take them; see board.h. */
#include "board.h"

#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hooks.h"
#include "wait.h"

/* A sleeper looks again after so many seconds, for the case that whoever should have woken it was stopped or killed. */
static const double LOOK_AGAIN = 0.1;

enum { LONGEST_SPIN = 256 }; /* pause instructions, the last and longest time; all together some ten microseconds */

size_t board_size(unsigned workers) {
    return sizeof(struct board) + workers * sizeof(struct board_worker);
}

void board_init(struct board *board, unsigned workers) {
    cpu_set_t cores;
    board->workers = workers;
    board->may_spin = sched_getaffinity(0, sizeof cores, &cores) != 0 || CPU_COUNT(&cores) > 1;
    for (unsigned worker = 0; worker < workers; worker++)
        board_clear_worker(board, worker);
}

/*
 * How many workers there are, and words of a set of them. The owner, too, reads that here: whatever has been written
 * there, it stays within the board.
 */
static inline unsigned count_workers(struct board *board) {
    unsigned workers = atomic_load_explicit(&board->workers, memory_order_relaxed);
    return workers <= BOARD_WORKERS ? workers : BOARD_WORKERS;
}

static inline unsigned count_sets(struct board *board) {
    return (count_workers(board) + 63) / 64;
}

/* Tells the supervisor to look. */
static void tell(int told) {
    eventfd_write(told, 1); /* it fails only when 2^64 - 2 have not been read */
}

/* ---- sets of workers */

static inline uint64_t bit(unsigned worker) {
    return (uint64_t)1 << worker % 64;
}

static inline void join_set(_Atomic uint64_t *set, unsigned worker) {
    shared_or(&set[worker / 64], bit(worker), memory_order_seq_cst);
}

/* Whether it was in it. */
static inline bool leave_set(_Atomic uint64_t *set, unsigned worker) {
    return (shared_and(&set[worker / 64], ~bit(worker), memory_order_seq_cst) & bit(worker)) != 0;
}

static inline bool is_empty(struct board *board, _Atomic uint64_t *set) {
    for (unsigned i = 0, sets = count_sets(board); i < sets; i++)
        if (shared_load(&set[i], memory_order_relaxed) != 0)
            return false;
    return true;
}

/* ---- waking */

static void wake_worker(struct board *board, unsigned worker) {
    shared_add(&board->worker[worker].wake, 1, memory_order_release);
    shared_wake(&board->worker[worker].wake, 1);
}

/* Wakes one that sleeps, if any: whoever takes its bit wakes it, nobody else. */
static bool wake_one(struct board *board) {
    unsigned workers = count_workers(board);
    for (unsigned i = 0; i < (workers + 63) / 64; i++) {
        uint64_t set = shared_load(&board->sleeping[i], memory_order_relaxed);
        while (set != 0) {
            unsigned worker = i * 64 + (unsigned)__builtin_ctzll(set);
            set &= set - 1;
            if (worker < workers && leave_set(board->sleeping, worker)) {
                POINT("board.wake.chosen");
                wake_worker(board, worker);
                return true;
            }
        }
    }
    return false;
}

void board_wake(struct board *board, uint64_t chunks) {
    /*
     * Between the post and the looks at the sets; board_idle joins a set, and then looks at the posts. So either we see
     * the worker or it sees the post.
     */
    shared_fence();
    if (chunks == 1 && !is_empty(board, board->spinning))
        return; /* that one takes it, and wakes another if there is more */
    while (chunks-- > 0 && wake_one(board))
        ;
}

void board_wake_all(struct board *board) {
    for (unsigned worker = 0, workers = count_workers(board); worker < workers; worker++) {
        leave_set(board->sleeping, worker);
        wake_worker(board, worker);
    }
}

void board_ring(struct board_job *job) {
    shared_add(&job->bell, 1, memory_order_release);
    shared_wake(&job->bell, INT32_MAX);
}

/* ---- the owner's side */

bool board_post(struct board *board, struct board_job *job, uint64_t piece) {
    uint64_t position = shared_load(&board->put, memory_order_relaxed);
    if (position - shared_load(&board->take, memory_order_acquire) >= BOARD_POSITIONS)
        return false;
    board->posts[position % BOARD_POSITIONS] = (struct board_post){job, piece};
    /* Release: whoever sees the position sees what is posted there, and the job; the partner is in board_claim. */
    shared_store(&board->put, position + 1, memory_order_release);
    return true;
}

void board_clear_worker(struct board *board, unsigned worker) {
    struct board_worker *place = &board->worker[worker];
    leave_set(board->spinning, worker);
    leave_set(board->sleeping, worker);
    shared_store(&place->hand, HAND_EMPTY, memory_order_relaxed);
    shared_store(&place->trying, 0, memory_order_relaxed);
    shared_store(&place->finished, 0, memory_order_relaxed);
    shared_store(&place->stage, WORKER_STARTING, memory_order_relaxed);
    place->code = 0;
    place->text[0] = '\0';
    shared_store(&place->visiting, 0, memory_order_release);
}

bool board_is_visited(struct board *board, uint64_t position) {
    if (shared_load(&board->take, memory_order_acquire) <= position)
        return true;
    shared_fence(); /* its partner is in visit(): either that sees `take` past the position, or we see it visiting */
    for (unsigned worker = 0, workers = count_workers(board); worker < workers; worker++)
        if (shared_load(&board->worker[worker].visiting, memory_order_acquire) == position + 1)
            return true;
    return false;
}

/* ---- the workers' side */

/*
 * Says that this worker looks at the job of a position, and makes sure that the owner sees it before it frees that job:
 * it does not as long as `take` has not passed the position or a worker visits it. Nor does it post anything in its
 * place before `take` has passed it, so what is read of the post, and kept, is whole.
 */
static bool visit(struct board *board, struct board_worker *me, uint64_t position, struct claim *claim) {
    if (claim->position == position + 1)
        return true;
    claim->position = 0;
    claim->post = board->posts[position % BOARD_POSITIONS];
    /* Release: behind the empty hand of the last job; what is in hand from here on is this one's. */
    shared_store(&me->visiting, position + 1, memory_order_release);
    shared_fence();
    if (shared_load(&board->take, memory_order_relaxed) != position)
        return false;
    claim->position = position + 1;
    return true;
}

/* Takes the chunk if it is free. Its word then says so; a death before that leaves it free, and after that ours. */
static bool take_chunk(struct board_worker *me, unsigned worker, struct claim *claim) {
    _Atomic uint64_t *word = &claim->job->words[claim->chunk];
    uint64_t before = shared_load(word, memory_order_acquire);
    if (chunk_state(before) != CHUNK_FREE)
        return false;
    shared_store(&me->trying, claim->chunk, memory_order_relaxed);
    claim->word = chunk_word(CHUNK_TAKEN, chunk_special(before), worker, chunk_skip(before));
    POINT("board.claim.trying");
    /* Acquire, for what a dead worker had done of it; release, for `trying`, which the supervisor reads behind it. */
    bool taken = shared_swap(word, &before, claim->word, memory_order_acq_rel);
    POINT("board.claim.taken");
    return taken;
}

/* Takes a chunk of the job at this position; false when none is free. */
static bool take_from(struct board *board, unsigned worker, struct claim *claim) {
    struct board_worker *me = &board->worker[worker];
    claim->job = claim->post.job;
    if (claim->post.piece != 0) {
        claim->chunk = claim->post.piece - 1;
        return take_chunk(me, worker, claim);
    }
    for (;;) {
        uint64_t next = shared_load(&claim->job->next, memory_order_relaxed);
        if (next >= claim->job->chunks)
            return false;
        claim->chunk = next;
        bool taken = take_chunk(me, worker, claim);
        /* Past it, whoever has it: if its taker dies before this, another does it. */
        shared_swap(&claim->job->next, &next, next + 1, memory_order_relaxed);
        if (taken)
            return true;
    }
}

/* Whether there may be more to take behind this claim. */
static bool is_more(struct board *board, const struct claim *claim, uint64_t position) {
    return shared_load(&claim->job->next, memory_order_relaxed) < claim->job->chunks ||
           shared_load(&board->put, memory_order_relaxed) > position + 1;
}

bool board_claim(struct board *board, unsigned worker, struct claim *claim) {
    struct board_worker *me = &board->worker[worker];
    for (;;) {
        uint64_t position = shared_load(&board->take, memory_order_acquire);
        /* Acquire: the partner of the release in board_post. */
        if (position == shared_load(&board->put, memory_order_acquire)) {
            claim->position = 0;
            shared_store(&me->visiting, 0, memory_order_release);
            return false;
        }
        if (!visit(board, me, position, claim))
            continue;
        if (take_from(board, worker, claim)) {
            /* One that was woken, or was spinning, has been so for all that was posted meanwhile: it hands that on. */
            if (!is_empty(board, board->sleeping) && is_more(board, claim, position) &&
                is_empty(board, board->spinning))
                wake_one(board);
            return true;
        }
        shared_swap(&board->take, &position, position + 1, memory_order_release);
    }
}

void board_done(struct board *board, unsigned worker, const struct claim *claim) {
    struct board_worker *me = &board->worker[worker];
    struct board_job *job = claim->job;
    POINT("board.done.before");
    /* Release: the results are there. The partners are the acquire loads of words in pool_result.c. */
    shared_store(&job->words[claim->chunk], chunk_word(CHUNK_DONE, chunk_special(claim->word), worker, 0),
                 memory_order_release);
    POINT("board.done.handed_in");
    shared_store(&me->hand, HAND_EMPTY, memory_order_release);
    shared_store(&me->finished, shared_load(&me->finished, memory_order_relaxed) + 1, memory_order_relaxed);
    /* Those who wait set `waiting` and then look at the words: either we see that, or they see the word. */
    shared_fence();
    bool last_ones = (job->flags & JOB_EACH) != 0 || shared_load(&job->next, memory_order_relaxed) >= job->chunks;
    if (last_ones && shared_load(&job->waiting, memory_order_relaxed) != 0 &&
        shared_exchange(&job->waiting, 0, memory_order_relaxed) != 0) {
        POINT("board.done.unwaited");
        board_ring(job); /* whoever dies before this, the supervisor rings for */
    }
    if (last_ones && (job->flags & JOB_TOLD) != 0)
        tell(claim->told);
}

static bool is_something(struct board *board) {
    return shared_load(&board->take, memory_order_relaxed) != shared_load(&board->put, memory_order_acquire) ||
           shared_load(&board->over, memory_order_relaxed) != 0;
}

/* True when there is something, after a few looks at growing intervals. */
static bool spin(struct board *board) {
    for (int pauses = 1; pauses <= LONGEST_SPIN; pauses += 1 + pauses / 2) {
        if (is_something(board))
            return true;
        for (int i = 0; i < pauses; i++)
            spin_pause();
    }
    return false;
}

bool board_idle(struct board *board, unsigned worker, int told, bool spins) {
    struct board_worker *me = &board->worker[worker];
    struct deadline look_again;
    bool found = false;
    /* Before it is listed: whoever strikes it off then adds to this. What is added later must not be slept through. */
    uint32_t wake = shared_load(&me->wake, memory_order_acquire);
    if (spins && board->may_spin) {
        join_set(board->spinning, worker);
        found = spin(board);
        if (!found)
            join_set(board->sleeping, worker);
        leave_set(board->spinning, worker);
    } else {
        join_set(board->sleeping, worker);
    }
    if (found)
        return true;
    shared_fence(); /* its partner is in board_wake */
    POINT("board.idle.listed");
    if (!is_something(board)) {
        if (shared_load(&board->draining, memory_order_relaxed) != 0)
            tell(told);
        deadline_after(LOOK_AGAIN, NEGATIVE_POLLS, &look_again);
        shared_wait(&me->wake, wake, &look_again);
    }
    leave_set(board->sleeping, worker);
    return is_something(board) || shared_load(&me->wake, memory_order_relaxed) != wake;
}
