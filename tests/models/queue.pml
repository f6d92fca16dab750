/*
 * queue.pml: a model of the queue between processes, for spin, in which any participant may die at any step.
 *
 * It follows labs/runtime/queue.c, queue_get.c, queue_ring.c, queue_descriptor.c and event.c, names included;
 * docs/queue.md explains what they do, what is asserted here, and what is not covered. tests/test_model.c runs it in
 * several configurations, and with mistakes put in on purpose (MUTANT_...), each of which spin must find.
 *
 * An `atomic` is one step: at one moment only it touches what others may touch at the same time. What a lock guards is
 * touched by its holder alone, so it may be in the same step, but for a death: therefore POINT stands between any two
 * effects, and there the process goes on or dies. Memory is sequentially consistent.
 */

/* ---- the configuration: -DDEATHS=2... */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2 /* each calls at_queue_get until the queue is closed */
#endif
#ifndef POLLERS
#define POLLERS 0 /* each calls poll(2), then at_queue_get_nowait until the queue is empty, until it is closed */
#endif
#ifndef MESSAGES
#define MESSAGES 2 /* of each producer */
#endif
#ifndef TAKES
#define TAKES 200 /* messages that a consumer takes before it goes away */
#endif
#ifndef LARGE
#define LARGE 1 /* units of every second message, its header included; the others have 1 */
#endif
#ifndef CAPACITY
#define CAPACITY 2 /* units */
#endif
#ifndef MAXSIZE
#define MAXSIZE CAPACITY /* messages */
#endif
#ifndef WARM
#define WARM CAPACITY /* when it is empty at this index, or beyond, the queue goes on at index 0 */
#endif
#ifndef DEATHS
#define DEATHS 1 /* at the most */
#endif
#ifndef GIVE_UPS
#define GIVE_UPS 0 /* calls whose time is up before they are done, at the most */
#endif
#ifndef CLOSE_EARLY
#define CLOSE_EARLY 0 /* 1: close is called at any time; 0: when nobody can do anything else */
#endif
#ifndef CLOSE_UNLOCKED
#define CLOSE_UNLOCKED 0 /* 1: close may lose its patience */
#endif
#ifndef BOUNDED
#define BOUNDED 1 /* a sleep ends by itself 0: never; 1: when nobody can do anything else; 2: at any time */
#endif

#define UNITS(message) (1 + (message) % 2 * (LARGE - 1))
#define POSITIONS (2 * CAPACITY) /* they begin anew here; in C at 2^32, which is twice the largest capacity, too */
#define COUNTS 8

#define CLOSER (PRODUCERS + CONSUMERS + POLLERS)
#define ME (1 << _pid)
#define EVERYBODY ((2 << CLOSER) - 1)
#define NONE 255

/* ---- the shared memory */

/* A place: a count of messages and a position in units, in one word. */
#define PLACE(count, position) ((count) % COUNTS * POSITIONS + (position) % POSITIONS)
#define COUNT(place) ((place) / POSITIONS)
#define POSITION(place) ((place) % POSITIONS)
#define INDEX(place) ((place) % CAPACITY)
#define UNITS_BETWEEN(a, b) ((POSITION(b) + POSITIONS - POSITION(a)) % POSITIONS)
#define MESSAGES_BETWEEN(a, b) ((COUNT(b) + COUNTS - COUNT(a)) % COUNTS)

/* Robust locks: the number of the holder, or one of these. */
#define FREE 254
#define DEAD 255 /* the holder has died */
byte producers_lock = FREE, consumers_lock = FREE;

byte head, tail;
byte tail_seen;                             /* of producers, as are the next three */
byte detour_from = NONE, detour_to = NONE;  /* one word */
#define UNUSED 0
#define ARMED 1
#define READY 2
byte descriptor;
byte head_seen; /* of consumers */
bool closed;
bool readable; /* the eventfd */

/* The ring. A message is its producer * MESSAGES + its number. `size` is in the header, the first unit. */
byte message[CAPACITY] = NONE, size_at[CAPACITY], place_at[CAPACITY] = NONE;

/*
 * The two events. `marked` is bit 0 of the word. For each process, one bit: `unchanged` says that the word still has
 * the value that it saw, so the number of wakes need not be known; `asleep` is the kernel's list.
 */
#define NOT_EMPTY 0
#define NOT_FULL 1
bool marked[2];
byte unchanged[2], asleep[2];

