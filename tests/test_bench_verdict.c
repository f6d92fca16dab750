/* test_bench_verdict.c: whether a row of two runs got slower beyond the noise, on made numbers. */
#include <math.h>

#include "verdict.h"
#include "watch.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

/* So many samples around a median, whose interval is so wide, as a part of it; they reach half as far again. */
static struct spread around(double median, double width, size_t count) {
    return (struct spread){.count = count,
                           .median = median,
                           .low = median * (1 - width / 2),
                           .high = median * (1 + width / 2),
                           .least = median * (1 - width * 0.75)};
}

static struct row row_of(double median, double width, size_t count) {
    return (struct row){.key = "made/ours",
                        .role = "ours",
                        .ns = around(median, width, count),
                        .ns_greatest = median * (1 + width * 0.75)};
}

static struct row with_ratio(struct row row, double ratio, double width, size_t count) {
    row.ratios = around(ratio, width, count);
    row.ratio_greatest = ratio * (1 + width * 0.75);
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
    struct row six = row_of(100, 0.02, 6), five = row_of(100, 0.02, 5), slow = row_of(199, 0.02, 5);
    expect(&six, &six, true, SAME);
    expect(&six, &five, true, NOT_JUDGED);
    expect(&five, &six, true, NOT_JUDGED);
    expect(&six, &slow, true, NOT_JUDGED);
    expect(&slow, &six, true, NOT_JUDGED);
}
END_TEST

/* With nothing beside it that would show whether it was the machine. */
START_TEST(time_alone_decides_nothing_on_a_noisy_machine) {
    const struct source quiet = {.name = "tutorial"}, noisy = {.name = "tutorial", .noisy = true};
    struct row old = row_of(100, 0.02, 20), slow = row_of(300, 0.02, 20);
    old.source = slow.source = &quiet;
    expect(&old, &slow, true, SLOWER);
    slow.source = &noisy;
    expect(&old, &slow, true, NOT_JUDGED);
    struct row slow_code = with_ratio(slow, 6, 0.02, 20);
    old = with_ratio(old, 2, 0.02, 20);
    expect(&old, &slow_code, true, SLOWER);
    /* Serial has one worker: it does not show how many cores the others had. */
    struct row serial = row_of(100, 0.02, 20);
    old.reference = slow_code.reference = serial.reference = &serial;
    expect(&old, &slow_code, true, NOT_JUDGED);
}
END_TEST

START_TEST(few_samples_are_judged_when_they_are_far_apart) {
    struct row many = row_of(100, 0.02, 20), one = row_of(1000, 0.02, SAMPLES_LEAST - 1);
    for (size_t count = SAMPLES_LEAST; count <= 5; count++) {
        struct row base = row_of(100, 0.02, count), slow = row_of(210, 0.02, count), wide = row_of(210, 0.8, count);
        expect(&base, &slow, true, SLOWER);
        expect(&slow, &base, true, FASTER);
        expect(&many, &slow, true, SLOWER);
        expect(&slow, &many, true, FASTER);
        expect(&base, &wide, true, NOT_JUDGED); /* the least of the new ones lies below the greatest of the old ones */
    }
    expect(&many, &one, true, NOT_JUDGED);
    expect(&one, &many, true, NOT_JUDGED);
}
END_TEST

START_TEST(few_ratios_must_be_far_apart_too) {
    struct row base = row_of(100, 0.02, 20), slow = row_of(10000, 0.02, 20), few = row_of(10000, 0.02, 3);
    struct row old = with_ratio(base, 2, 0.02, 20), far = with_ratio(slow, 200, 0.02, 5);
    struct row near = with_ratio(slow, 3.9, 0.02, 5), wide = with_ratio(slow, 5, 0.9, 5);
    struct row machine = with_ratio(slow, 2, 0.02, 5), both = with_ratio(few, 200, 0.02, 3);
    struct row one = with_ratio(slow, 200, 0.02, 1), less = with_ratio(slow, 0.9, 0.02, 5);
    expect(&old, &far, true, SLOWER);
    expect(&far, &old, true, FASTER);
    expect(&old, &both, true, SLOWER);
    expect(&old, &near, true, NOT_JUDGED);
    expect(&old, &wide, true, NOT_JUDGED);
    expect(&old, &machine, true, NOT_JUDGED);
    expect(&old, &one, true, NOT_JUDGED);
    expect(&old, &less, true, THE_MACHINE); /* the floor got slower by far more */
}
END_TEST

