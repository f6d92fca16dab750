/* member.h: one process of a training: `train --worker INDEX DEVICE MEMORY BELL`, the last two descriptors. */
#ifndef GPU_TRAINING_MEMBER_H
#define GPU_TRAINING_MEMBER_H

#include "team.h"

/* Works until all epochs are over. Returns the program's status; what went wrong is in the member's report. */
int member_main(int argc, char *argv[]);

#endif
