/* devices.c: the place of the serving lab's devices: a process for each, bound to it. */
#include "modes.h"

const struct mode devices_mode = {
    .name = "devices", .title = "devices", .missing = "not in this table yet; make bench-serving measures them"};
