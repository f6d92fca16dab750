/* infer_classes.c: the best classes of each row. */
#include "infer_classes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "numbers.h"

/* "value:index": a number, a colon, and at most ten digits. */
enum { CLASS_TEXT = NUMBER_TEXT + 11 };

/* For qsort_r: the larger number first; what is not a number last; of equal ones the first. */
static int compare(const void *left, const void *right, void *numbers) {
    const float *values = numbers;
    uint32_t i = *(const uint32_t *)left, j = *(const uint32_t *)right;
    float a = values[i], b = values[j];
    if (isnan(a) != isnan(b))
        return isnan(a) ? 1 : -1;
    return a > b ? -1 : a < b ? 1 : i < j ? -1 : i > j;
}

static void choose_of_row(uint32_t *chosen, uint32_t each, uint32_t *order, const float *row, uint32_t outputs) {
    float *numbers;
    memcpy(&numbers, &row, sizeof numbers); /* qsort_r's argument is not const */
    for (uint32_t i = 0; i < outputs; i++)
        order[i] = i;
    qsort_r(order, outputs, sizeof *order, compare, numbers);
    memcpy(chosen, order, each * sizeof *order);
}

int classes_choose(struct classes *classes, const float *output, uint32_t rows, uint32_t outputs, uint32_t each) {
    each = each < outputs ? each : outputs;
    *classes = (struct classes){.output = output, .rows = rows, .outputs = outputs, .each = each};
    /* Behind the chosen ones, room for the order of one row. */
    classes->chosen = calloc((size_t)rows * each + outputs, sizeof *classes->chosen);
    if (classes->chosen == NULL)
        return -ENOMEM;
    uint32_t *order = classes->chosen + (size_t)rows * each;
    for (size_t row = 0; row < rows; row++)
        choose_of_row(classes->chosen + row * each, each, order, output + row * outputs, outputs);
    return 0;
}

void classes_free(struct classes *classes) {
    free(classes->chosen);
    classes->chosen = NULL;
}

static size_t print_class(char text[CLASS_TEXT], const struct classes *classes, size_t place) {
    uint32_t index = classes->chosen[place];
    size_t size = number_print(text, classes->output[place / classes->each * classes->outputs + index]);
    text[size++] = ':';
    return size + number_print_whole(text + size, index);
}

void classes_write(struct json_writer *writer, const struct classes *classes) {
    char text[CLASS_TEXT];
    WRITE(writer, "[");
    for (size_t i = 0; i < (size_t)classes->rows * classes->each; i++) {
        if (i > 0)
            WRITE(writer, ",");
        WRITE(writer, "\"");
        write_bytes(writer, text, print_class(text, classes, i));
        WRITE(writer, "\"");
    }
    WRITE(writer, "]");
}

size_t classes_binary_size(const struct classes *classes) {
    char text[CLASS_TEXT];
    size_t size = 0;
    for (size_t i = 0; i < (size_t)classes->rows * classes->each; i++)
        size += sizeof(uint32_t) + print_class(text, classes, i);
    return size;
}

void classes_write_binary(struct json_writer *writer, const struct classes *classes) {
    char text[CLASS_TEXT];
    for (size_t i = 0; i < (size_t)classes->rows * classes->each; i++) {
        uint32_t size = (uint32_t)print_class(text, classes, i);
        write_bytes(writer, (const char *)&size, sizeof size);
        write_bytes(writer, text, size);
    }
}
