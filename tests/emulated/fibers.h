/* fibers.h: stacks on which the threads of a block run, one at a time, and how one is left for another. */
#ifndef TESTS_EMULATED_FIBERS_H
#define TESTS_EMULATED_FIBERS_H

#include <stddef.h>

enum { FIBER_STACK = 256 << 10, FIBER_GUARD = 64 << 10 }; /* bytes; the guard is a page or more, on any machine */

struct emulated_thread;
struct fiber {
    void *pointer; /* of its stack, while it waits */
    unsigned char *stack;
    void *fake;                       /* AddressSanitizer's */
    struct fiber *next;               /* of those that are idle */
    struct emulated_thread *assigned; /* with what it begins */
};
extern struct fiber *fiber_here;

/* From now on this thread's own stack is the home, and a fiber that is new begins with that function. */
void fibers_begin(void (*entry)(void));
/* The first that the entry calls. */
void fiber_arrived(void);
struct fiber *fiber_take(void); /* one that is idle */
void fiber_idle(struct fiber *fiber);
void fiber_switch(struct fiber *fiber);
void fiber_go_home(void);
/* At home: all of them are idle and new, whatever was left on them. */
void fibers_renew(void);

#endif
