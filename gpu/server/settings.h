/* settings.h: what serve's command line says. */
#ifndef GPU_SETTINGS_H
#define GPU_SETTINGS_H

#include "engine.h"

/* How the server is built: the steps of the ladder that the lab compares. */
enum serve_mode {
    SERVE_SERIAL,    /* one process, one thread: a request is computed where it was read */
    SERVE_THREADS,   /* one process: a thread for each device behind one queue */
    SERVE_PROCESSES, /* a serial server for each device, all accepting from one socket: the tutorial's, with uvicorn */
    SERVE_SHARED_QUEUE, /* one front, a process for each device behind one queue in shared memory */
};

struct settings {
    enum serve_mode mode;
    const char *devices[ENGINE_WORKERS];
    size_t device_count;
    const char *models[DEVICE_MODELS];
    size_t model_count;
    char *device_texts, *model_texts; /* which those point into, as long as the program runs */
    const char *folder;
    const char *address;
    unsigned port;
    struct batching_options batching;
    uint64_t timeout; /* nanoseconds; 0: none */
    size_t slots;
    unsigned in_flight;
    bool deterministic;
    uint64_t body;                                                   /* bytes; 0: what the largest model can need */
    unsigned connections, connections_per_client, idle, slow, drain; /* the last three in seconds */
    const char *trace, *inject;
    unsigned number;      /* of the process, from 0; SERVE_PROCESSES gives it */
    int listening, ready; /* descriptors from the parent of SERVE_PROCESSES; -1: there is none */
};

/*
 * Reads the arguments; the texts point into them. A wrong one is said on stderr, and the program ends with 2; --help
 * ends it with 0.
 */
void settings_read(struct settings *settings, int argc, char *argv[]);

/* Of these, the devices: makes one for each card of "cuda", and one for each core of nothing; checks what is there. */
void settings_devices(struct settings *settings);
/* A line on stderr for each card that several workers have. */
void settings_say_shared(const struct settings *settings);

/* One line on stdout: where the server is to be found, and what it is. */
void settings_say(const struct settings *settings, uint16_t port);

#endif
