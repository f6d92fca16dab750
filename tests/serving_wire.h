/* serving_wire.h: a client that says to a server, byte by byte, what a test wants, and hears what comes back. */
#ifndef ATELIER_TESTS_SERVING_WIRE_H
#define ATELIER_TESTS_SERVING_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One connection. Nothing here waits longer than 20 s; then, as where something cannot be done, the test fails. */
struct caller {
    int socket;
    size_t size; /* of what has been heard and not yet been taken */
    char *heard;
};

struct caller call(uint16_t port); /* 127.0.0.1 */
void hang_up(struct caller *caller);
bool somebody_listens(uint16_t port);

/* Says a text, or bytes. Returns false when the server does not listen any more. */
bool say(struct caller *caller, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool say_bytes(struct caller *caller, const void *bytes, size_t size);

/* "POST PATH HTTP/1.1", Host, and these header lines, each ended by \r\n; and the body, whose length is said. */
bool post(struct caller *caller, const char *path, const char *headers, const void *body, size_t size);
/* "GET PATH HTTP/1.1" and Host. */
bool get(struct caller *caller, const char *path);

struct heard {
    int status;
    char *head;  /* the status line and the headers, up to the empty line */
    char *body;  /* a 0 follows it */
    size_t size; /* of the body */
};

/* The next answer, whole; its predecessor's memory is used again by `caller`. heard_free gives it back. */
struct heard hear(struct caller *caller);
/* The same of an answer to HEAD, which has no body whatever it says. */
struct heard hear_head(struct caller *caller);
void heard_free(struct heard *heard);

/* Waits for an answer of this status, and forgets it. */
void hear_status(struct caller *caller, int status);

/* A header's value, into 256 bytes that the next call uses again; NULL: it has no such header. */
const char *heard_header(const struct heard *heard, const char *name);

/* Nothing more comes: the server has closed the connection. */
void hear_end(struct caller *caller);

/* Asks, waits for the answer, and fails unless it has this status. For tests that want one answer on one connection. */
struct heard ask(uint16_t port, const char *method, const char *path, const char *headers, const void *body,
                 size_t size);
void ask_status(uint16_t port, const char *request, int status);

#endif
