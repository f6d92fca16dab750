/* test_serving_numbers.c: floats as text: exactly rounded, shortest, back to the same bits, and in no locale's way. */
#include <fenv.h>
#include <float.h>
#include <locale.h>
#include <math.h>

#include "numbers.h"
#include "watch.h"

static uint64_t state = 88172645463325252;

static uint64_t random_bits(void) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* From memory of exactly this size, for a sanitizer to see what is read beyond. */
static float read_text(const char *text, size_t size) {
    char *exact = malloc(size > 0 ? size : 1);
    require(exact != NULL);
    memcpy(exact, text, size);
    float value = number_read(exact, size);
    free(exact);
    return value;
}

static void expect_as_strtof(const char *text) {
    float read = read_text(text, strlen(text)), expected = strtof(text, NULL);
    if (bits_of(read) != bits_of(expected))
        ck_abort_msg("%.200s is read as %a, not as %a", text, (double)read, (double)expected);
}

static const char *printed(float value) {
    static char text[NUMBER_TEXT + 1];
    memset(text, '#', sizeof text);
    size_t size = number_print(text, value);
    require(size < NUMBER_TEXT && text[size] == '#');
    text[size] = '\0';
    return text;
}

START_TEST(hard_texts_are_read_as_the_c_library_reads_them) {
    static const char *const TEXTS[] = {
        "0",
        "-0",
        "0.0",
        "1",
        "-1",
        "10",
        "0.1",
        "0.3",
        "1e0",
        "1E5",
        "1e+5",
        "1e-5",
        "123456789",
        "16777216",
        "16777217",
        "16777218",
        "16777219",
        "16777217.0000000000000000000000000000001",
        "16777216.9999999999999999999999999999999",
        "33554434.5",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999999999",
        "1.8521564417127638e31",
        "2.2250738585072014e-308",
        "4.9e-324",
        "1.7976931348623157e308",
        "3.4028234663852886e38",
        "3.4028235677973366e38",
        "340282356779733661637539395458142568447",
        "340282356779733661637539395458142568448",
        "340282356779733661637539395458142568449",
        "340282346638528859811704183484516925440",
        "3.4028236e38",
        "1e38",
        "1e39",
        "1e400",
        "-1e400",
        "1e-400",
        "-1e-400",
        "1e999999999999999999999",
        "1e-999999999999999999999",
        "0e999999999999999999999",
        "0.000e-99999999999999999",
        "1.1754943508222875e-38",
        "1.1754942807573643e-38",
        "1.17549429e-38",
        "1.1754943157898258e-38",
        "1.40129846e-45",
        "7.0064923216240853546186479164495806564e-46",
        "7.00649232162408535461864791644958065640130970938257885878534141944895541342930300743319094181060791015625e-"
        "46",
        "7.00649232162408535461864791644958065640130970938257885878534141944895541342930300743319094181060791015624e-"
        "46",
        "7.00649232162408535461864791644958065640130970938257885878534141944895541342930300743319094181060791015626e-"
        "46",
        "7e-46",
        "2.1e-45",
        "0.00000000000000000000000000000000000000000000123",
        "1234567890123456789012345678901234567890",
        "0.1234567890123456789012345678901234567890123456789012345678901234567890",
        "5e-324",
        "8.5e-40",
        "1.5e-45",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        expect_as_strtof(TEXTS[i]);
}
END_TEST

START_TEST(random_texts_are_read_as_the_c_library_reads_them) {
    char text[128];
    for (int i = 0; i < 50000; i++) {
        unsigned digits = 1 + (unsigned)(random_bits() % 30), point = (unsigned)(random_bits() % digits), size = 0;
        text[size++] = random_bits() % 2 ? '-' : '0';
        for (unsigned j = 0; j < digits; j++) {
            text[size++] = (char)('0' + random_bits() % 10);
            if (j == point)
                text[size++] = '.';
        }
        snprintf(text + size, sizeof text - size, "0e%d", (int)(random_bits() % 110) - 60);
        expect_as_strtof(text);
    }
}
END_TEST

/* The value halfway between two floats is a double; with 150 digits its text is exact. */
START_TEST(what_lies_halfway_goes_to_the_even_one_and_what_is_beside_it_does_not) {
    char text[256];
    for (int i = 0; i < 5000; i++) {
        uint32_t bits = (uint32_t)random_bits() & 0x7fffffff;
        if (bits >= bits_of(INFINITY) - 1)
            continue;
        double halfway = ((double)of_bits(bits) + (double)of_bits(bits + 1)) / 2;
        int size = snprintf(text, sizeof text, "%.150e", halfway);
        expect_as_strtof(text);
        char *last = strchr(text, 'e') - 1;
        require(*last == '0' && size > 0);
        *last = '1';
        expect_as_strtof(text);
        require(bits_of(read_text(text, strlen(text))) == bits + 1);
        snprintf(text, sizeof text, "%.17g", halfway);
        expect_as_strtof(text);
    }
}
END_TEST

START_TEST(numbers_of_any_length_are_read) {
    enum { LENGTH = 4000 };
    static char text[LENGTH + 32];
    memset(text, '0', LENGTH);
    text[1] = '.';
    strcpy(text + LENGTH, "1e3998"); /* 0.000...01 with 3998 zeros before the 1, and then 0.1 */
    expect_as_strtof(text);
    memset(text, '9', LENGTH);
    strcpy(text + LENGTH, "e-4000");
    expect_as_strtof(text);
    memcpy(text, "16777217.", 9); /* halfway, but for a digit far behind */
    memset(text + 9, '0', LENGTH - 9);
    strcpy(text + LENGTH, "1");
    expect_as_strtof(text);
    require(read_text(text, LENGTH) == 16777216 && read_text(text, LENGTH + 1) == 16777218);
}
END_TEST

START_TEST(what_is_no_number_does_no_harm) {
    static const char *const TEXTS[] = {"", "-", ".", "e", "-.e-", "1e", "1e-", "x", "--1", "1.2.3", "nan", "\xff"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        read_text(TEXTS[i], strlen(TEXTS[i]));
    require(read_text("12345", 2) == 12);
    require(read_text("1e30", 3) == 1000);
}
END_TEST

static void expect_back(float value) {
    const char *text = printed(value);
    float back = read_text(text, strlen(text)), library = strtof(text, NULL);
    if (bits_of(back) != bits_of(value) || bits_of(library) != bits_of(value))
        ck_abort_msg("%a is printed as %s, which is read as %a, by the C library as %a", (double)value, text,
                     (double)back, (double)library);
}

START_TEST(all_floats_come_back) {
    for (int i = 0; i < 100000; i++) {
        float value = of_bits((uint32_t)random_bits());
        if (isfinite(value))
            expect_back(value);
    }
    for (uint32_t exponent = 0; exponent < 255; exponent++)
        for (uint32_t i = 0; i < 5; i++)
            expect_back(of_bits((exponent << 23) + i - (exponent > 0 ? 2u : 0u)));
    for (int i = 0; i < 20000; i++)
        expect_back((float)(random_bits() % 100000) / 1000.f);
}
END_TEST

static int count_digits(const char *text) {
    int count = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && (count > 0 || *text != '0')) {
            count++;
            zeros = *text == '0' ? zeros + 1 : 0;
        }
    return count - zeros;
}

/* Of the decimals with so many digits, the two on both sides of a float are not read as it. */
static void expect_none_shorter(float value, int digits, const char *text) {
    for (int side = 0; side < 2 && digits > 0; side++) {
        char shorter[64];
        fesetround(side == 0 ? FE_DOWNWARD : FE_UPWARD);
        snprintf(shorter, sizeof shorter, "%.*e", digits - 1, (double)value);
        fesetround(FE_TONEAREST);
        if (strtof(shorter, NULL) == value)
            ck_abort_msg("%a is printed as %s, and %s would do", (double)value, text, shorter);
    }
}

/* The C library's texts with one digit more each time: the first that comes back is never shorter than ours. */
static void expect_shortest(float value) {
    const char *text = printed(value);
    char longer[64];
    int digits = 1;
    for (;; digits++) {
        snprintf(longer, sizeof longer, "%.*e", digits - 1, (double)value);
        if (strtof(longer, NULL) == value)
            break;
    }
    if (count_digits(text) > digits)
        ck_abort_msg("%a is printed as %s, and %s would do", (double)value, text, longer);
    expect_none_shorter(value, count_digits(text) - 1, text);
    if (count_digits(text) == count_digits(longer)) /* and then it is as near as can be */
        ck_assert_double_le(fabs(strtod(text, NULL) - (double)value),
                            fabs(strtod(longer, NULL) - (double)value) * (1 + 1e-6));
}

START_TEST(as_few_digits_are_printed_as_can_be) {
    for (int i = 0; i < 10000; i++) {
        float value = of_bits((uint32_t)random_bits());
        if (isfinite(value) && value != 0)
            expect_shortest(value);
    }
    for (uint32_t exponent = 1; exponent < 255; exponent++)
        expect_shortest(of_bits(exponent << 23));
    for (uint32_t bits = 1; bits < 1000; bits++)
        expect_shortest(of_bits(bits));
    for (int exponent = -45; exponent <= 38; exponent++)
        expect_shortest((float)pow(10, exponent));
}
END_TEST

START_TEST(texts_look_as_one_writes_them) {
    static const struct {
        float value;
        const char *text;
    } CASES[] = {
        {0.f, "0"},
        {-0.f, "-0.0"},
        {1.f, "1"},
        {-1.f, "-1"},
        {0.5f, "0.5"},
        {0.1f, "0.1"},
        {-0.25f, "-0.25"},
        {12.5f, "12.5"},
        {100.f, "100"},
        {1e9f, "1000000000"},
        {1e10f, "1e10"},
        {123456.f, "123456"},
        {1e-5f, "0.00001"},
        {1.5e-5f, "0.000015"},
        {1e-6f, "1e-6"},
        {-1.5e-7f, "-1.5e-7"},
        {16777216.f, "16777216"},
        {FLT_MAX, "3.4028235e38"},
        {-FLT_MAX, "-3.4028235e38"},
        {FLT_MIN, "1.1754944e-38"},
        {FLT_TRUE_MIN, "1e-45"},
        {0.333333343f, "0.33333334"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
        {-NAN, "nan"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        ck_assert_str_eq(printed(CASES[i].value), CASES[i].text);
}
END_TEST

START_TEST(whole_numbers_are_printed) {
    static const uint64_t VALUES[] = {0, 1, 9, 10, 1234567890, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        char text[NUMBER_TEXT], expected[NUMBER_TEXT];
        int size = snprintf(expected, sizeof expected, "%llu", (unsigned long long)VALUES[i]);
        ck_assert_uint_eq(number_print_whole(text, VALUES[i]), (size_t)size);
        ck_assert_mem_eq(text, expected, (size_t)size);
    }
}
END_TEST

START_TEST(a_locale_with_decimal_commas_changes_nothing) {
    static const char *const NAMES[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE",
                                        "fr_FR.UTF-8", "fr_FR.utf8", "da_DK.UTF-8"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES && found == NULL; i++)
        found = setlocale(LC_ALL, NAMES[i]);
    if (found == NULL || strcmp(localeconv()->decimal_point, ",") != 0)
        skip("no locale with decimal commas is installed");
    ck_assert_str_eq(printed(0.5f), "0.5");
    ck_assert_str_eq(printed(1.5e30f), "1.5e30");
    require(read_text("0.25", 4) == 0.25f);
    const char *halfway = "16777217.0000000000000000000000000000001", *small = "8.5e-40"; /* both the C library's */
    require(read_text(halfway, strlen(halfway)) == 16777218 && read_text(small, strlen(small)) == 8.5e-40f);
}
END_TEST

SUITE("serving_numbers", hard_texts_are_read_as_the_c_library_reads_them,
      random_texts_are_read_as_the_c_library_reads_them,
      what_lies_halfway_goes_to_the_even_one_and_what_is_beside_it_does_not, numbers_of_any_length_are_read,
      what_is_no_number_does_no_harm, all_floats_come_back, as_few_digits_are_printed_as_can_be,
      texts_look_as_one_writes_them, whole_numbers_are_printed, a_locale_with_decimal_commas_changes_nothing)
