/* digits.c: draws digits: strokes through points that a hand does not hit, on paper that lies askew. */
#include "digits.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "digits_font.h"
#include "generator.h"

/* Where a point of the font falls on the paper, in pixels. */
struct place {
    float x, y;
};

/* What all strokes of a picture have in common. */
struct hand {
    float xx, xy, yx, yy;     /* the font's axes on the paper */
    float middle_x, middle_y; /* where the font's middle falls */
    float slip;               /* how far points are missed, in the font's units */
    float radius;             /* of the pen, in pixels */
};

/* The middle of two random numbers: more often near the middle of the range, as what people do is. */
static float about(struct generator *generator, float low, float high) {
    return (generator_between(generator, low, high) + generator_between(generator, low, high)) / 2;
}

static struct hand take_up(struct generator *generator) {
    float angle = about(generator, -0.5F, 0.5F), shear = about(generator, -0.7F, 0.7F);
    float height = about(generator, 14, 23), width = height * about(generator, 0.5F, 1.15F);
    struct hand hand = {.slip = generator_between(generator, 1, 8), .radius = about(generator, 0.6F, 1.9F)};
    hand.xx = cosf(angle) * width;
    hand.xy = sinf(angle) * width;
    hand.yx = -sinf(angle) * height + hand.xx * shear;
    hand.yy = cosf(angle) * height + hand.xy * shear;
    hand.middle_x = DIGIT_SIDE / 2.0F + about(generator, -4, 4);
    hand.middle_y = DIGIT_SIDE / 2.0F + about(generator, -4, 4);
    return hand;
}

static struct place place_of(const struct hand *hand, struct point point, struct generator *generator) {
    float x = ((float)point.x + about(generator, -hand->slip, hand->slip) * 2 - 50) / 100;
    float y = ((float)point.y + about(generator, -hand->slip, hand->slip) * 2 - 50) / 100;
    return (struct place){hand->middle_x + hand->xx * x + hand->yx * y, hand->middle_y + hand->xy * x + hand->yy * y};
}

/* How far a point is from the line between two others. */
static float distance(struct place point, struct place from, struct place to) {
    float along_x = to.x - from.x, along_y = to.y - from.y, x = point.x - from.x, y = point.y - from.y;
    float length = along_x * along_x + along_y * along_y;
    float part = length > 0 ? (x * along_x + y * along_y) / length : 0;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    x -= part * along_x;
    y -= part * along_y;
    return sqrtf(x * x + y * y);
}

/* The first and the last pixel that a line from a to b may touch; none if first is above last. */
static void pixels_between(float a, float b, float radius, int *first, int *last) {
    float low = fminf(a, b) - radius - 1, high = fmaxf(a, b) + radius + 1;
    *first = low < 0 ? 0 : low > DIGIT_SIDE ? DIGIT_SIDE : (int)low;
    *last = high < 0 ? -1 : high > DIGIT_SIDE - 1 ? DIGIT_SIDE - 1 : (int)high;
}

/* Ink is no darker where the pen passes twice. At the edge a pixel is as dark as the part of it that is covered. */
static void draw_line(float ink[DIGIT_PIXELS], struct place from, struct place to, float radius) {
    int left, right, top, bottom;
    pixels_between(from.x, to.x, radius, &left, &right);
    pixels_between(from.y, to.y, radius, &top, &bottom);
    for (int y = top; y <= bottom; y++) {
        for (int x = left; x <= right; x++) {
            float *pixel = &ink[y * DIGIT_SIDE + x];
            struct place middle = {(float)x + 0.5F, (float)y + 0.5F};
            float cover = radius + 0.5F - distance(middle, from, to);
            *pixel = fmaxf(*pixel, fminf(cover, 1));
        }
    }
}

/* The curve of Catmull and Rom: through b and c, on its way from a to d. */
static float curve(float a, float b, float c, float d, float t) {
    return b + 0.5F * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

static void draw_stroke(float ink[DIGIT_PIXELS], const struct place *places, size_t count, float radius) {
    enum { STEPS = 5 };
    for (size_t i = 0; i + 1 < count; i++) {
        struct place b = places[i], c = places[i + 1], from = b;
        struct place a = i > 0 ? places[i - 1] : b, d = i + 2 < count ? places[i + 2] : c;
        for (int step = 1; step <= STEPS; step++) {
            float t = (float)step / STEPS;
            struct place to = {curve(a.x, b.x, c.x, d.x, t), curve(a.y, b.y, c.y, d.y, t)};
            draw_line(ink, from, to, radius);
            from = to;
        }
    }
}

static void draw_glyph(float ink[DIGIT_PIXELS], const struct glyph *glyph, const struct hand *hand,
                       struct generator *generator) {
    struct place places[FONT_POINTS];
    size_t count = 0;
    for (const struct point *point = glyph->points;; point++) {
        if (point->x >= 0) {
            places[count++] = place_of(hand, *point, generator);
            continue;
        }
        draw_stroke(ink, places, count, hand->radius);
        count = 0;
        if (point->x == END_X)
            return;
    }
}

/* Ink and paper differ from sheet to sheet, and each pixel is seen with an error. */
static void scan(const float ink[DIGIT_PIXELS], struct generator *generator, uint8_t pixels[DIGIT_PIXELS]) {
    float strength = generator_between(generator, 0.5F, 1), noise = generator_between(generator, 0, 0.3F);
    for (size_t i = 0; i < DIGIT_PIXELS; i++) {
        float seen = ink[i] * strength + about(generator, -noise, noise);
        pixels[i] = (uint8_t)(fminf(fmaxf(seen, 0), 1) * 255 + 0.5F);
    }
}

void digits_draw(uint64_t seed, uint64_t index, uint8_t pixels[DIGIT_PIXELS], uint8_t *label) {
    struct generator generator = {.key = generator_bits(generator_bits(seed, 0), index)};
    float ink[DIGIT_PIXELS] = {0};
    size_t count;
    *label = (uint8_t)generator_below(&generator, DIGIT_LABELS);
    const struct glyph *glyphs = font_glyphs(*label, &count);
    struct hand hand = take_up(&generator);
    draw_glyph(ink, &glyphs[generator_below(&generator, (uint32_t)count)], &hand, &generator);
    scan(ink, &generator, pixels);
}
