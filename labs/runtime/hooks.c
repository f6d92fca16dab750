/* hooks.c: what a test has asked to be called for, in the copy of the library that is built for tests; see hooks.h. */
#include "hooks.h"

#ifdef AT_HOOKS
struct hooks hooks;
#endif
