/* test_process_lock_death.c: the lock between processes when its holders and waiters die; faults 10 and 11. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

#include "watch.h"

static at_process_lock *lock;

/* What the processes of a test share. */
static struct {
    _Atomic bool dies_before_consistent; /* whoever recovers the lock next is killed before it is whole again */
    _Atomic int held, recovered;
    /* Guarded by the lock: two steps of one change, kept apart by volatile; equal unless a holder died between. */
    volatile long begun, finished;
} * shared;

static void setup(void) {
    lock = at_process_lock_new();
    shared = at_shared_new(sizeof *shared);
    ck_assert_ptr_nonnull(lock);
    ck_assert_ptr_nonnull(shared);
}

static void teardown(void) {
    at_process_lock_free(lock);
    at_shared_free(shared);
}

/* Stands before libc's: a place to die at between the recovery of the lock and the line that makes it whole. */
int pthread_mutex_consistent(pthread_mutex_t *mutex) {
    if (shared && atomic_exchange(&shared->dies_before_consistent, false))
        raise(SIGKILL);
    int (*consistent)(pthread_mutex_t *);
    *(void **)&consistent = dlsym(RTLD_NEXT, "pthread_mutex_consistent");
    return consistent(mutex);
}

/* From here on the lock is as any other. */
static void assert_works(void) {
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(at_process_lock_acquire(lock, i % 2 ? 0 : AT_FOREVER), 0);
        pid_t child = fork();
        if (child == 0)
            _exit(at_process_lock_acquire(lock, 0) == -ETIMEDOUT ? 0 : 1);
        ck_assert_int_eq(end_of(child), 0);
        at_process_lock_release(lock);
    }
}

/* Acquires, within BOUND, what a dead holder has left, and gives it back. */
static void assert_recovered(void) {
    ck_assert_int_eq(at_process_lock_acquire(lock, BOUND), AT_RECOVERED);
    at_process_lock_release(lock);
    assert_works();
}

/* ---- fault 10: the ways in which a holder can end */

typedef void ending(void);

static pid_t start_holder(ending *end) {
    pid_t holder = fork();
    ck_assert_int_ge(holder, 0);
    if (holder == 0) {
        require(at_process_lock_acquire(lock, AT_FOREVER) >= 0);
        shared->held++;
        end();
    }
    return holder;
}

static void wait_for_a_signal(void) {
    for (;;)
        pause();
}

static void call__exit(void) {
    _exit(0);
}

static void call_exit(void) {
    exit(0);
}

static void exec_another_program(void) {
    execl("/bin/sleep", "sleep", "1000", (char *)NULL);
    _exit(99);
}

static void kill_itself(void) {
    raise(SIGKILL);
}

static void call_abort(void) {
    abort();
}

START_TEST(waiter_recovers_what_a_killed_holder_had) { /* fault 10 */
    for (int i = 0; i < 20; i++) {
        shared->held = 0;
        pid_t holder = start_holder(wait_for_a_signal);
        await(shared->held == 1);
        pid_t waiter = fork();
        if (waiter == 0) {
            int result = at_process_lock_acquire(lock, i % 2 ? AT_FOREVER : 1000);
            at_process_lock_release(lock);
            _exit(result == AT_RECOVERED ? 0 : 1);
        }
        await(is_blocked(waiter, waiter));
        double killed = at_now();
        kill(holder, SIGKILL);
        ck_assert_int_eq(end_of(waiter), 0);
        ck_assert_double_lt(at_now() - killed, 5);
        ck_assert_int_eq(end_of(holder), -SIGKILL);
        assert_works();
    }
}
END_TEST

START_TEST(next_acquire_recovers_however_the_holder_ended) { /* fault 10 */
    ending *endings[] = {call__exit, call_exit, kill_itself, call_abort};
    for (int i = 0; i < 4; i++) {
        pid_t holder = start_holder(endings[i]);
        end_of(holder);
        ck_assert_int_eq(shared->held, i + 1);
        assert_recovered();
    }
}
END_TEST

START_TEST(holder_that_becomes_another_program_has_lost_it) { /* fault 10; the process lives, its threads are new */
    pid_t holder = start_holder(exec_another_program);
    await(shared->held == 1);
    assert_recovered();
    ck_assert_int_eq(kill(holder, SIGKILL), 0);
    ck_assert_int_eq(end_of(holder), -SIGKILL);
}
END_TEST

static int acquire_and_end(void *unused) {
    (void)unused;
    return at_process_lock_acquire(lock, 0);
}

START_TEST(next_acquire_recovers_what_a_thread_had_that_ended) { /* fault 10 */
    at_thread *thread = at_thread_new(.target = acquire_and_end);
    start(thread);
    join(thread);
    at_thread_free(thread);
    assert_recovered();
}
END_TEST

START_TEST(poll_recovers_too) { /* fault 10 */
    end_of(start_holder(kill_itself));
    ck_assert_int_eq(at_process_lock_acquire(lock, 0), AT_RECOVERED);
    at_process_lock_release(lock);
    end_of(start_holder(kill_itself));
    ck_assert_int_eq(at_process_lock_acquire(lock, -1), AT_RECOVERED);
    at_process_lock_release(lock);
    assert_works();
}
END_TEST

