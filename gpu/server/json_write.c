/* json_write.c: JSON text in memory: room that doubles, and the escapes. */
#include "json_write.h"

#include <stdlib.h>

#include "json.h"
#include "numbers.h"

void write_begin(struct json_writer *writer, size_t room) {
    *writer = (struct json_writer){.data = malloc(room > 0 ? room : 1), .room = room > 0 ? room : 1};
}

static void lose(struct json_writer *writer) {
    free(writer->data);
    *writer = (struct json_writer){0};
}

char *write_room(struct json_writer *writer, size_t size) {
    if (writer->data == NULL)
        return NULL;
    size_t needed;
    if (__builtin_add_overflow(writer->size, size, &needed) || needed > SIZE_MAX / 2) {
        lose(writer);
        return NULL;
    }
    if (needed > writer->room) {
        size_t room = writer->room * 2 > needed ? writer->room * 2 : needed;
        char *larger = realloc(writer->data, room);
        if (larger == NULL) {
            lose(writer);
            return NULL;
        }
        writer->data = larger;
        writer->room = room;
    }
    char *at = writer->data + writer->size;
    writer->size = needed;
    return at;
}

static void write_control(struct json_writer *writer, unsigned char control) {
    static const char NAMED[] = "\b\f\n\r\t", NAMES[] = "bfnrt", DIGITS[] = "0123456789abcdef";
    const char *named = control != 0 ? strchr(NAMED, control) : NULL;
    if (named != NULL)
        write_bytes(writer, (char[]){'\\', NAMES[named - NAMED]}, 2);
    else
        write_bytes(writer, (char[]){'\\', 'u', '0', '0', DIGITS[control >> 4], DIGITS[control & 15]}, 6);
}

void write_string(struct json_writer *writer, const char *text) {
    const char *end = text + strlen(text);
    WRITE(writer, "\"");
    while (text < end) {
        const char *plain = text;
        int size = 1;
        while (text < end && (unsigned char)*text >= ' ' && *text != '"' && *text != '\\' &&
               (size = utf8_size(text, end)) > 0)
            text += size;
        write_bytes(writer, plain, (size_t)(text - plain));
        if (text == end)
            break;
        if (size <= 0)
            WRITE(writer, "\xef\xbf\xbd");
        else if (*text == '"' || *text == '\\')
            write_bytes(writer, (char[]){'\\', *text}, 2);
        else
            write_control(writer, (unsigned char)*text);
        text++;
    }
    WRITE(writer, "\"");
}

void write_whole(struct json_writer *writer, uint64_t value) {
    char text[NUMBER_TEXT];
    write_bytes(writer, text, number_print_whole(text, value));
}

void write_float(struct json_writer *writer, float value) {
    char text[NUMBER_TEXT];
    write_bytes(writer, text, number_print(text, value));
}
