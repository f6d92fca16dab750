/* ledger.c: who put and who got which message; see ledger.h. */
#include "ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PUT = 1, RETURNED = 2, REFUSED = 4, RECEIVED = 8 /* and its multiples */ };

static size_t size_of(uint32_t most) {
    return sizeof(struct ledger) + (size_t)LEDGER_PRODUCERS * most;
}

struct ledger *ledger_new(uint32_t most) {
    struct ledger *ledger =
        mmap(NULL, size_of(most), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ledger == MAP_FAILED)
        return NULL;
    ledger->most = most;
    return ledger;
}

void ledger_free(struct ledger *ledger) {
    munmap(ledger, size_of(ledger->most));
}

void ledger_clear(struct ledger *ledger) {
    uint32_t most = ledger->most;
    for (uint32_t producer = 0; producer < LEDGER_PRODUCERS; producer++)
        memset((void *)&ledger->notes[(size_t)producer * most], 0, ledger->next[producer]);
    memset(ledger, 0, sizeof *ledger);
    ledger->most = most;
}

/* The first error stands. */
static __attribute__((format(printf, 2, 3))) void fail(struct ledger *ledger, const char *format, ...) {
    uint32_t none = 0;
    va_list arguments;
    if (!atomic_compare_exchange_strong(&ledger->wrong, &none, 1))
        return;
    va_start(arguments, format);
    vsnprintf(ledger->text, sizeof ledger->text, format, arguments);
    va_end(arguments);
}

static _Atomic uint8_t *note_of(struct ledger *ledger, uint32_t producer, uint32_t number) {
    return &ledger->notes[(size_t)producer * ledger->most + number];
}

static uint32_t sum_of(const struct message *message) {
    return (message->producer * 31 + message->number) * 2654435761u ^ message->size;
}

bool ledger_put(struct ledger *ledger, uint32_t producer, void *buffer, size_t size) {
    uint32_t number = atomic_load(&ledger->next[producer]);
    if (number == ledger->most)
        return false;
    struct message message = {producer, number, (uint32_t)size, 0};
    message.sum = sum_of(&message);
    memcpy(buffer, &message, sizeof message);
    memset((char *)buffer + sizeof message, (int)(message.sum & 0xff), size - sizeof message);
    atomic_fetch_or(note_of(ledger, producer, number), PUT);
    atomic_store(&ledger->next[producer], number + 1);
    return true;
}

void ledger_put_returned(struct ledger *ledger, const void *buffer, int result) {
    struct message message;
    memcpy(&message, buffer, sizeof message);
    atomic_fetch_or(note_of(ledger, message.producer, message.number), result == 0 ? RETURNED : REFUSED);
}

void ledger_ask(struct ledger *ledger, uint32_t receiver, uint32_t messages) {
    atomic_store(&ledger->holding[receiver], messages);
}

static bool is_whole(const void *buffer, size_t size, struct message *message) {
    if (size < sizeof *message)
        return false;
    memcpy(message, buffer, sizeof *message);
    for (size_t i = sizeof *message; i < size; i++)
        if (((const unsigned char *)buffer)[i] != (message->sum & 0xff))
            return false;
    return message->size == size && message->sum == sum_of(message) && message->producer < LEDGER_PRODUCERS;
}

void ledger_receive(struct ledger *ledger, uint32_t *last, const void *buffer, size_t size) {
    struct message message;
    if (!is_whole(buffer, size, &message) || message.number >= ledger->next[message.producer]) {
        fail(ledger, "a message of %zu bytes is torn", size);
        return;
    }
    uint8_t before = atomic_fetch_add(note_of(ledger, message.producer, message.number), RECEIVED);
    if (before >= RECEIVED)
        fail(ledger, "message %u of producer %u was received twice", message.number, message.producer);
    if (message.number + 1 <= last[message.producer])
        fail(ledger, "message %u of producer %u came after its %u", message.number, message.producer,
             last[message.producer] - 1);
    last[message.producer] = message.number + 1;
}

void ledger_asked(struct ledger *ledger, uint32_t receiver) {
    atomic_store(&ledger->holding[receiver], 0);
}

void ledger_bury(struct ledger *ledger, uint32_t receiver) {
    atomic_fetch_add(&ledger->doubts, atomic_exchange(&ledger->holding[receiver], 0));
}

const char *ledger_balance(struct ledger *ledger) {
    uint32_t missing = 0;
    for (uint32_t producer = 0; producer < LEDGER_PRODUCERS; producer++)
        for (uint32_t number = 0; number < ledger->next[producer]; number++) {
            uint8_t note = *note_of(ledger, producer, number);
            if ((note & REFUSED) != 0 && note >= RECEIVED)
                fail(ledger, "message %u of producer %u was received although put failed", number, producer);
            if ((note & RETURNED) == 0 || note >= RECEIVED)
                continue;
            if (++missing > ledger->doubts)
                fail(ledger, "message %u of producer %u is lost: %u are missing, and dead receivers had at most %u",
                     number, producer, missing, ledger->doubts);
        }
    return ledger->wrong != 0 ? ledger->text : NULL;
}
