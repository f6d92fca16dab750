/* pours.c: many bytes from a child, and through one in both directions: ours, and a bare loop of poll and read. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "atelier.h"
#include "bytes.h"
#include "console.h"
#include "measure.h"
#include "spawns.h"
#include "subjects.h"

static size_t wanted;
static char wanted_text[24];

/* What goes in, and where the floor puts what comes out: made, and touched, before the time counts. */
static unsigned char *input, *output;

void pours_ready(size_t bytes) {
    wanted = bytes;
    snprintf(wanted_text, sizeof wanted_text, "%zu", bytes);
}

static unsigned char *touched(void) {
    unsigned char *memory = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    bytes_fill(memory, wanted);
    return memory;
}

bool plan_bytes(void) {
    enum { COPIES = 10 }; /* of ours, the floor's, and each peer's, that may be there at once */
    if (available_memory() < COPIES * (double)wanted) {
        note("bench: %zu MiB through pipes: left out: less than %zu MiB of memory are free", wanted >> 20,
             COPIES * wanted >> 20);
        return false;
    }
    input = touched();
    output = touched();
    if (input == NULL || output == NULL)
        note("bench: %zu MiB through pipes: left out: mmap: %s", wanted >> 20, strerror(errno));
    return input != NULL && output != NULL;
}

void forget_bytes(void) {
    munmap(input, wanted);
    munmap(output, wanted);
    input = output = NULL;
}

static void must_be_right(const char *who, int status, const void *data, size_t size) {
    if (interrupted())
        return;
    if (status != 0)
        wrong_result("%s: the child ended with %d", who, status);
    if (size != wanted || !bytes_are_right(data, size, input))
        wrong_result("%s: %zu bytes came of %zu, or not these", who, size, wanted);
}

size_t capture_ours(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count && !interrupted(); i++) {
        at_completed done;
        uint64_t start = now_ns();
        int code = at_run(AT_ARGS(pour_path, wanted_text), .stdout = AT_PIPE, .completed = &done);
        samples[i] = (struct observation){.ns = (double)(now_ns() - start)};
        if (code != 0 && !interrupted())
            wrong_result("at_run: %s", done.failure.text);
        must_be_right("at_run", done.returncode, done.stdout, done.stdout_size);
        at_completed_free(&done);
    }
    return interrupted() ? 0 : count;
}

size_t communicate_ours(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count && !interrupted(); i++) {
        at_popen *cat;
        at_output out = {.size = 0};
        int status = -1;
        uint64_t start = now_ns();
        at_check(at_popen_new(&cat, AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE));
        int code = at_popen_communicate(cat, at_bytes(input, wanted), AT_FOREVER, &out, NULL);
        samples[i] = (struct observation){.ns = (double)(now_ns() - start)};
        if (code == 0)
            code = at_popen_poll(cat, &status);
        if (code != 0 && !interrupted())
            wrong_result("at_popen_communicate: %s", at_strerror(code));
        must_be_right("at_popen_communicate", status, out.data, out.size);
        at_popen_free(cat);
    }
    return interrupted() ? 0 : count;
}

/* Reads into one buffer again and again, so that only the last of the bytes can be looked at. */
size_t capture_floor(struct observation *samples, size_t count) {
    enum { AT_ONCE = 1 << 20 };
    for (size_t i = 0; i < count && !interrupted(); i++) {
        int out[2];
        size_t size = 0;
        ssize_t got, last = 0;
        uint64_t start = now_ns();
        bare_pipe(out, true);
        pid_t pid = bare_start_connected(AT_ARGS(pour_path, wanted_text), NULL, out, NULL);
        while ((got = read(out[0], output, AT_ONCE)) > 0) {
            size += (size_t)got;
            last = got;
        }
        int status = bare_end(pid);
        samples[i] = (struct observation){.ns = (double)(now_ns() - start)};
        close(out[0]);
        if ((status != 0 || size != wanted || memcmp(output, input + wanted - last, (size_t)last) != 0) &&
            !interrupted())
            wrong_result("read: %zu bytes came of %zu, or not these; status %d", size, wanted, status);
    }
    return interrupted() ? 0 : count;
}

static bool goes_on(ssize_t moved) {
    return moved > 0 || (moved < 0 && (errno == EAGAIN || errno == EINTR) && !interrupted());
}

/* Writes when there is room, reads when there is something, into memory that is there: how much came. */
static size_t write_and_read(int in, int out) {
    size_t written = 0, size = 0;
    struct pollfd ends[] = {{.fd = out, .events = POLLIN}, {.fd = in, .events = POLLOUT}};
    fcntl(in, F_SETFL, O_NONBLOCK);
    fcntl(out, F_SETFL, O_NONBLOCK);
    for (;;) {
        if (poll(ends, 2, -1) < 0 && (errno != EINTR || interrupted()))
            return size;
        if (ends[1].fd >= 0 && ends[1].revents != 0) {
            ssize_t moved = write(in, input + written, wanted - written);
            written += moved > 0 ? (size_t)moved : 0;
            if (written == wanted || !goes_on(moved)) {
                close(in);
                ends[1].fd = -1;
            }
        }
        if (ends[0].revents != 0) {
            char more;
            ssize_t moved = size < wanted ? read(out, output + size, wanted - size) : read(out, &more, 1);
            size += moved > 0 ? (size_t)moved : 0;
            if (!goes_on(moved))
                return size;
        }
    }
}

size_t communicate_floor(struct observation *samples, size_t count) {
    for (size_t i = 0; i < count && !interrupted(); i++) {
        int in[2], out[2];
        memset(output, 0, wanted);
        uint64_t start = now_ns();
        bare_pipe(in, true);
        bare_pipe(out, true);
        pid_t pid = bare_start_connected(AT_ARGS("cat"), in, out, NULL);
        size_t size = write_and_read(in[1], out[0]);
        int status = bare_end(pid);
        samples[i] = (struct observation){.ns = (double)(now_ns() - start)};
        close(out[0]);
        must_be_right("poll", status, output, size);
    }
    return interrupted() ? 0 : count;
}
