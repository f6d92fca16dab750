/*
 * cuda.c: what a card takes for a batch, side by side in one run: against PyTorch on the same card with the same model,
 * and each of its options against the other. Every answer is compared with the reference.
 *
 * The device is the first of DEVICES= (default: cuda:0); "cpu" works as well, with the rows that make sense there. A
 * sample is what a caller waits: from rows in this process's memory to answers in it.
 */
#include "cuda.h"

#include <string.h>

#include "cards.h"
#include "comparison.h"
#include "console.h"

static bool digits_1(void) {
    return cuda_rows(0, 1);
}
static bool digits_16(void) {
    return cuda_rows(0, 16);
}
static bool digits_256(void) {
    return cuda_rows(0, 256);
}
static bool wide_256(void) {
    return cuda_rows(1, 256);
}

#define TORCH(how, shape, rows)                                                                                        \
    {                                                                                                                  \
        .name = "PyTorch, " how, .script = "torch_mlp.py", .arguments = { NULL, NULL, how, shape, rows }               \
    }

static void compare_http(void);
static void rate_wide(void);

/* What needs a card stands behind the others. */
static struct comparison comparisons[] = {
    {.name = "digits_1",
     .title = "digits, 1 row",
     .subjects = {{.name = "device", .take = take_base}, [PYTHON] = TORCH("eager", "digits", "1")},
     .before = digits_1,
     .batch = 20,
     .reaches = {REACH_TO(PYTHON, 1 / 0.7)}},
    {.name = "digits_16",
     .title = "digits, 16 rows",
     .subjects = {{.name = "device", .take = take_base}, [PYTHON] = TORCH("eager", "digits", "16")},
     .before = digits_16,
     .batch = 20},
    {.name = "digits_256",
     .title = "digits, 256 rows",
     .subjects = {{.name = "device", .take = take_base}, [PYTHON] = TORCH("eager", "digits", "256")},
     .before = digits_256,
     .batch = 10,
     .reaches = {REACH_TO(PYTHON, 1)}},
    {.name = "wide_256",
     .title = "wide, 256 rows",
     .subjects = {{.name = "device", .take = take_base}, [PYTHON] = TORCH("eager", "784,4096,4096,10", "256")},
     .before = wide_256,
     .after = rate_wide,
     .batch = 3,
     .reaches = {REACH_TO(PYTHON, 1)}},
    {.name = "http_1",
     .title = "HTTP, 1 client (floor: the call)",
     .subjects = {{.name = "p50 through HTTP", .take = take_http, .batch = 1},
                  {.name = "device_infer", .take = take_base}},
     .before = digits_1,
     .after = compare_http,
     .batch = 20},
    {.name = "digits_1_graphs",
     .title = "digits, 1 row, to graphs",
     .subjects = {{.name = "device", .take = take_base}, [PYTHON] = TORCH("graphs", "digits", "1")},
     .before = digits_1,
     .batch = 20},
    {.name = "digits_256_graphs",
     .title = "digits, 256 rows, to graphs",
     .subjects = {{.name = "device", .take = take_base}, [PYTHON] = TORCH("graphs", "digits", "256")},
     .before = digits_256,
     .batch = 10},
    {.name = "spin_1",
     .title = "spins (floor: sleeps), 1 row",
     .subjects = {{.name = "spinning", .take = take_spin}, {.name = "sleeping", .take = take_base}},
     .before = digits_1,
     .batch = 20},
    {.name = "pinned_256",
     .title = "pinned (floor: staged), 256 rows",
     .subjects = {{.name = "pinned", .take = take_base}, {.name = "staged", .take = take_staged}},
     .before = digits_256,
     .batch = 10},
    {.name = "lanes_256",
     .title = "two lanes (floor: one), 256 rows",
     .subjects = {{.name = "two lanes", .take = take_two_lanes}, {.name = "one lane", .take = take_one_lane}},
     .before = digits_256,
     .batch = 3},
    {.name = "kernels_256",
     .title = "on the card (floor: its products), 256",
     .subjects = {{.name = "batch", .take = take_card_batch}, {.name = "cuBLASLt", .take = take_card_products}},
     .before = wide_256,
     .batch = 3,
     .reaches = {REACH(MOST_TO_FLOOR, 1.1)}},
    {.name = "peak_256",
     .title = "its products (floor: at the card's best)",
     .subjects = {{.name = "products", .take = take_card_products}, {.name = "at best", .take = take_card_at_best}},
     .before = wide_256,
     .batch = 1},
};
enum { COUNT = sizeof comparisons / sizeof *comparisons, WIDE_ROW = 3, HTTP_ROW, WITHOUT_CARD };