/* ---- what nobody in the model knows: for the assertions */

byte deaths, give_ups;
byte finished;            /* a bit for each who has returned from its last call, or is dead */
byte number[PRODUCERS];   /* of the message that it is to put in, or does just now */
byte received[PRODUCERS]; /* messages that have been taken out */
bool unread[CAPACITY];    /* the unit belongs to a message that is in the queue */
bool drained;             /* a getter was told AT_ECLOSED */
bool fruitless;           /* all sleeps have ended by themselves, and nothing has been put in or taken out since */
bool closing;             /* it is time to close the queue */
bool unsound;             /* what producers see would be -EBADMSG */

/* ---- death, and giving up */

inline die() {
    d_step {
        deaths++;
#ifndef MUTANT_LOCKS_NOT_ROBUST
        producers_lock = (producers_lock == _pid -> DEAD : producers_lock);
        consumers_lock = (consumers_lock == _pid -> FREE : consumers_lock); /* there is nothing to repair */
#endif
        asleep[0] = asleep[0] & ~ME;
        asleep[1] = asleep[1] & ~ME;
        unchanged[0] = unchanged[0] & ~ME;
        unchanged[1] = unchanged[1] & ~ME
    }
}

#define MAY_DIE :: atomic { deaths < DEATHS -> die(); goto out }
#define POINT                                                                                                          \
    if                                                                                                                 \
    :: true                                                                                                            \
    MAY_DIE                                                                                                            \
    fi

/* ---- event.c */

#define WAKE(who) :: asleep[event] & (1 << who) -> asleep[event] = asleep[event] & ~(1 << who)

inline futex_wake_one(event) {
    atomic {
        POINT;
        if
        :: asleep[event] == 0
        WAKE(0)
        WAKE(1)
        WAKE(2)
        WAKE(3)
        WAKE(4)
        fi
    }
}

/* Between its load and its swap the word may have changed. */
inline event_wake(event) {
    if
    MAY_DIE
    :: atomic { !marked[event] }
    :: atomic { marked[event] -> unchanged[event] = unchanged[event] | ME };
        if
        MAY_DIE
        :: atomic { !marked[event] || !(unchanged[event] & ME) -> unchanged[event] = unchanged[event] & ~ME }
        :: atomic { marked[event] -> marked[event] = false; unchanged[event] = 0 };
            futex_wake_one(event)
        fi
    fi
}

inline event_wake_all(event) {
    atomic { POINT; unchanged[event] = 0 }
    atomic { POINT; asleep[event] = 0 }
}

inline mark(event) {
    atomic { POINT; marked[event] = true; unchanged[event] = unchanged[event] | ME }
}

#define WAKE_UP asleep[event] = asleep[event] & ~ME

inline futex_wait(event) {
    atomic {
        POINT;
#ifdef MUTANT_SLEEPS_ANYWAY
        asleep[event] = asleep[event] | ME;
#else
        asleep[event] = asleep[event] | (unchanged[event] & ME);
#endif
        unchanged[event] = unchanged[event] & ~ME
    }
    if
    :: atomic { !(asleep[event] & ME) }
    :: atomic { BOUNDED == 2 && (asleep[event] & ME) -> WAKE_UP }
    :: atomic { give_ups < GIVE_UPS && (asleep[event] & ME) -> give_ups++; over = true; WAKE_UP }
    MAY_DIE
    fi
}

/* ---- queue_ring.c */

#define NEXT_ROUND(place) ((POSITION(place) - INDEX(place) + CAPACITY) % POSITIONS) /* where the ring begins again */
#ifdef MUTANT_SKIP_IN_RING
#define SKIP 255
#define AFTER_DETOUR(place)                                                                                            \
    (size_at[INDEX(place)] == SKIP && place_at[INDEX(place)] == place -> PLACE(COUNT(place), NEXT_ROUND(place)) : place)
#else
#define AFTER_DETOUR(place) (POSITION(place) == detour_from -> PLACE(COUNT(place), detour_to) : place)
#endif

/* Within an atomic: from here on others may act. Without restarts they can make no difference, and it is one step. */
#if WARM < CAPACITY
#define NEXT_STEP } atomic {
#else
#define NEXT_STEP
#endif