/* A row beside a reference of the same run. */
static struct row beside(struct row row, const struct row *reference) {
    row.reference = reference;
    return row;
}

START_TEST(row_is_judged_beside_its_reference) {
    struct row serial = row_of(1000, 0.01, 20), slow_serial = row_of(2000, 0.01, 20), noisy = row_of(2000, 0.9, 20);
    struct row gone = {.missing = "gone"}, plain = row_of(500, 0.01, 20), twice = row_of(1000, 0.01, 20);
    struct row wide = row_of(1000, 0.1, 20), eight = row_of(540, 0.01, 20);
    struct row rough = beside(plain, &wide), unclear = beside(eight, &wide);
    struct row tenth = row_of(550, 0.01, 20), third = row_of(650, 0.01, 20);
    struct row old = beside(plain, &serial), machine = beside(twice, &slow_serial), code = beside(twice, &serial);
    struct row unsure = beside(twice, &noisy), without = beside(tenth, &gone), more = beside(third, &gone);
    expect(&old, &machine, true, THE_MACHINE);
    expect(&machine, &old, true, THE_MACHINE);
    expect(&old, &code, true, SLOWER);
    expect(&code, &old, true, FASTER);
    expect(&old, &unsure, true, NOT_JUDGED);
    expect(&rough, &unclear, true, NOT_JUDGED); /* what is not known of the reference is not known of the ratio */
    expect(&old, &without, true, NOT_JUDGED);   /* no reference in one of them: the time alone, from 20% on */
    expect(&old, &more, true, SLOWER);
    expect(&old, &code, false, NOT_JUDGED); /* another machine has other cores */
    ck_assert_double_eq_tol(judge(&old, &code, true).ratio_change, 1, 1e-9);
    ck_assert_double_eq_tol(judge(&old, &machine, true).ratio_change, 0, 1e-9);
}
END_TEST

START_TEST(reference_is_judged_by_its_time_from_20_percent_on) {
    static const struct {
        double new;
        enum verdict verdict;
    } CASES[] = {{104, SAME}, {119, NOT_JUDGED}, {121, SLOWER}, {96, SAME}, {85, NOT_JUDGED}, {82, FASTER}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct row old = row_of(100, 0.01, 20), new = row_of(CASES[i].new, 0.01, 20);
        old.reference = &old;
        new.reference = &new;
        expect(&old, &new, true, CASES[i].verdict);
    }
}
END_TEST

START_TEST(sizes_below_100_ns_are_the_harness) {
    static const struct source sizes = {.name = "sizes"}, scaling = {.name = "scaling"};
    struct row old = row_of(20, 0.01, 20), new = row_of(37, 0.01, 20), far = row_of(300, 0.01, 20);
    struct row base = row_of(500, 0.01, 20), slow = row_of(925, 0.01, 20);
    old.source = new.source = far.source = &sizes;
    expect(&old, &new, true, NOT_JUDGED);
    expect(&old, &far, true, SLOWER);
    base = beside(base, &old);
    slow = beside(slow, &new); /* and nothing to be measured against */
    expect(&base, &slow, true, SLOWER);
    old.source = new.source = &scaling;
    expect(&old, &new, true, SLOWER);
    expect(&base, &slow, true, THE_MACHINE);
}
END_TEST

START_TEST(slower_machine_is_not_slower_code) {
    struct row base = row_of(100, 0.02, 20), slow = row_of(200, 0.02, 20);
    struct row old = with_ratio(base, 2, 0.02, 20), machine = with_ratio(slow, 2.02, 0.02, 20);
    struct row code = with_ratio(slow, 4, 0.02, 20), few = with_ratio(slow, 4, 0.02, 5);
    struct row noisy = with_ratio(slow, 2.02, 0.3, 20), unsure = with_ratio(slow, 2.12, 0.09, 20);
    struct row wide = with_ratio(base, 2, 0.09, 20), same = with_ratio(base, 4, 0.02, 20);
    expect(&old, &machine, true, THE_MACHINE);
    expect(&machine, &old, true, THE_MACHINE);
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
      few_samples_are_judged_when_they_are_far_apart, time_alone_decides_nothing_on_a_noisy_machine,
      few_ratios_must_be_far_apart_too, row_is_judged_beside_its_reference,
      reference_is_judged_by_its_time_from_20_percent_on, sizes_below_100_ns_are_the_harness,
      slower_machine_is_not_slower_code, other_machines_have_only_ratios_in_common,
      rows_of_one_run_and_other_work_are_not_judged, difference_is_the_same_from_either_side)
