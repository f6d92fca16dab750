/* serving_spoil.h: spoils a text a little, for readers that have to survive any. */
#ifndef ATELIER_TESTS_SERVING_SPOIL_H
#define ATELIER_TESTS_SERVING_SPOIL_H

#include <stddef.h>
#include <stdint.h>

#include "generator.h"

/* Changes some bytes of the text, or cuts it; the same for the same number. */
static inline size_t spoil(char *text, size_t length, uint64_t number) {
    struct generator generator = {.key = number};
    static const char LIKELY[] = "0123456789{}[]\",:\\\r\n -+.eE\0x";
    for (uint32_t changes = generator_below(&generator, 4); changes > 0; changes--)
        text[generator_below(&generator, (uint32_t)length)] = LIKELY[generator_below(&generator, sizeof LIKELY - 1)];
    return generator_below(&generator, 4) == 0 ? generator_below(&generator, (uint32_t)length + 1) : length;
}

#endif
