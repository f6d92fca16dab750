/* ledger.h: who put and who got which message, in shared memory, so that the books can be balanced after any deaths. */
#ifndef ATELIER_TESTS_LEDGER_H
#define ATELIER_TESTS_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEDGER_PRODUCERS = 8, LEDGER_RECEIVERS = 8 };

/* Its bytes say whose it is; behind them come others that depend on them, so that a torn one shows. */
struct message {
    uint32_t producer, number, size, sum;
};

/* A process or thread may die at any moment, and then another goes on in its place. */
struct ledger {
    uint32_t most;                              /* messages of each producer */
    _Atomic uint32_t next[LEDGER_PRODUCERS];    /* the number of its next message */
    _Atomic uint32_t holding[LEDGER_RECEIVERS]; /* messages that this receiver may have in hand without a note */
    _Atomic uint32_t doubts;                    /* messages that dead receivers had in hand */
    _Atomic uint32_t wrong;                     /* 1 once something is */
    char text[200];                             /* and what */
    _Atomic uint8_t notes[];                    /* of each message: PUT and RETURNED, and how often it was received */
};

/* Zeroed shared memory. Not to be freed by those who share it. */
struct ledger *ledger_new(uint32_t most);
void ledger_free(struct ledger *ledger);
void ledger_clear(struct ledger *ledger); /* while nobody uses it */

/* Makes the producer's next message of `size` bytes, at least sizeof(struct message); false when there are no more. */
bool ledger_put(struct ledger *ledger, uint32_t producer, void *buffer, size_t size);

/* Its put has returned 0; or an error, and then it must not be received. */
void ledger_put_returned(struct ledger *ledger, const void *buffer, int result);

/* A receiver is about to ask for up to so many messages... */
void ledger_ask(struct ledger *ledger, uint32_t receiver, uint32_t messages);

/* ...has got this one; `last` is its own, LEDGER_PRODUCERS numbers that begin as 0... */
void ledger_receive(struct ledger *ledger, uint32_t *last, const void *buffer, size_t size);

/* ...and has none in hand any more. */
void ledger_asked(struct ledger *ledger, uint32_t receiver);

/* It has died. */
void ledger_bury(struct ledger *ledger, uint32_t receiver);

/* Once the queue is drained: NULL, or what is wrong. */
const char *ledger_balance(struct ledger *ledger);

#endif
