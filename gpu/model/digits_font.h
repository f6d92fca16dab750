/* digits_font.h: the ways in which digits are written, as the points that the pen goes through. */
#ifndef GPU_DIGITS_FONT_H
#define GPU_DIGITS_FONT_H

#include <stddef.h>
#include <stdint.h>

/* x from the left and y from the top, 0 to 100 in each; where LIFT stands, the pen is lifted, or turns sharply. */
struct point {
    int8_t x, y;
};

enum { FONT_POINTS = 20, LIFT_X = -1, END_X = -2 };

struct glyph {
    struct point points[FONT_POINTS]; /* the last one is END */
};

/* The ways to write this digit. */
const struct glyph *font_glyphs(uint8_t digit, size_t *count);

#endif
