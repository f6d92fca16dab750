/* test_bench_verdict.c: whether a row of two runs got slower beyond the noise, on made numbers. */
#include <math.h>

#include "verdict.h"
#include "watch.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

/* So many samples around a median, whose interval is so wide, as a part of it. */
static struct spread around(double median, double width, size_t count) {
    return (struct spread){
        .count = count, .median = median, .low = median * (1 - width / 2), .high = median * (1 + width / 2)};
}

static struct row row_of(double median, double width, size_t count) {
    return (struct row){.key = "made/ours", .role = "ours", .ns = around(median, width, count)};
}

static struct row with_ratio(struct row row, double ratio, double width, size_t count) {
    row.ratios = around(ratio, width, count);
    return row;
}

static void expect(const struct row *old, const struct row *new, bool same_machine, enum verdict wanted) {
    struct judgement judgement = judge(old, new, same_machine);
    ck_assert_msg(judgement.verdict == wanted, "%s (%s), not %s", verdict_names[judgement.verdict],
                  judgement.why != NULL ? judgement.why : "-", verdict_names[wanted]);
    ck_assert((judgement.why != NULL) == (wanted == NOT_JUDGED));
}

START_TEST(row_is_slower_beyond_5_percent_and_beyond_the_noise) {
    static const struct {
        double old, old_width, new, new_width;
        enum verdict verdict;
    } CASES[] = {
        {100, 0.02, 100, 0.02, SAME},      {100, 0.02, 104.9, 0.001, SAME}, {100, 0.02, 105.1, 0.02, SLOWER},
        {100, 0.02, 200, 0.02, SLOWER},    {100, 0.08, 106, 0.08, SAME}, /* the intervals overlap */
        {100, 0.02, 95.1, 0.02, FASTER},   {100, 0.02, 95.5, 0.02, SAME},   {100, 0.02, 50, 0.02, FASTER},
        {100, 0.2, 100, 0.02, NOT_JUDGED},                               /* an interval that would hide 5% */
        {100, 0.02, 106, 0.2, NOT_JUDGED}, {100, 0.5, 200, 0.5, SLOWER}, /* and one that hides nothing of twice */
        {0, 0, 100, 0.02, NOT_JUDGED},     {100, 0.02, 0, 0, NOT_JUDGED},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct row old = row_of(CASES[i].old, CASES[i].old_width, 20);
        struct row new = row_of(CASES[i].new, CASES[i].new_width, 20);
        expect(&old, &new, true, CASES[i].verdict);
    }
}
END_TEST

START_TEST(fewer_than_6_samples_are_not_judged) {
    struct row six = row_of(100, 0.02, 6), five = row_of(100, 0.02, 5), slow = row_of(200, 0.02, 5);
    expect(&six, &six, true, SAME);
    expect(&six, &five, true, NOT_JUDGED);
    expect(&five, &six, true, NOT_JUDGED);
    expect(&six, &slow, true, NOT_JUDGED);
    expect(&slow, &six, true, NOT_JUDGED);
}
END_TEST

START_TEST(slower_machine_is_not_slower_code) {
    struct row base = row_of(100, 0.02, 20), slow = row_of(200, 0.02, 20);
    struct row old = with_ratio(base, 2, 0.02, 20), machine = with_ratio(slow, 2.02, 0.02, 20);
    struct row code = with_ratio(slow, 4, 0.02, 20), few = with_ratio(slow, 4, 0.02, 5);
    struct row noisy = with_ratio(slow, 2.02, 0.3, 20), unsure = with_ratio(slow, 2.12, 0.09, 20);
    struct row wide = with_ratio(base, 2, 0.09, 20), same = with_ratio(base, 4, 0.02, 20);
    expect(&old, &machine, true, FLOOR_TOO);
    expect(&machine, &old, true, FLOOR_TOO);
    expect(&old, &code, true, SLOWER);
    expect(&code, &old, true, FASTER);
    expect(&old, &few, true, NOT_JUDGED);
    ck_assert_ptr_nonnull(strstr(judge(&old, &few, true).why, "fewer than 6 ratios"));
    expect(&old, &noisy, true, NOT_JUDGED);
    expect(&wide, &unsure, true, NOT_JUDGED); /* the ratio, too, has grown by more than 5%, but within its noise */
    expect(&old, &same, true, SAME);          /* the floor got faster */
    expect(&old, &slow, true, SLOWER);        /* no ratio in one of them */
    expect(&base, &machine, true, SLOWER);
    ck_assert_double_eq_tol(judge(&old, &code, true).change, 1, 1e-9);
    ck_assert_double_eq_tol(judge(&old, &machine, true).ratio_change, 0.01, 1e-9);
    ck_assert(isnan(judge(&base, &slow, true).ratio_change));
}
END_TEST

START_TEST(other_machines_have_only_ratios_in_common) {
    struct row plain = row_of(100, 0.02, 20), twice = row_of(200, 0.02, 20);
    struct row old = with_ratio(plain, 2, 0.02, 20), same = with_ratio(twice, 2.02, 0.02, 20);
    struct row slower = with_ratio(plain, 3, 0.02, 20), few = with_ratio(plain, 3, 0.02, 3);
    expect(&plain, &twice, false, NOT_JUDGED);
    expect(&plain, &plain, false, NOT_JUDGED);
    expect(&old, &same, false, SAME);
    expect(&old, &slower, false, SLOWER);
    expect(&slower, &old, false, FASTER);
    expect(&old, &few, false, NOT_JUDGED);
}
END_TEST

START_TEST(rows_of_one_run_and_other_work_are_not_judged) {
    struct row there = row_of(100, 0.02, 20), missing = {.key = "made/ours", .role = "ours", .missing = "no python3"};
    struct row more = there, same = there, title = there, other = there;
    expect(NULL, &there, true, ONLY_IN_NEW);
    expect(&there, NULL, true, ONLY_IN_OLD);
    expect(&there, &missing, true, NOT_JUDGED);
    expect(&missing, &there, true, NOT_JUDGED);
    expect(&missing, &missing, true, NOT_JUDGED);
    more.units = 20;
    same.units = 10;
    title.title = "64 MiB";
    other.title = "256 MiB";
    expect(&same, &more, true, NOT_JUDGED);
    expect(&same, &same, true, SAME);
    expect(&there, &same, true, SAME); /* one of them does not say how much work it is */
    expect(&title, &other, true, NOT_JUDGED);
    expect(&title, &title, true, SAME);
}
END_TEST

START_TEST(difference_is_the_same_from_either_side) {
    struct row one = row_of(100, 0.02, 20), two = row_of(150, 0.02, 3), none = {.missing = "gone"};
    ck_assert_double_eq_tol(difference(&one, &two), 0.5, 1e-9);
    ck_assert_double_eq_tol(difference(&two, &one), 0.5, 1e-9);
    ck_assert_double_eq_tol(difference(&one, &one), 0, 1e-9);
    ck_assert(isnan(difference(&one, &none)) && isnan(difference(NULL, &one)) && isnan(difference(&one, NULL)));
}
END_TEST

SUITE("bench_verdict", row_is_slower_beyond_5_percent_and_beyond_the_noise, fewer_than_6_samples_are_not_judged,
      slower_machine_is_not_slower_code, other_machines_have_only_ratios_in_common,
      rows_of_one_run_and_other_work_are_not_judged, difference_is_the_same_from_either_side)
