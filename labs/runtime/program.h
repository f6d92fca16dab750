/* program.h: the arguments of a lab's program: none, or one number. */
#ifndef ATELIER_PROGRAM_H
#define ATELIER_PROGRAM_H

#include "api.h"

AT_BEGIN_DECLS

/* For a program without arguments: --help prints its usage and ends it with 0, anything else an error and 2. */
AT_API void at_no_arguments(int argc, char *argv[]);

/*
 * For a program with at most one argument, a whole number from 1 to `most` that its usage calls `name`: returns it, or
 * `fallback` when it is left out. --help and bad arguments as above.
 */
AT_API long at_argument(int argc, char *argv[], const char *name, long fallback, long most);

AT_END_DECLS

#endif
