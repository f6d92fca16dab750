/* load_settings.h: what the load generator's command line says. */
#ifndef GPU_CLIENT_LOAD_SETTINGS_H
#define GPU_CLIENT_LOAD_SETTINGS_H

#include "load_run.h"

struct load_settings {
    struct load_options load; /* without .target, .questions and .stop */
    const char *url, *model;
    const char *models, *source; /* where the model for --verify is */
    const char *series;          /* a file; NULL: none */
    uint32_t rows;
    bool find_rate, json;
};

/* Reads it. --help ends the program with 0, what cannot be with 2 and a line that says what can. */
struct load_settings load_settings_read(int argc, char *argv[]);

#endif