static double wide_rate; /* operations of its products, a second; 0: not known */

static void rate_wide(void) {
    static const double OPERATIONS = 2 * (784.0 * 4096 + 4096.0 * 4096 + 4096.0 * 10) * 256;
    const struct comparison *wide = &comparisons[WIDE_ROW];
    if (wide->ns[OURS].count > 0)
        wide_rate = OPERATIONS * 1e9 / spread_of(&wide->ns[OURS]).median;
}

static double added_ns; /* by HTTP; 0: not known */

static void compare_http(void) {
    const struct comparison *http = &comparisons[HTTP_ROW];
    if (http->ns[OURS].count > 0 && http->ns[FLOOR].count > 0)
        added_ns = spread_of(&http->ns[OURS]).median - spread_of(&http->ns[FLOOR]).median;
}

/* PyTorch is told the device, its precision, and the model's file. */
static void tell_peers(void) {
    for (size_t i = 0; i < COUNT; i++) {
        const char **arguments = comparisons[i].subjects[PYTHON].arguments;
        if (comparisons[i].subjects[PYTHON].script == NULL)
            continue;
        arguments[0] = cuda_choice.card ? cuda_choice.base : "cpu";
        arguments[1] = cuda_choice.precision;
        if (strcmp(arguments[3], "digits") == 0)
            arguments[3] = cuda_choice.model_file;
    }
}

/* An emulated card shows that all of this works, and has no times. */
static void only_try(size_t count) {
    struct observation sample;
    for (size_t i = 0; i < count && !interrupted(); i++) {
        comparisons[i].before();
        for (size_t role = OURS; role <= FLOOR; role++)
            if (comparisons[i].subjects[role].take != NULL && comparisons[i].subjects[role].take(&sample, 1) != 1)
                note_failure("bench: %s: %s did not work", comparisons[i].title, comparisons[i].subjects[role].name);
    }
    printf("off: figures of %s: this is an emulated card: its answers are right, and its times say nothing\n",
           cuda_choice.base);
}

int main(int argc, char *argv[]) {
    if (argc == 2 &&
        strcmp(argv[1], "--ready") == 0) /* whether there is anything to measure: 0; 1: no; 2: bad DEVICES */
        return cuda_choose() ? cuda_try() : 1;
    struct options options =
        options_read(argc, argv, "Times a card's batches against PyTorch's, and its options against each other.");
    if (!cuda_choose())
        return 0;
    catch_interrupts();
    size_t count = cuda_choice.card ? COUNT : WITHOUT_CARD;
    tell_peers();
    if (cuda_open(&options)) {
        const char *description = cuda_description();
        printf("%s: %s\n", cuda_choice.base, description);
        if (card_is_emulated(description))
            only_try(count);
        else
            comparisons_run(comparisons, count, &options, "cuda",
                            options.seconds > 0 ? options.seconds
                            : options.quick     ? 10
                                                : 60);
        if (wide_rate > 0)
            printf("wide, 256 rows: %.3g GFLOP/s from rows to answers%s\n", wide_rate / 1e9,
                   cuda_choice.card ? "; make lab13-kernels shows what cuBLASLt reaches in one large product" : "");
        if (added_ns > 0)
            printf("HTTP adds %s to one client's call of the device (on a card at most 60 us are asked for)\n",
                   human_time(added_ns));
    }
    cuda_close();
    return end_status();
}
