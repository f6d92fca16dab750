/* numbers.c: between decimal text and float32: double arithmetic where it is sure, the C library where it is close. */
#include "numbers.h"

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beyond these the nearest float of digits * 10^exponent is 0 or infinity, whatever the up to 20 digits are. */
enum { SMALLEST = -65, LARGEST = 38 };

/* Every float, and every value halfway between two of them, has at most 113 significant digits. */
enum { SIGNIFICANT = 120 };

static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27,
                                1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40, 1e41,
                                1e42, 1e43, 1e44, 1e45, 1e46, 1e47, 1e48, 1e49, 1e50, 1e51, 1e52, 1e53, 1e54, 1e55,
                                1e56, 1e57, 1e58, 1e59, 1e60, 1e61, 1e62, 1e63, 1e64, 1e65};

static double scale(double value, int exponent) {
    return exponent < 0 ? value / POWERS[-exponent] : value * POWERS[exponent];
}

/*
 * The nearest float of digits * 10^exponent, if double arithmetic is sure of it: the digits, the power and the product
 * are each rounded once, by at most 2^-53 of their value, and the true value lies well within 2^-50 of what comes out.
 * Where both ends of that go to the same float, so does it.
 */
static bool convert(uint64_t digits, int64_t exponent, float *value) {
    if (digits == 0 || exponent < SMALLEST || exponent > LARGEST) {
        *value = digits > 0 && exponent > LARGEST ? INFINITY : 0;
        return true;
    }
    double product = scale((double)digits, (int)exponent);
    *value = (float)(product * (1 - 0x1p-50));
    return *value == (float)(product * (1 + 0x1p-50));
}

/* The same by the C library, of up to SIGNIFICANT + 1 digits. */
static float convert_exactly(const char *digits, size_t count, int64_t exponent) {
    char text[SIGNIFICANT + 32];
    int limited = exponent > 9999 ? 9999 : exponent < -9999 ? -9999 : (int)exponent;
    snprintf(text, sizeof text, "%.*se%d", (int)count, digits, limited);
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return strtof(text, NULL); /* no decimal point in it that a locale could mistake */
    float value = strtof_l(text, NULL, plain);
    freelocale(plain);
    return value;
}

/* ---- reading */

static bool digit(char character) {
    return character >= '0' && character <= '9';
}

/* What follows the 'e'. Clamped far beyond all that matters, even behind a million zeros. */
static int64_t read_exponent(const char *at, const char *end) {
    bool negative = at < end && *at == '-';
    int64_t exponent = 0;
    for (at += at < end && (*at == '-' || *at == '+'); at < end && digit(*at); at++)
        if (exponent < INT64_C(1000000000000))
            exponent = exponent * 10 + (*at - '0');
    return negative ? -exponent : exponent;
}

/* All the digits, but of more than SIGNIFICANT only those, and a 1 behind them if one of the others is not 0. */
static float read_exactly(const char *text, const char *end) {
    char digits[SIGNIFICANT + 1];
    size_t count = 0;
    int64_t exponent = 0;
    bool fraction = false, more = false;
    const char *at = text;
    for (; at < end && (digit(*at) || *at == '.'); at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        bool keep = count < SIGNIFICANT && (count > 0 || *at != '0');
        if (keep)
            digits[count++] = *at;
        else if (count > 0)
            more = more || *at != '0';
        exponent += (count > 0 && !keep) - fraction;
    }
    if (at < end && (*at == 'e' || *at == 'E'))
        exponent += read_exponent(at + 1, end);
    if (more) {
        digits[count++] = '1';
        exponent--;
    }
    return count > 0 ? convert_exactly(digits, count, exponent) : 0;
}

float number_read(const char *text, size_t size) {
    const char *end = text + size, *begin = text + (size > 0 && *text == '-'), *at = begin;
    /* As many digits as fit; for each of the others the number is ten times as large, or, in the fraction, not. */
    const uint64_t full = (UINT64_MAX - 9) / 10;
    uint64_t digits = 0;
    int64_t exponent = 0;
    for (; at < end && digit(*at); at++)
        if (digits <= full)
            digits = digits * 10 + (uint64_t)(*at - '0');
        else
            exponent++;
    if (at < end && *at == '.')
        for (at++; at < end && digit(*at); at++)
            if (digits <= full) {
                digits = digits * 10 + (uint64_t)(*at - '0');
                exponent--;
            }
    if (at < end && (*at == 'e' || *at == 'E'))
        exponent += read_exponent(at + 1, end);
    float value;
    if (!convert(digits, exponent, &value))
        value = read_exactly(begin, end);
    return begin > text ? -value : value;
}

