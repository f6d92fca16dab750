/* pool_worker.c: what a worker process of a pool does: takes chunks from the board and runs their tasks; see pool.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "hooks.h"
#include "pool_internal.h"

/* The task that runs just now. */
struct at_call {
    const void *arg;
    size_t arg_size;
    void *result;
    size_t result_size, room;
    int failed; /* what at_fail said; 0: nothing */
    char text[BOARD_TEXT];
};

/*
 * NULL outside of tasks and initializers. A worker is a process, and runs one at a time; in tests it may be a thread.
 */
static _Thread_local at_call *current;

const void *at_call_arg(const at_call *call) {
    return call->arg;
}

size_t at_call_arg_size(const at_call *call) {
    return call->arg_size;
}

void *at_call_result(const at_call *call) {
    return call->result;
}

int at_call_set_size(at_call *call, size_t size) {
    if (size > call->room)
        return -EMSGSIZE;
    call->result_size = size;
    return 0;
}

int at_fail(int code, const char *format, ...) {
    char text[BOARD_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (current == NULL)
        at_fatal("at_fail: not in a task of a pool: %s", text);
    current->failed = code < 0 ? code : -EINVAL;
    memcpy(current->text, text, sizeof text);
    return current->failed;
}

/* ---- outcomes other than that all is well */

/*
 * The outcomes of a chunk are looked at only when its word says so. That comes before the first of them, so that it is
 * known if this worker dies later.
 */
static void make_special(struct claim *claim, uint64_t end) {
    struct board_job *job = claim->job;
    if (chunk_special(claim->word))
        return;
    for (uint64_t item = claim->chunk * job->chunk_size; item < end; item++)
        shared_store(&job->outcomes[item], 0, memory_order_relaxed);
    claim->word |= CHUNK_SPECIAL;
    POINT("pool.special.cleared");
    shared_store(&job->words[claim->chunk], claim->word, memory_order_release); /* behind the zeros */
}

static void write_text(struct board_job *job, uint64_t item, const char *text) {
    uint32_t slot = shared_add(&job->texts_used, 1, memory_order_relaxed);
    if (slot >= job->text_count)
        return; /* then the code has to do */
    memcpy(job->texts[slot].text, text, BOARD_TEXT);
    shared_store(&job->texts[slot].item, item + 1, memory_order_release);
}

static void record_outcome(struct claim *claim, uint64_t item, uint64_t end, int code, const at_call *call) {
    struct board_job *job = claim->job;
    make_special(claim, end);
    if (code < 0 && call->text[0] != '\0')
        write_text(job, item, call->text);
    uint64_t size = code < 0 || call->result_size == job->result_size ? 0 : 1 + call->result_size;
    shared_store(&job->outcomes[item], size << 32 | (uint32_t)code, memory_order_relaxed);
}

/* ---- running */

/*
 * What the tasks of a chunk have printed is out before the last one is handed in, and so not lost if this worker is
 * killed later; and if it cannot be written, that counts as that task's time.
 */
static void flush_output(void) {
    if (__fpending(stdout) > 0)
        fflush(stdout);
}

static uint64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void run_item(struct claim *claim, uint64_t item, uint64_t end, at_call *call) {
    const struct board_job *job = claim->job;
    call->arg = job->items + item * job->item_size;
    call->result = job->results + item * job->result_size;
    call->result_size = job->result_size;
    call->failed = 0;
    call->text[0] = '\0';
    int code = job->run(call);
    if (call->failed != 0)
        code = call->failed;
    if (item + 1 == end)
        flush_output();
    /* In a special chunk also that all is well: a worker that died may have left something else. */
    if (code < 0 || call->result_size != job->result_size || chunk_special(claim->word))
        record_outcome(claim, item, end, code < 0 ? code : 0, call);
}

/* The supervisor has found this worker's task over its time, and kills it: it does nothing else any more. */
static __attribute__((noreturn)) void await_death(void) {
    for (;;)
        pause();
}

/*
 * `hand` says what this worker has in its hands: one store both hands in an item and begins the next. Where items are
 * timed, the supervisor may condemn what is in hand; so handing in takes an exchange, and then the clock is read.
 */
static void run_timed(struct board_worker *me, struct claim *claim, uint64_t item, uint64_t end, at_call *call) {
    for (; item < end; item++) {
        shared_store(&me->started, clock_ns(), memory_order_relaxed);
        shared_store(&me->hand, claim->hand | item | HAND_BEGUN, memory_order_release); /* behind the time */
        POINT("pool.item.begun");
        run_item(claim, item, end, call);
        POINT("pool.item.ran");
        uint64_t hand = claim->hand | item | HAND_BEGUN;
        if (!shared_swap(&me->hand, &hand, claim->hand | (item + 1), memory_order_acq_rel))
            await_death();
        POINT("pool.item.handed_in");
    }
}

static void run_untimed(struct board_worker *me, struct claim *claim, uint64_t item, uint64_t end, at_call *call) {
    shared_store(&me->hand, claim->hand | item | HAND_BEGUN, memory_order_release);
    while (item < end) {
        POINT("pool.item.begun");
        run_item(claim, item, end, call);
        POINT("pool.item.ran");
        item++;
        /* Release: behind the result, which the supervisor takes as done from here on. */
        shared_store(&me->hand, claim->hand | item | (item < end ? HAND_BEGUN : 0), memory_order_release);
        POINT("pool.item.handed_in");
    }
}

static void run_chunk(struct board *board, unsigned worker, struct claim *claim) {
    struct board_worker *me = &board->worker[worker];
    struct board_job *job = claim->job;
    uint64_t begin = claim->chunk * job->chunk_size;
    uint64_t end = job->count - begin < job->chunk_size ? job->count : begin + job->chunk_size;
    at_call call = {.arg_size = job->item_size, .room = job->result_size};
    current = &call;
    if ((job->flags & JOB_TIMED) != 0)
        run_timed(me, claim, begin + chunk_skip(claim->word), end, &call);
    else
        run_untimed(me, claim, begin + chunk_skip(claim->word), end, &call);
    current = NULL;
    board_done(board, worker, claim);
}

/* 0, or why this worker cannot work. */
static int initialise(struct board_worker *me, const struct worker_arguments *arguments) {
    if (arguments->initializer == NULL)
        return 0;
    at_call call = {0};
    shared_store(&me->stage, WORKER_INITIALIZING, memory_order_release);
    current = &call;
    int code = arguments->initializer(arguments->initarg);
    current = NULL;
    if (call.failed != 0)
        code = call.failed;
    if (code >= 0)
        return 0;
    me->code = code;
    memcpy(me->text, call.text, sizeof me->text);
    shared_store(&me->stage, WORKER_UNFIT, memory_order_release); /* behind the two above */
    return code;
}

int worker_main(void *pointer) {
    const struct worker_arguments *arguments = pointer;
    struct board *board = arguments->board;
    struct board_worker *me = &board->worker[arguments->worker];
    struct claim claim = {.told = arguments->told};
    bool rested = false;
    pid_t parent = getppid();
    if (initialise(me, arguments) != 0)
        _exit(EXIT_FAILURE); /* the supervisor says why */
    shared_add(&board->fit, 1, memory_order_relaxed);
    shared_store(&me->stage, WORKER_READY, memory_order_release);
    for (long tasks = 0; arguments->maxtasks == 0 || tasks < arguments->maxtasks;) {
        if (board_claim(board, arguments->worker, &claim)) {
            claim.hand = ((uint64_t)tasks & (((uint64_t)1 << HAND_CLAIM_BITS) - 1)) << HAND_CLAIM_SHIFT;
            run_chunk(board, arguments->worker, &claim);
            tasks++;
        } else if (shared_load(&board->over, memory_order_acquire) != 0) {
            break;
        } else {
            rested = !board_idle(board, arguments->worker, arguments->told, !rested);
            if (rested && getppid() != parent)
                break; /* an initializer that has changed its user id has lost the tie to the parent */
        }
    }
    shared_store(&me->visiting, 0, memory_order_release);
    shared_store(&me->stage, WORKER_RETIRED, memory_order_release);
    return 0;
}
