/* json_write.h: JSON text in memory that grows as it is written. */
#ifndef GPU_JSON_WRITE_H
#define GPU_JSON_WRITE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * The text so far, in `data`, to be freed by free(). Where memory is short it becomes NULL, and what is written from
 * then on is lost: it is enough to look once, at the end.
 */
struct json_writer {
    char *data;
    size_t size, room;
};

/* Begins a text that is expected to need so many bytes. */
void write_begin(struct json_writer *writer, size_t room);

/* Room for so many bytes more, at the end, which count as written; NULL: there is none. */
char *write_room(struct json_writer *writer, size_t size);

static inline void write_bytes(struct json_writer *writer, const char *data, size_t size) {
    char *room = write_room(writer, size);
    if (room != NULL)
        memcpy(room, data, size);
}

#define WRITE(writer, literal) write_bytes(writer, "" literal, sizeof(literal) - 1)

/* A string, with its quotes, escaped where it must be; bytes that are no UTF-8 become U+FFFD. */
void write_string(struct json_writer *writer, const char *text);
void write_whole(struct json_writer *writer, uint64_t value);

/* A finite number as number_print has it. */
void write_float(struct json_writer *writer, float value);

#endif