/* ---- printing */

size_t number_print_whole(char *text, uint64_t value) {
    char reversed[NUMBER_TEXT];
    size_t size = 0;
    do
        reversed[size++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    for (size_t i = 0; i < size; i++)
        text[i] = reversed[size - 1 - i];
    return size;
}

static bool reads_back(uint64_t digits, int exponent, float value) {
    float back;
    if (!convert(digits, exponent, &back)) {
        char text[NUMBER_TEXT];
        back = convert_exactly(text, number_print_whole(text, digits), exponent);
    }
    return back == value;
}

/* A decimal number of `count` digits that reads back as the value, which has its first digit at 10^first; 0: none. */
static uint64_t shorten(float value, int first, int count) {
    double scaled = scale((double)value, count - 1 - first);
    uint64_t below = (uint64_t)scaled, nearest = below + (scaled - (double)below >= 0.5);
    int exponent = first - count + 1;
    if (reads_back(nearest, exponent, value))
        return nearest;
    /* Below a power of two floats lie closer: the other neighbour may be the one that is near enough. */
    uint64_t other = nearest == below ? below + 1 : below;
    return reads_back(other, exponent, value) ? other : 0;
}

/* Where the first digit of a positive float is: the largest exponent with 10^exponent <= value. */
static int first_digit(float value) {
    int binary;
    (void)frexpf(value, &binary);
    int first = (int)floor((binary - 1) * 0.30102999566398120);
    return scale((double)value, 8 - first) >= 1e9 ? first + 1 : first;
}

/* The fewest digits for a positive float, as a whole number that does not end in 0, and its exponent. */
static uint64_t fewest_digits(float value, int *exponent) {
    int first = first_digit(value), count = 7; /* where one has to look further in the fewest cases */
    uint64_t digits = shorten(value, first, count);
    while (digits == 0) /* 9 are always enough */
        digits = shorten(value, first, ++count);
    for (uint64_t fewer; count > 1 && count <= 7 && (fewer = shorten(value, first, count - 1)) > 0; count--)
        digits = fewer;
    *exponent = first - count + 1;
    for (; digits % 10 == 0; digits /= 10)
        ++*exponent;
    return digits;
}

static char *repeat_zero(char *at, int count) {
    for (; count > 0; count--)
        *at++ = '0';
    return at;
}

/* 123 and -1 become 12.3; 5 and -3 become 0.005; 5 and 3 become 5000; what would have many zeros, 5e-20 or 1.5e30. */
static size_t lay_out(char *text, uint64_t digits, int exponent) {
    char figures[NUMBER_TEXT], *at = text;
    int count = (int)number_print_whole(figures, digits), first = count - 1 + exponent;
    bool scientific = first < -5 || first > 9;
    int point = scientific ? 1 : first + 1; /* how many figures stand before it */
    int before = point < 0 ? 0 : point < count ? point : count;
    at = before > 0 ? mempcpy(at, figures, (size_t)before) : repeat_zero(at, 1);
    at = repeat_zero(at, point - count);
    if (before < count) {
        *at++ = '.';
        at = repeat_zero(at, -point);
        at = mempcpy(at, figures + before, (size_t)(count - before));
    }
    if (scientific) {
        *at++ = 'e';
        if (first < 0)
            *at++ = '-';
        at += number_print_whole(at, (uint64_t)(first < 0 ? -first : first));
    }
    return (size_t)(at - text);
}

static const char *word_for(float value) {
    if (isnan(value))
        return "nan";
    if (isinf(value))
        return value < 0 ? "-inf" : "inf";
    return value != 0 ? NULL : signbit(value) ? "-0.0" : "0";
}

size_t number_print(char text[NUMBER_TEXT], float value) {
    const char *word = word_for(value);
    if (word != NULL)
        return (size_t)((char *)mempcpy(text, word, strlen(word)) - text);
    bool negative = value < 0;
    if (negative)
        *text++ = '-';
    int exponent;
    uint64_t digits = fewest_digits(fabsf(value), &exponent);
    return (size_t)negative + lay_out(text, digits, exponent);
}