START_TEST(of_many_waiters_one_is_told_of_the_death) { /* fault 10 */
    enum { WAITERS = 6 };
    pid_t waiters[WAITERS], holder = start_holder(wait_for_a_signal);
    await(shared->held == 1);
    for (int i = 0; i < WAITERS; i++) {
        if ((waiters[i] = fork()) == 0) {
            shared->recovered += at_process_lock_acquire(lock, i % 2 ? AT_FOREVER : 1000) == AT_RECOVERED;
            at_process_lock_release(lock);
            _exit(0);
        }
        await(is_blocked(waiters[i], waiters[i]));
    }
    kill(holder, SIGKILL);
    for (int i = 0; i < WAITERS; i++)
        ck_assert_int_eq(end_of(waiters[i]), 0);
    end_of(holder);
    ck_assert_int_eq(shared->recovered, 1);
    assert_works();
}
END_TEST

START_TEST(two_holders_die_in_a_row) { /* fault 10; the second in the middle of its recovery */
    end_of(start_holder(kill_itself));
    shared->dies_before_consistent = true;
    ck_assert_int_eq(end_of(start_holder(kill_itself)), -SIGKILL);
    ck_assert_int_eq(shared->held, 1); /* the second never had it */
    ck_assert(!shared->dies_before_consistent);
    assert_recovered();
}
END_TEST

START_TEST(hundred_holders_die_in_a_row) { /* fault 10 */
    for (int i = 0; i < 100; i++) {
        shared->dies_before_consistent = i % 3 == 2;
        ck_assert_int_eq(end_of(start_holder(kill_itself)), -SIGKILL);
    }
    ck_assert_int_eq(shared->held, 67);
    assert_recovered();
}
END_TEST

START_TEST(recovery_stays_with_who_made_it) { /* who recovered and released normally leaves nothing to recover */
    end_of(start_holder(kill_itself));
    ck_assert_int_eq(at_process_lock_acquire(lock, 0), AT_RECOVERED);
    ck_assert_int_eq(at_process_lock_acquire(lock, 0), -EDEADLK);
    pid_t child = fork();
    if (child == 0)
        _exit(at_process_lock_acquire(lock, 0.05) == -ETIMEDOUT ? 0 : 1);
    ck_assert_int_eq(end_of(child), 0);
    at_process_lock_release(lock);
    assert_works();
}
END_TEST

/* ---- fault 11: a waiter that is killed takes neither the lock nor a wake-up with it */

static pid_t start_waiter(void) {
    pid_t waiter = fork();
    ck_assert_int_ge(waiter, 0);
    if (waiter == 0) {
        int result = at_process_lock_acquire(lock, AT_FOREVER);
        at_process_lock_release(lock);
        _exit(result); /* 0, or AT_RECOVERED when the other died as the holder */
    }
    await(is_blocked(waiter, waiter));
    return waiter;
}

START_TEST(killed_waiter_swallows_no_wake_up) { /* fault 11 */
    for (int i = 0; i < 150; i++) {
        ck_assert_int_ge(at_process_lock_acquire(lock, BOUND), 0);
        pid_t victim = start_waiter(), waiter = start_waiter();
        if (i % 3 == 0)
            kill(victim, SIGKILL);
        at_process_lock_release(lock); /* which wakes the first to have come, the victim */
        if (i % 3 == 2)
            sched_yield();
        if (i % 3 != 0)
            kill(victim, SIGKILL);
        int result = end_of(waiter);
        ck_assert(result == 0 || result == AT_RECOVERED);
        end_of(victim);
    }
    ck_assert_int_ge(at_process_lock_acquire(lock, BOUND), 0);
    at_process_lock_release(lock);
    assert_works();
}
END_TEST

/* ---- both, at random: whatever dies, nobody hangs, and who is not told of a death finds whole data */

static void change_for_ever(void) {
    for (unsigned i = 0;; i++) {
        int result = at_process_lock_acquire(lock, i % 2 ? AT_FOREVER : BOUND);
        require(result >= 0);
        if (result == AT_RECOVERED)
            shared->finished = shared->begun;
        require(shared->finished == shared->begun);
        shared->begun++;
        shared->finished++;
        at_process_lock_release(lock);
    }
}

static pid_t start_changer(void) {
    pid_t changer = fork();
    ck_assert_int_ge(changer, 0);
    if (changer == 0)
        change_for_ever();
    return changer;
}

START_TEST(kill_storm_hangs_nobody_and_tears_nothing) { /* faults 10 and 11 */
    enum { CHANGERS = 3, KILLS = 300 };
    pid_t changers[CHANGERS];
    for (int i = 0; i < CHANGERS; i++)
        changers[i] = start_changer();
    for (int i = 0; i < KILLS; i++) {
        int victim = i % CHANGERS;
        long before = shared->finished;
        kill(changers[victim], SIGKILL);
        ck_assert_int_eq(end_of(changers[victim]), -SIGKILL); /* not by a failed assertion */
        await(shared->finished != before);                    /* the others go on */
        changers[victim] = start_changer();
    }
    for (int i = 0; i < CHANGERS; i++) {
        kill(changers[i], SIGKILL);
        ck_assert_int_eq(end_of(changers[i]), -SIGKILL);
    }
    ck_assert_int_ge(at_process_lock_acquire(lock, BOUND), 0);
    at_process_lock_release(lock);
    assert_works();
}
END_TEST

SUITE_WITH("process_lock_death", setup, teardown, waiter_recovers_what_a_killed_holder_had,
           next_acquire_recovers_however_the_holder_ended, holder_that_becomes_another_program_has_lost_it,
           next_acquire_recovers_what_a_thread_had_that_ended, poll_recovers_too,
           of_many_waiters_one_is_told_of_the_death, two_holders_die_in_a_row, hundred_holders_die_in_a_row,
           recovery_stays_with_who_made_it, killed_waiter_swallows_no_wake_up,
           kill_storm_hangs_nobody_and_tears_nothing)