/* Within an atomic. */
#ifdef MUTANT_DETOUR_STAYS
#define DETOUR_IS_PASSED false
#else
#define DETOUR_IS_PASSED (detour_from != NONE && POSITION(seen) != detour_from)
#endif
#define LOOK_AT_TAIL                                                                                                   \
    POINT;                                                                                                             \
    seen = tail;                                                                                                       \
    NEXT_STEP                                                                                                          \
    if                                                                                                                 \
    :: DETOUR_IS_PASSED -> POINT; detour_from = NONE; detour_to = NONE                                                 \
    :: else                                                                                                            \
    fi;                                                                                                                \
    POINT;                                                                                                             \
    tail_seen = AFTER_DETOUR(seen);                                                                                    \
    unsound = UNITS_BETWEEN(tail_seen, head) > CAPACITY ||                                                             \
              MESSAGES_BETWEEN(tail_seen, head) > UNITS_BETWEEN(tail_seen, head) ||                                    \
              (tail_seen == head) != (POSITION(tail_seen) == POSITION(head));                                          \
    assert(!unsound)

/* Of lock_producers, when the lock's holder has died: ring_recover and descriptor_recover. */
inline recover() {
#ifndef MUTANT_NOT_RECOVERED
    atomic { POINT; seen = tail }
    if
    :: seen == head -> atomic { POINT; detour_from = NONE; detour_to = NONE }
    :: else
    fi;
    atomic { LOOK_AT_TAIL }
    if
    :: descriptor != UNUSED -> make_ready()
    :: else
    fi;
#endif
    seen = 0
}

inline make_ready() {
    atomic { POINT; readable = true; POINT; descriptor = READY }
}

#define TAIL_HAS_MOVED (tail != seen || closed)
#define SIZE(producer) UNITS(producer * MESSAGES + number[producer])
#define HAS_ROOM(producer, tail)                                                                                       \
    (UNITS_BETWEEN(tail, head) + SIZE(producer) <= CAPACITY && MESSAGES_BETWEEN(tail, head) < MAXSIZE)

/* ---- put */

