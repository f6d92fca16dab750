/* devices.h: the table of the images: the same images by one core, by threads, by processes and by 1..N devices. */
#ifndef BENCH_DEVICES_H
#define BENCH_DEVICES_H

#include "device.h"
#include "measure.h"
#include "options.h"
#include "peer.h"
#include "workload.h"

enum {
    DEVICES_MOST = 16,     /* in a list */
    SERIES_MOST = 2,       /* lists: real devices, and what simulates more of them */
    IMAGES_MODELS = 2,     /* digits and wide */
    IMAGES_ROWS = 1 << 20, /* the most that a run may have, some images several times */
    IMAGES_OUTPUTS = 10,   /* what a model answers of an image: how likely it is each digit */
    CORE_BATCH = 64,       /* rows of a batch, on a core; a device has DEVICE_BATCH */
    DEVICE_TITLE = 100,
    DEVICE_REASON = 440,
};

/* ---- devices_region.c: the images, in memory that all processes see */

/*
 * What all workers see, whether they were forked or executed: a memory file, first the inputs of `images` different
 * images, then room for the answers to IMAGES_ROWS rows. Row r of a run is image r % the model's number of images.
 */
struct region {
    int file; /* its descriptor; -1 in a process that has only mapped it */
    size_t images, size;
    float *inputs, *outputs;
};

extern struct region region;

/*
 * Reads the held-out digits, or draws them, into the region; for at most so many workers on cores. False, with a line
 * that says why.
 */
bool images_open(bool quick, size_t workers);
void images_close(void);

/* The region at that path, of so many images, for a process that was executed; false with the sentence. */
bool region_map(struct region *mapped, const char *path, size_t images, struct failure *failure);

/*
 * The parts of a batch: rows `first` to below `end` of a run over so many images. Returns how many were stored: one for
 * each time that the images begin anew.
 */
size_t images_parts(const struct region *of, const struct model *model, size_t images, size_t first, size_t end,
                    struct part parts[DEVICE_BATCH]);

/* ---- devices_images.c: their models, and what the answers should be */

/* A model, and the images that are shown to it: the workload is what a core, or several, do of them in a run. */
struct images {
    struct workload workload;
    const char *source; /* model_open's */
    size_t images;      /* how many different ones: the first of the region's */
    size_t batch;       /* of a core: CORE_BATCH at most */
    size_t rows;        /* of the run that is checked */
    bool echoes;        /* it was one of devices that answer with their input */
    double tolerance;   /* how much less likely than the reference's first choice an answer may be to it */
    struct model *model;
    float *expected; /* [images][IMAGES_OUTPUTS] */
};
extern struct images images_of[IMAGES_MODELS];

/* Starts as many devices in this process as there are to be threads; for modes whose workers are cores. */
void cores_open(size_t workers);
void one_core_open(size_t workers);

/* ---- devices_choice.c: which devices */

/* A list of devices, of which the first 1, 2... are measured. */
struct series {
    const char *name; /* "devices" or "simulated": in the files */
    char title[DEVICE_TITLE];
    char texts[DEVICES_MOST][32];
    char uuids[DEVICES_MOST][64]; /* of those that are cards; "" */
    size_t count;
    bool simulated;              /* they only take their time */
    bool emulated;               /* a card of the tests is among them: nobody wants to know its times */
    char missing[DEVICE_REASON]; /* why they are not measured, "" when they are */
};

/*
 * What `told` lists ("cuda:0,cuda:1", "cuda" for all cards); if it is NULL or empty, all cards that there are; else as
 * many simulated ones as `most`, of a card that was calibrated if there is one. Beside a single card come simulated
 * ones of it. Returns how many lists there are. Ends the program with 2 for what is no list.
 */
size_t devices_choose(struct series series[SERIES_MOST], const char *told, size_t most);

/* How many of the first `count` are on a card that has another of them already. */
size_t devices_sharing(const struct series *series, size_t count);

/* ---- devices_team.c: a process for each device */

struct team {
    const struct series *series;
    struct peer workers[DEVICES_MOST];
    char description[sizeof((struct device *)NULL)->description]; /* of the first: what it found itself to be */
};

/* Starts all, each bound to its device, and loads the models. False, with a sentence in `reason`. */
bool team_start(struct team *team, const struct series *series, char reason[DEVICE_REASON]);
void team_stop(struct team *team);

/* The first `count` do so many rows, and the answers are checked: ns, 0 when they could not. Wrong ones end it all. */
double team_run(struct team *team, size_t count, struct images *images, size_t rows);

/* Joules for an image, by the cards' own meters, over at least so many seconds of such runs; NAN where none says. */
double team_energy(struct team *team, size_t count, struct images *images, size_t rows, double seconds);

/* main of the processes that it starts: --worker DEVICE FOLDER REGION IMAGES. */
int team_worker(int argc, char *argv[]);

/* ---- devices_output.c */

/* What is measured: a mode with so many workers. */
struct place {
    struct images *images;
    const char *mode, *title;
    struct peer *host; /* of a core's mode; or... */
    struct team *team; /* ...the devices */
    size_t workers, rows;
    double joules; /* for an image; NAN: nobody knows */
};

struct cell;
struct plan {
    struct cell *cells;
    struct place *places;
    size_t count;
    const struct series *series;
    size_t series_count;
};

void devices_write(const struct plan *plan, const struct options *options, double seconds);
void devices_table(const struct plan *plan);

#endif
