/* digits.h: digits as a hand would write them, drawn from a seed: what the project learns from, having no others. */
#ifndef GPU_DIGITS_H
#define GPU_DIGITS_H

#include <stdint.h>

enum { DIGIT_SIDE = 28, DIGIT_PIXELS = DIGIT_SIDE * DIGIT_SIDE, DIGIT_LABELS = 10 };

/*
 * Draws digit `index` of `seed`, row by row from the top, 0 the paper and 255 the ink, as MNIST's, and stores which
 * digit it is. The same numbers draw the same picture, whatever was drawn before; all ten are equally likely.
 */
void digits_draw(uint64_t seed, uint64_t index, uint8_t pixels[DIGIT_PIXELS], uint8_t *label);

#endif
