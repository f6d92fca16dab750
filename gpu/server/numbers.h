/* numbers.h: float32 numbers as text: read exactly rounded, printed with the fewest digits; no locale changes them. */
#ifndef GPU_NUMBERS_H
#define GPU_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* The longest text that number_print writes: "-1.17549435e-38" has 15 characters. */
enum { NUMBER_TEXT = 24 };

/*
 * The float that is nearest to a number in JSON's grammar (a token of json_next), ties to even, as strtof in the C
 * locale; what is too large becomes infinity, what is too small 0. Of any other text the value is arbitrary, and no
 * byte beyond its size is read.
 */
float number_read(const char *text, size_t size);

/*
 * Writes the number, without a NUL, and returns how many characters that are: with the fewest digits that number_read
 * makes the same float of, and of those texts the nearest one. JSON's grammar, "-0.0" for minus zero, which many
 * readers take for an integer without its point; but JSON has no word for "nan", "inf" and "-inf".
 */
size_t number_print(char text[NUMBER_TEXT], float value);

/* The same for whole numbers; it takes room for 20 characters. */
size_t number_print_whole(char *text, uint64_t value);

#endif
