/* cards.h: which graphics cards this machine has, asked of NVML (the driver's own library), without touching CUDA. */
#ifndef GPU_CARDS_H
#define GPU_CARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "failure.h"

enum { CARDS_MOST = 64 };

/*
 * A card, by its place in CUDA_VISIBLE_DEVICES, which chooses and orders them, or else by its place on the bus. That
 * is the number that CUDA has for it in this process where CUDA_DEVICE_ORDER=PCI_BUS_ID, or all cards are of one kind.
 * Of a part of a card (MIG-...) only the UUID is known for certain; what is not known is "" or 0.
 */
struct card_facts {
    char uuid[64];          /* "GPU-1c5d...", "MIG-...": what CUDA_VISIBLE_DEVICES takes */
    char name[96], bus[32]; /* "NVIDIA H200", "0000:0a:00.0" */
    uint64_t memory;        /* bytes */
    int major, minor;       /* compute capability */
};

/* Whether a card of that name, or description, is only emulated (tests/emulated): its times say nothing of any card. */
static inline bool card_is_emulated(const char *name) {
    static const char EMULATED[] = "Emulated";
    return strncmp(name, EMULATED, sizeof EMULATED - 1) == 0;
}

/*
 * Why not cudaGetDeviceCount: a process that has called CUDA cannot be forked any more, and holds some hundred MB of
 * each card that it has looked at. A front must not. All of these may be called by several threads at once.
 */

/*
 * Stores the cards that CUDA would show to this process and returns how many; 0 and the reason where there are none:
 * no driver, no card, or CUDA_VISIBLE_DEVICES hides them all. It is read as CUDA does: an entry that means no card ends
 * the list, one that is repeated empties it.
 */
size_t cards_list(struct card_facts cards[CARDS_MOST], struct failure *failure);
/* "580.65": of the driver; "" when there is none. */
void cards_driver(char *version, size_t size);

/*
 * What a worker process is given in its environment so that it sees its card and no other, before it executes:
 * "cuda:1" becomes CUDA_VISIBLE_DEVICES=<its UUID>, AT_CARD=1 and CUDA_DEVICE_ORDER=PCI_BUS_ID. Returns how many
 * variables were stored, 0 for a device that is no card, or a card that is not there: the worker that opens it says so.
 * The texts are in `texts`. Where there is a driver without NVML (WSL, Jetson), cards go by their numbers.
 */
#define CARD_BOUND "AT_CARD"
enum { CARD_VARIABLES = 3 };
size_t cards_bind(const char *device, at_variable variables[CARD_VARIABLES], char texts[CARD_VARIABLES][96]);

/* What CUDA calls card `number` in this process: 0 if the process was bound to it, else the number itself. */
unsigned cards_number_here(unsigned number);

/*
 * What NVML says of a card just now. False where it says nothing: no such card, no NVML. A part that it does not know
 * is NAN: energy in joules since the driver was loaded, power in watts, utilisation from 0 to 1, memory in bytes.
 */
struct card_state {
    double energy, power, utilisation, memory_used;
};
bool cards_state(const char *uuid, struct card_state *state);

#endif
