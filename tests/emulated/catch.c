/* catch.c: an access to what the card cannot reach is a signal here, and becomes the error that it is on a card. */
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "card.h"
#include "simt.h"

static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
enum { SIGNAL_COUNT = sizeof SIGNALS / sizeof *SIGNALS };

static struct sigaction before[SIGNAL_COUNT];
static bool catching;
static cudaError_t caught;
/* The stack of a kernel's thread may be what has run out. One is enough: work runs in one thread at a time. */
static unsigned char signal_stack[1 << 16] __attribute__((aligned(16)));
static stack_t stack_before;

static void land(void) {
    if (simt_inside())
        simt_leave((int)caught);
    work_escape(caught);
}

/*
 * Makes the thread go on in `land`, on the stack on which it was: it ends the work from outside of the handler, where
 * everything is allowed.
 */
static void divert(ucontext_t *context) {
#if defined(__x86_64__)
    greg_t *registers = context->uc_mcontext.gregs;
    registers[REG_RSP] = ((registers[REG_RSP] - 256) & -16) - 8;
    registers[REG_RIP] = (greg_t)(uintptr_t)land;
#elif defined(__aarch64__)
    context->uc_mcontext.sp = (context->uc_mcontext.sp - 256) & -16ull;
    context->uc_mcontext.pc = (uintptr_t)land;
#else
#error "say here how a thread is made to go on somewhere else on this processor"
#endif
}

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)info;
    if (work_is_running() && !*thread_called_back()) {
        caught = number == SIGSEGV || number == SIGBUS ? cudaErrorIllegalAddress : cudaErrorLaunchFailure;
        divert(context);
        return;
    }
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        if (SIGNALS[i] == number)
            sigaction(number, &before[i], NULL); /* and it happens again, for whom it concerns */
}

void faults_catch(void) {
    if (catching)
        return;
    catching = true;
    sigaltstack(NULL, &stack_before);
    if ((stack_before.ss_flags & SS_DISABLE) != 0)
        sigaltstack(&(stack_t){.ss_sp = signal_stack, .ss_size = sizeof signal_stack}, NULL);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        sigaction(SIGNALS[i], &action, &before[i]);
}

void faults_release(void) {
    if (!catching)
        return;
    catching = false;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        sigaction(SIGNALS[i], &before[i], NULL);
    if ((stack_before.ss_flags & SS_DISABLE) != 0)
        sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
}