active [PRODUCERS] proctype producer() {
    byte place;   /* where it is to lie */
    byte i, seen; /* seen: tail, as at_queue_put saw it when there was no room */
    bool slept, over, put, overwrites;

again: /* try_to_put */
    atomic {
        if
        :: producers_lock == FREE -> producers_lock = _pid
        :: producers_lock == DEAD -> producers_lock = _pid; goto repair
        :: give_ups < GIVE_UPS -> give_ups++; over = true; goto attempted
        MAY_DIE
        fi;
locked:
        if
        :: closed -> POINT; producers_lock = FREE; over = true; goto attempted
        :: HAS_ROOM(_pid, tail_seen) && !closed -> place = head; goto write
        :: (!HAS_ROOM(_pid, tail_seen) || INDEX(head) >= WARM) && !closed
        fi
    }
    atomic {
        LOOK_AT_TAIL;
        if
        :: tail_seen == head && INDEX(head) >= WARM ->
            POINT;
            seen = 0;
#ifdef MUTANT_SKIP_IN_RING
            size_at[INDEX(head)] = SKIP;
            place_at[INDEX(head)] = head;
#else
            detour_from = POSITION(head);
            detour_to = NEXT_ROUND(head);
#endif
            place = PLACE(COUNT(head), NEXT_ROUND(head))
        :: tail_seen == head && INDEX(head) < WARM -> place = head; seen = 0; goto write
        :: tail_seen != head && HAS_ROOM(_pid, tail_seen) -> place = head; seen = 0; goto write
        :: !HAS_ROOM(_pid, tail_seen) -> POINT; producers_lock = FREE; goto attempted
        fi
    }
    atomic { POINT; tail_seen = place }
write:
#ifdef MUTANT_WAKES_BEFORE_COMMIT
    event_wake(NOT_EMPTY);
#endif
    atomic {
#ifdef MUTANT_COMMIT_BEFORE_COPY
        POINT;
        head = PLACE(COUNT(place) + 1, POSITION(place) + SIZE(_pid))
    }
    atomic {
#endif
        do
        :: i < SIZE(_pid) ->
            POINT;
            d_step {
                overwrites = unread[INDEX(place + i)];
                assert(!overwrites);
                message[INDEX(place + i)] = _pid * MESSAGES + number[_pid];
                size_at[INDEX(place + i)] = (i == 0 -> SIZE(_pid) : 0);
                place_at[INDEX(place + i)] = (i == 0 -> place : NONE);
                i++
            }
        :: else -> break
        od;
        POINT; /* queue.put.copied */
#ifndef MUTANT_ANNOUNCED_AFTER_COMMIT
        if
        :: descriptor == ARMED -> goto announce
        :: else
        fi;
#endif
commit:
        POINT;
#ifdef MUTANT_TWO_STORES
        head = PLACE(COUNT(head), POSITION(place) + i)
    }
    atomic {
        POINT;
#endif
        d_step { /* the commit */
            assert(!drained);
            head = PLACE(COUNT(place) + 1, POSITION(place) + i);
            put = true;
            fruitless = false;
            do
            :: i > 0 -> i--; unread[INDEX(place + i)] = true
            :: else -> break
            od;
            place = 0
        }
#ifdef MUTANT_ANNOUNCED_AFTER_COMMIT
        if
        :: descriptor == ARMED -> goto announce
        :: else
        fi;
committed:
#endif
        POINT;
        producers_lock = FREE
    }
#ifndef MUTANT_WAKES_BEFORE_COMMIT
    event_wake(NOT_EMPTY);
#endif
attempted:
    atomic {
        if
#if defined(MUTANT_ROOM_PASSED_ON_BY_PUTS_ONLY)
        :: slept && put -> goto pass_on
#elif !defined(MUTANT_ROOM_NOT_PASSED_ON)
        :: slept -> goto pass_on
#endif
        :: else
        fi;
passed_on:
        if
        :: !put && over -> goto out
        :: !put && !over -> goto await
        :: put
        fi;
        put = false;
        slept = false;
        number[_pid]++;
        if
        :: number[_pid] == MESSAGES -> goto out
        :: else -> goto again
        fi
    }
await: /* event_await */
    atomic {
        if
        :: TAIL_HAS_MOVED -> seen = 0; goto again /* while it spins */
        :: true
        :: give_ups < GIVE_UPS -> give_ups++; goto out
        fi
    }
mark_it:
    mark(NOT_FULL);
    atomic {
        POINT;
        if
        :: TAIL_HAS_MOVED -> unchanged[NOT_FULL] = unchanged[NOT_FULL] & ~ME; seen = 0; goto again
        :: !TAIL_HAS_MOVED && over -> unchanged[NOT_FULL] = unchanged[NOT_FULL] & ~ME; goto out
        :: !TAIL_HAS_MOVED && !over -> slept = true
        fi
    }
    futex_wait(NOT_FULL);
    goto mark_it;
announce:
    make_ready();
#ifdef MUTANT_ANNOUNCED_AFTER_COMMIT
    goto committed;
#else
    goto commit;
#endif
pass_on: /* event_pass_on */
    atomic { POINT; marked[NOT_FULL] = true }
    event_wake(NOT_FULL);
    goto passed_on;
repair:
    recover();
    goto locked;
out:
    atomic {
        place = 0; i = 0; seen = 0; slept = 0; over = 0; put = 0;
        finished = finished | ME; fruitless = false
    }
}

/* ---- get */

#define POLLS (_pid >= PRODUCERS + CONSUMERS)

#ifdef MUTANT_CLOSE_NOT_SEEN
#define HEAD_HAS_MOVED (head != place)
#else
#define HEAD_HAS_MOVED (head != place || closed)
#endif

#ifdef MUTANT_SETTLED_WITHOUT_LOCK
#define GIVE_PRODUCERS_LOCK producers_lock = (producers_lock == _pid -> FREE : producers_lock)
#else
#define GIVE_PRODUCERS_LOCK producers_lock = FREE
#endif

/* What look_closely, or settle, is called for. */
#define NOTHING_THERE 0
#define GOT_THE_LAST 1
#define FILENO 2

