/* cursor.h: reads JSON in place, in the order in which it comes: no memory, no recursion, no byte beyond the end. */
#ifndef GPU_CLIENT_CURSOR_H
#define GPU_CLIENT_CURSOR_H

#include <stdbool.h>
#include <stddef.h>

struct cursor {
    const char *at, *end;
};

/* Some bytes of the text, not ended by a 0. */
struct slice {
    const char *bytes;
    size_t length;
};

/* Skips white space; then takes the character if it is the next one. */
bool cursor_take(struct cursor *cursor, char character);

/*
 * Takes a string and gives what lies between its quotes as it is written, escapes and all. False where there is
 * none.
 */
bool cursor_string(struct cursor *cursor, struct slice *string);

/*
 * Takes a finite number (of its 63 first characters). Whole takes one that is 0 to `most` and has neither sign nor
 * fraction.
 */
bool cursor_number(struct cursor *cursor, double *number);
bool cursor_whole(struct cursor *cursor, unsigned long most, unsigned long *number);
bool cursor_boolean(struct cursor *cursor, bool *value);

/* Takes any one value, as deep as 32 arrays and objects in one another. */
bool cursor_skip(struct cursor *cursor);

/*
 * Steps through an object or an array whose opening bracket has been taken: true when there is one more member, of
 * which the key and the ':' have been taken; false at its end, which has been taken, or where it is broken: then `ok`
 * is false. `first` is true at the first call and belongs to this loop.
 */
bool cursor_member(struct cursor *cursor, bool *first, struct slice *key, bool *ok);
bool cursor_element(struct cursor *cursor, bool *first, bool *ok);

/* Whether only white space is left. */
bool cursor_at_end(struct cursor *cursor);

bool slice_is(struct slice slice, const char *text);

#endif
