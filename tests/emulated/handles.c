/* handles.c: streams, events and graphs by handles that are never used again, so that a wrong one is always noticed. */
#include <stdlib.h>

#include "card.h"

enum { HANDLE_SIZE = 128, CHUNK = 256, CHUNKS_MOST = 4096 };

static unsigned char *chunks[CHUNKS_MOST]; /* of so many handles each */
static size_t made;

static const char *const KINDS[] = {"", "stream", "event", "graph", "executable graph"};
static const enum held HOLDS[] = {0, HELD_STREAMS, HELD_EVENTS, HELD_GRAPHS, HELD_GRAPHS};

static struct handle *handle_at(size_t number) {
    return (struct handle *)(void *)(chunks[number / CHUNK] + number % CHUNK * HANDLE_SIZE);
}

void *handle_make(enum handle_kind kind, size_t size) {
    if (made == (size_t)CHUNK * CHUNKS_MOST || size > HANDLE_SIZE)
        card_abort("more handles than this card has numbers for");
    if (made % CHUNK == 0 && (chunks[made / CHUNK] = calloc(CHUNK, HANDLE_SIZE)) == NULL)
        card_abort("out of memory");
    struct handle *handle = handle_at(made);
    *handle = (struct handle){.kind = kind, .alive = true, .device = card_now(), .number = made++};
    hold(HOLDS[kind], 1);
    return handle;
}

static bool is_handle(const void *address) {
    for (size_t i = 0; i * CHUNK < made; i++) {
        size_t offset = (size_t)((uintptr_t)address - (uintptr_t)chunks[i]);
        if ((uintptr_t)address >= (uintptr_t)chunks[i] && offset < (size_t)CHUNK * HANDLE_SIZE)
            return offset % HANDLE_SIZE == 0 && i * CHUNK + offset / HANDLE_SIZE < made;
    }
    return false;
}

void handle_check(const void *address, enum handle_kind kind) {
    const struct handle *handle = address;
    if (!is_handle(address))
        card_abort("%p is no %s, and was never one", address, KINDS[kind]);
    if (handle->kind != kind)
        card_abort("%p is not a%s %s but a %s", address, kind == HANDLE_EVENT || kind == HANDLE_EXECUTABLE ? "n" : "",
                   KINDS[kind], KINDS[handle->kind]);
    if (!handle->alive)
        card_abort("a %s is used that was destroyed before", KINDS[kind]);
}

void handle_destroy(void *address) {
    struct handle *handle = address;
    handle->alive = false;
    hold(HOLDS[handle->kind], -1);
}

void *handle_next(enum handle_kind kind, const void *after) {
    const struct handle *before = after;
    for (size_t next = before == NULL ? 0 : before->number + 1; next < made; next++) {
        struct handle *handle = handle_at(next);
        if (handle->alive && handle->kind == kind)
            return handle;
    }
    return NULL;
}
