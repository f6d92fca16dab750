/* settings.h: what train is told on its command line. */
#ifndef GPU_TRAINING_SETTINGS_H
#define GPU_TRAINING_SETTINGS_H

#include "team.h"

struct train_settings {
    const char *program; /* its name */
    const char *data, *output;
    unsigned long seed, epochs, width, depth, batch, micro, images;
    float rate;
    enum reduction reduction;
    char *texts;                       /* of the devices */
    const char *devices[TEAM_MEMBERS]; /* none: one process, which does all of it itself */
    size_t device_count;
};

/* Reads them, each checked. On a mistake, and for --help, it ends the program. */
void train_settings_read(struct train_settings *settings, int argc, char *argv[]);

#endif
