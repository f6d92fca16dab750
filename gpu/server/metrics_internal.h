/* metrics_internal.h: what the files of the metrics share: how a line of Prometheus's text format is written. */
#ifndef GPU_METRICS_INTERNAL_H
#define GPU_METRICS_INTERNAL_H

#include <stdio.h>

#include "metrics.h"

/* A label's value, with what would end it escaped. */
struct label {
    char text[400];
};

static inline struct label label(const char *value) {
    struct label result;
    size_t size = 0;
    for (; *value != '\0' && size + 3 < sizeof result.text; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            result.text[size++] = '\\';
        result.text[size++] = *value == '\n' ? 'n' : *value;
    }
    result.text[size] = '\0';
    return result;
}

static inline void describe(FILE *out, const char *name, const char *type, const char *help) {
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* metrics_cards.c: of the graphics cards that workers have; nothing where there are none. */
void write_card_metrics(FILE *out, const struct engine *engine);

#endif
