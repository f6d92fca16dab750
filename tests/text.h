/* text.h: what the suites about text share: bytes that a child writes, and what is made of them. */
#ifndef ATELIER_TESTS_TEXT_H
#define ATELIER_TESTS_TEXT_H

#include <sys/mman.h>

#include "outcomes.h"

static at_completed done;

/* Bytes with their size, NULs and all. */
struct bytes {
    const char *data;
    size_t size;
};
#define SIZED(literal)                                                                                                 \
    { literal, sizeof(literal) - 1 }
#define BYTES(literal) ((struct bytes)SIZED(literal))

/* A file in memory with these bytes, to be read from its beginning. */
static inline int file_of(struct bytes bytes) {
    int file = memfd_create("bytes", MFD_CLOEXEC);
    require(file >= 0 && write(file, bytes.data, bytes.size) == (ssize_t)bytes.size && lseek(file, 0, SEEK_SET) == 0);
    return file;
}

/* The child writes these bytes; what is made of them is in `done`. */
static inline int decode(struct bytes bytes, const char *encoding, const char *errors) {
    int file = file_of(bytes);
    int result = ran(AT_ARGS("cat"), .stdin = at_descriptor(file), .stdout = AT_PIPE, .text = true,
                     .encoding = encoding, .errors = errors);
    close(file);
    return result;
}

static inline void expect_decoded(struct bytes bytes, const char *encoding, const char *errors, struct bytes text) {
    ok(decode(bytes, encoding, errors));
    expect_bytes(done.stdout, done.stdout_size, text.data, text.size);
    at_completed_free(&done);
}

/* What is no text is an error, and is handed out as it was written; the error says which byte it is. */
static inline void expect_no_text(struct bytes bytes, const char *encoding, const char *errors, int bad) {
    char place[32];
    snprintf(place, sizeof place, "byte %d of stdout", bad);
    require(decode(bytes, encoding, errors) == -EILSEQ);
    require(done.failure.code == -EILSEQ && done.failure.stage == AT_STAGE_OUTPUT && done.returncode == 0);
    expect_word(done.failure.text, place);
    expect_bytes(done.stdout, done.stdout_size, bytes.data, bytes.size);
    at_completed_free(&done);
}

struct damage {
    struct bytes bytes, replaced, ignored;
    int bad; /* where the first byte is that is no text */
};

static inline void expect_damage(const char *encoding, const struct damage *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        expect_no_text(cases[i].bytes, encoding, "strict", cases[i].bad);
        expect_no_text(cases[i].bytes, encoding, NULL, cases[i].bad);
        expect_decoded(cases[i].bytes, encoding, "replace", cases[i].replaced);
        expect_decoded(cases[i].bytes, encoding, "ignore", cases[i].ignored);
    }
}

#define DAMAGE(bytes, replaced, ignored, bad)                                                                          \
    { SIZED(bytes), SIZED(replaced), SIZED(ignored), bad }
#define R "\uFFFD"

#endif
