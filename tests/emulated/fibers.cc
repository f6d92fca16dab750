/* fibers.cc: leaves one stack for another, by a few instructions, and so that AddressSanitizer knows of it. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fibers.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifdef UNDER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

enum { FIBERS_MOST = 1025 }; /* a block's threads, and the one that takes the last of them */

struct fiber *fiber_here;
static struct fiber home, *idle, *all[FIBERS_MOST];
static size_t count;
static void (*entry)(void);
#ifdef UNDER_ASAN
static const void *home_bottom;
static size_t home_size;
#endif

/* Leaves what a function must keep of the registers on the stack, and its end in *from; goes on where `to` was left. */
extern "C" void emulated_switch(void **from, void *to);
#if defined(__x86_64__)
asm(".text\n.type emulated_switch,@function\n.hidden emulated_switch\n.globl emulated_switch\nemulated_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size emulated_switch,.-emulated_switch\n");
enum { KEPT = 6, RETURN = 6 }; /* words on the stack, and at which of them it goes on */
#elif defined(__aarch64__)
asm(".text\n.type emulated_switch,%function\n.hidden emulated_switch\n.globl emulated_switch\nemulated_switch:\n"
    "sub sp,sp,#160\nstp x19,x20,[sp]\nstp x21,x22,[sp,#16]\nstp x23,x24,[sp,#32]\nstp x25,x26,[sp,#48]\n"
    "stp x27,x28,[sp,#64]\nstp x29,x30,[sp,#80]\nstp d8,d9,[sp,#96]\nstp d10,d11,[sp,#112]\n"
    "stp d12,d13,[sp,#128]\nstp d14,d15,[sp,#144]\nmov x9,sp\nstr x9,[x0]\nmov sp,x1\n"
    "ldp x19,x20,[sp]\nldp x21,x22,[sp,#16]\nldp x23,x24,[sp,#32]\nldp x25,x26,[sp,#48]\n"
    "ldp x27,x28,[sp,#64]\nldp x29,x30,[sp,#80]\nldp d8,d9,[sp,#96]\nldp d10,d11,[sp,#112]\n"
    "ldp d12,d13,[sp,#128]\nldp d14,d15,[sp,#144]\nadd sp,sp,#160\nret\n"
    ".size emulated_switch,.-emulated_switch\n");
enum { KEPT = 20, RETURN = 11 };
#else
#error "say here how one stack is left for another on this processor"
#endif

void fiber_arrived(void) {
#ifdef UNDER_ASAN
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(fiber_here->fake, &bottom, &size);
    if (home_bottom == NULL) {
        home_bottom = bottom;
        home_size = size;
    }
#endif
}

void fiber_switch(struct fiber *fiber) {
    struct fiber *from = fiber_here;
#ifdef UNDER_ASAN
    const void *bottom = fiber == &home ? home_bottom : fiber->stack;
    __sanitizer_start_switch_fiber(&from->fake, bottom, fiber == &home ? home_size : (size_t)FIBER_STACK);
#endif
    fiber_here = fiber;
    emulated_switch(&from->pointer, fiber->pointer);
    fiber_arrived();
}

void fiber_go_home(void) {
    fiber_switch(&home);
}

void fiber_idle(struct fiber *fiber) {
    fiber->next = idle;
    idle = fiber;
}

/* Makes the stack one that has not begun yet, whatever was left on it. */
static void renew(struct fiber *fiber) {
#ifdef UNDER_ASAN
    __asan_unpoison_memory_region(fiber->stack, FIBER_STACK);
#endif
    void **words = (void **)(void *)(fiber->stack + FIBER_STACK) - KEPT - 4;
    memset(words, 0, (KEPT + 4) * sizeof *words);
    words[RETURN] = (void *)entry;
    fiber->pointer = words;
    fiber->fake = NULL;
    fiber_idle(fiber);
}

struct fiber *fiber_take(void) {
    if (idle == NULL) {
        struct fiber *fiber = (struct fiber *)calloc(1, sizeof *fiber);
        void *pages =
            mmap(NULL, FIBER_GUARD + FIBER_STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (fiber == NULL || pages == MAP_FAILED || count == FIBERS_MOST ||
            mprotect((char *)pages + FIBER_GUARD, FIBER_STACK, PROT_READ | PROT_WRITE) != 0)
            abort();
        fiber->stack = (unsigned char *)pages + FIBER_GUARD; /* below it nothing: too deep a call faults */
        all[count++] = fiber;
        renew(fiber);
    }
    struct fiber *fiber = idle;
    idle = fiber->next;
    return fiber;
}

void fibers_renew(void) {
    idle = NULL;
    for (size_t i = 0; i < count; i++)
        renew(all[i]);
}

void fibers_begin(void (*function)(void)) {
    entry = function;
    fiber_here = &home;
#ifdef UNDER_ASAN
    home_bottom = NULL; /* another thread of the host's may be it this time */
#endif
}
