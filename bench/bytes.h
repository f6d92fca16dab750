/* bytes.h: bytes to send through pipes, of which none can be lost, doubled, or moved by a round number unseen. */
#ifndef BENCH_BYTES_H
#define BENCH_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "busy.h"

/* After so many they repeat themselves: a prime, so that no two pages or buffers of a round size are alike. */
enum { BYTES_PERIOD = 65537 };

/* Fills the memory with them, from the first one on. */
static inline void bytes_fill(unsigned char *memory, size_t size) {
    for (uint32_t i = 0; i < size && i < BYTES_PERIOD; i++)
        memory[i] = (unsigned char)(busy(i, 3) >> 24);
    for (size_t done = BYTES_PERIOD; done < size;) {
        size_t part = size - done < done ? size - done : done; /* twice as many periods each time */
        memcpy(memory + done, memory, part);
        done += part;
    }
}

/* Whether these are the bytes, so many of them; `period` holds the first BYTES_PERIOD. */
static inline bool bytes_are_right(const unsigned char *memory, size_t size, const unsigned char *period) {
    for (size_t done = 0; done < size; done += BYTES_PERIOD)
        if (memcmp(memory + done, period, size - done < BYTES_PERIOD ? size - done : BYTES_PERIOD) != 0)
            return false;
    return true;
}

#endif