active [CONSUMERS + POLLERS] proctype consumer() {
    byte place; /* of the message; then tail, as it was when there was no message */
    byte i, seen, what;
    bool slept, over, last, is_garbage, is_torn, is_another, strands;
#if TAKES < 200
    byte takes;
#endif

    atomic {
        if
        :: POLLS -> what = FILENO; goto look
        :: else
        fi
    }
again: /* try_to_get */
    atomic {
        if
        :: consumers_lock == FREE -> consumers_lock = _pid
        :: give_ups < GIVE_UPS -> give_ups++; goto time_is_up
        MAY_DIE
        fi;
        if
        :: tail == head_seen -> POINT; head_seen = head
        :: else
        fi;
        if
        :: tail == head_seen -> place = tail; POINT; consumers_lock = FREE; goto look_closely
        :: else
        fi
    }
    atomic {
        POINT;
        place = AFTER_DETOUR(tail);
#ifdef MUTANT_TAIL_BEFORE_COPY
        tail = PLACE(COUNT(place) + 1, POSITION(place) + size_at[INDEX(place)])
    }
    atomic {
        POINT;
#endif
        d_step { /* ring_find and copy_out */
            is_garbage = UNITS_BETWEEN(place, head_seen) > CAPACITY || place_at[INDEX(place)] != place ||
                         size_at[INDEX(place)] == 0 || size_at[INDEX(place)] > UNITS_BETWEEN(place, head_seen);
            assert(!is_garbage);
            do
            :: i < size_at[INDEX(place)] ->
                is_torn = !unread[INDEX(place + i)] || message[INDEX(place + i)] != message[INDEX(place)];
                assert(!is_torn);
                i++
            :: else -> break
            od
        }
        NEXT_STEP
        POINT;
        d_step { /* ring_take */
            seen = message[INDEX(place)] / MESSAGES;
            is_another = message[INDEX(place)] != seen * MESSAGES + received[seen]; /* one is lost, or here again */
            assert(!is_another);
            received[seen]++;
            tail = PLACE(COUNT(place) + 1, POSITION(place) + i);
            fruitless = false;
            do
            :: i > 0 ->
                i--;
                unread[INDEX(place + i)] = false;
                message[INDEX(place + i)] = NONE;
                size_at[INDEX(place + i)] = 0;
                place_at[INDEX(place + i)] = NONE
            :: else -> break
            od;
            place = 0;
            seen = 0
        }
        last = tail == head_seen && descriptor != UNUSED;
#if TAKES < 200
        takes++;
        over = takes == TAKES;
#endif
        POINT;
        consumers_lock = FREE
    }
    event_wake(NOT_FULL);
taken:
    atomic {
        if
        :: last -> last = false; what = GOT_THE_LAST; goto look
        :: else -> goto leave
        fi
    }
look_closely:
    atomic {
        POINT;
        if
#ifdef MUTANT_CLOSED_IS_DRAINED
        :: closed -> drained = true; place = 0; goto leave
#endif
        :: !closed && descriptor == UNUSED -> goto await
        :: else
        fi
    }
look:
    atomic {
        if
#ifdef MUTANT_SETTLED_WITHOUT_LOCK
        :: what != FILENO
#endif
        :: producers_lock == FREE -> producers_lock = _pid
        :: producers_lock == DEAD -> producers_lock = _pid; goto repair
        :: what == NOTHING_THERE && give_ups < GIVE_UPS -> give_ups++; goto time_is_up
        :: what == GOT_THE_LAST && give_ups < GIVE_UPS -> give_ups++; goto looked
        MAY_DIE
        fi;
locked:
        if
        :: what == FILENO -> POINT; readable = true; POINT; descriptor = READY
        :: else
        fi
    }
    atomic { /* settle */
        POINT;
        if
        :: tail != head -> POINT; GIVE_PRODUCERS_LOCK; goto looked
        :: tail == head && closed ->
            drained = true;
            what = NOTHING_THERE;
            place = 0;
            POINT;
            GIVE_PRODUCERS_LOCK;
            goto leave
        :: tail == head && !closed && descriptor != READY -> POINT; GIVE_PRODUCERS_LOCK; goto looked
        :: tail == head && !closed && descriptor == READY ->
            POINT;
#ifndef MUTANT_DRAINED_NOT_ARMED
            descriptor = ARMED
#endif

        fi
    }
    atomic {
        POINT;
        assert(head == tail);
        readable = false
    }
    atomic {
        POINT;
        if
        :: closed -> POINT; readable = true; POINT; descriptor = READY
        :: else
        fi;
        POINT;
        GIVE_PRODUCERS_LOCK
    }
looked:
    atomic {
        if
        :: what == NOTHING_THERE -> goto await
        :: what == GOT_THE_LAST -> what = NOTHING_THERE; goto leave
        :: what == FILENO -> what = NOTHING_THERE; goto poll
        fi
    }

await: /* event_await */
    atomic {
        if
        :: POLLS -> place = 0; goto poll
        :: !POLLS && over -> place = 0; goto leave
        :: !POLLS && !over && HEAD_HAS_MOVED -> place = 0; goto again /* while it spins */
        :: !POLLS && !over
        :: !POLLS && !over && give_ups < GIVE_UPS -> give_ups++; goto time_is_up
        fi
    }
mark_it:
#ifndef MUTANT_LOOKS_BEFORE_MARK
    mark(NOT_EMPTY);
#endif
    atomic {
        POINT;
        if
        :: HEAD_HAS_MOVED -> unchanged[NOT_EMPTY] = unchanged[NOT_EMPTY] & ~ME; place = 0; goto again
        :: !HEAD_HAS_MOVED ->
            if
            :: over -> unchanged[NOT_EMPTY] = unchanged[NOT_EMPTY] & ~ME; place = 0; goto leave
            :: !over -> slept = true
            fi
        fi
    }
#ifdef MUTANT_LOOKS_BEFORE_MARK
    mark(NOT_EMPTY);
#endif
    futex_wait(NOT_EMPTY);
    goto mark_it;

leave:
    atomic {
        if
        :: slept -> goto leave_consumers
        :: else
        fi;
left:
        strands = drained && head != tail;
        assert(!strands);
        if
        :: drained || over -> goto out
        :: else -> goto again
        fi
    }
leave_consumers:
    atomic { POINT; slept = false; marked[NOT_EMPTY] = true } /* event_leave */
    atomic { POINT; seen = head }
    atomic {
        POINT;
        if
#ifdef MUTANT_NOT_PASSED_ON
        :: true -> seen = 0; goto left
#else
        :: seen == tail -> seen = 0; goto left
#endif
        :: else -> seen = 0
        fi
    }
    event_wake(NOT_EMPTY);
    goto left;
time_is_up:
    atomic {
        place = 0;
        if
        :: POLLS -> goto poll
        :: else -> over = true; goto leave
        fi
    }
poll:
    atomic {
        if
        :: readable -> goto again
        MAY_DIE
        fi
    }
repair:
    recover();
    goto locked;
out:
    atomic {
        place = 0; i = 0; seen = 0; what = 0; slept = 0; over = 0; last = 0;
        finished = finished | ME; fruitless = false
    }
}

