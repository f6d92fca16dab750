/* ladder_table.c: the versions' times as shares of what the card could do and of cuBLASLt's; see ladder_table.h. */
#include "ladder_table.h"

#include <errno.h>
#include <math.h>

#include "ladder_trial.h"

static double peak(const struct ladder_card *card, bool half) {
    return ladder_peak(card->major, card->minor, card->multiprocessors, card->kilohertz, half);
}

/* FLOP of the layer. */
static double work(const struct ladder_settings *settings) {
    return 2.0 * settings->rows * settings->inputs * settings->outputs;
}

/* Of version 6 in the same numbers; NAN where it was not timed. */
static double library_time(const struct ladder_table *table, bool half) {
    for (size_t i = 0; i < LADDER_VERSIONS; i++)
        if (ladder_versions[i].number == 6 && ladder_versions[i].half == half)
            return table->lines[i].median;
    return NAN;
}

/* "12.3 %", or "unknown". */
static const char *percent(char text[16], double share) {
    snprintf(text, 16, isfinite(share) ? "%.1f %%" : "unknown", 100 * share);
    return text;
}

static void print_line(const struct ladder_table *table, size_t i) {
    const struct ladder_version *version = &ladder_versions[i];
    const struct ladder_line *line = &table->lines[i];
    const double rate = work(&table->settings) / line->median, most = peak(&table->card, version->half);
    char of_peak[16], of_library[16];
    printf("%d  %-12s  %s  %9.1e  ", version->number, version->name, version->half ? "fp16" : "fp32", line->error);
    if (!line->right)
        printf("WRONG: at most %.0e is right; not timed\n", version->tolerance);
    else if (table->card.emulated)
        printf("emulated: checked, not timed\n");
    else
        printf("%10.1f  %8.1f  %10.0f  %8s  %11s  %s\n", line->median * 1e6, (line->high - line->low) * 1e6, rate / 1e9,
               percent(of_peak, most > 0 ? rate / most : NAN),
               percent(of_library, library_time(table, version->half) / line->median), version->adds);
}

static void print_peak(const struct ladder_card *card, bool half) {
    if (peak(card, half) > 0)
        printf("%.1f TFLOP/s in %s%s", peak(card, half) / 1e12, half ? "fp16 by the tensor cores" : "fp32, ",
               half ? "\n" : "");
    else
        printf("unknown in %s%s", half ? "fp16" : "fp32, ", half ? "\n" : "");
}

bool ladder_table_print(const struct ladder_table *table) {
    const struct ladder_settings *settings = &table->settings;
    const struct ladder_card *card = &table->card;
    bool right = true;
    printf("card %u: %s, compute capability %d.%d, %d multiprocessors at up to %d MHz\n", settings->card, card->name,
           card->major, card->minor, card->multiprocessors, card->kilohertz / 1000);
    printf("at most, by multiprocessors x FLOP a clock x clock: ");
    print_peak(card, false);
    print_peak(card, true);
    printf("layer: %u rows, %u inputs, %u outputs: %.3g GFLOP", settings->rows, settings->inputs, settings->outputs,
           work(settings) / 1e9);
    if (card->emulated)
        printf("\n\n   version       in        error\n");
    else
        printf("; medians of %u runs; spread: between the quartiles\n\n"
               "   version       in        error   time (us)    spread     GFLOP/s   of peak  of cuBLASLt  adds\n",
               settings->repeat);
    for (size_t i = 0; i < LADDER_VERSIONS; i++) {
        if (!settings->chosen[i])
            continue;
        print_line(table, i);
        right = right && table->lines[i].right;
    }
    return right;
}

/* A field is empty where nothing was measured. */
static void write_field(FILE *file, double number) {
    if (isfinite(number))
        fprintf(file, ",%.9g", number);
    else
        fputc(',', file);
}

static void write_lines(FILE *file, const struct ladder_table *table) {
    fprintf(file, "version,name,in,rows,inputs,outputs,card,error,tolerance,right,runs,median_s,q1_s,q3_s,flop_s,"
                  "peak_flop_s,cublaslt_s\n");
    for (size_t i = 0; i < LADDER_VERSIONS; i++) {
        const struct ladder_version *version = &ladder_versions[i];
        const struct ladder_line *line = &table->lines[i];
        const double most = peak(&table->card, version->half);
        if (!table->settings.chosen[i])
            continue;
        fprintf(file, "%d,%s,%s,%u,%u,%u,\"%s\"", version->number, version->name, version->half ? "fp16" : "fp32",
                table->settings.rows, table->settings.inputs, table->settings.outputs, table->card.name);
        write_field(file, line->error);
        fprintf(file, ",%g,%d,%u", version->tolerance, line->right,
                isfinite(line->median) ? table->settings.repeat : 0);
        const double numbers[] = {line->median,
                                  line->low,
                                  line->high,
                                  work(&table->settings) / line->median,
                                  most > 0 ? most : NAN,
                                  library_time(table, version->half)};
        for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++)
            write_field(file, numbers[j]);
        fputc('\n', file);
    }
}

int ladder_table_write(const struct ladder_table *table, struct failure *failure) {
    const char *path = table->settings.csv;
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return fail(failure, -errno, "--csv %s: %s; choose another file", path, at_strerror(-errno));
    write_lines(file, table);
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad)
        return fail(failure, -EIO, "--csv %s: cannot be written; is the disk full?", path);
    return 0;
}