/* ---- close: of one who, should it die, is followed by another */

active proctype closer() {
    byte seen;
    atomic { CLOSE_EARLY || closing }
out:
    atomic {
        if
        :: producers_lock == FREE -> producers_lock = _pid
        :: producers_lock == DEAD -> producers_lock = _pid; goto repair
        :: CLOSE_UNLOCKED && producers_lock < FREE
        MAY_DIE
        fi
    }
locked:
#ifndef MUTANT_CLOSE_NOT_SIGNALLED
    if
    :: producers_lock == _pid -> atomic { POINT; readable = true }
    :: else
    fi;
#endif
    atomic { POINT; closed = true }
    if
    :: producers_lock == _pid -> atomic { POINT; producers_lock = FREE }
    :: else -> atomic { POINT; readable = true }
    fi;
    event_wake_all(NOT_EMPTY);
    event_wake_all(NOT_FULL);
    goto done;
repair:
    recover();
    goto locked;
done:
    atomic { seen = 0; finished = finished | ME; fruitless = false }
}

/* ---- when nobody can do anything: bounded sleeps end; when that helps nobody, the queue is closed, but only once */

#define SLEEPS(event, who) (asleep[event] & (1 << who))

active proctype quiet() {
    byte i;
    bool misses_message, misses_room, misses_descriptor, hangs;
end:
    do
    :: timeout && finished != EVERYBODY ->
        d_step {
            if
            :: BOUNDED == 1 && !fruitless -> fruitless = true; asleep[NOT_EMPTY] = 0; asleep[NOT_FULL] = 0
            :: else ->
                misses_message = asleep[NOT_EMPTY] && head != tail;
                assert(!misses_message);
                do
                :: i < PRODUCERS ->
                    misses_room = SLEEPS(NOT_FULL, i) && HAS_ROOM(i, AFTER_DETOUR(tail));
                    assert(!misses_room);
                    i++
                :: else -> break
                od;
                i = 0;
                misses_descriptor = descriptor != UNUSED && !readable && (head != tail || closed);
                assert(!misses_descriptor);
                hangs = closing;
                assert(!hangs);
                closing = true;
                fruitless = false
            fi
        }
    od
}
