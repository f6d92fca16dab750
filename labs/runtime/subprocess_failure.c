/* subprocess_failure.c: why a call of subprocess failed, as a sentence. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "subprocess_internal.h"

/* A sentence being written; what does not fit is cut. */
struct sentence {
    char *text;
    size_t size, used;
};

static void add(struct sentence *sentence, const char *text, size_t length) {
    size_t room = sentence->size - sentence->used - 1;
    if (length > room)
        length = room;
    memcpy(sentence->text + sentence->used, text, length);
    sentence->used += length;
    sentence->text[sentence->used] = '\0';
}

/* As one would type it in a shell, an argument with other than plain characters between quotes. */
static void add_argument(struct sentence *sentence, const char *argument) {
    static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./-_";
    size_t length = strlen(argument);
    if (length > 0 && strspn(argument, PLAIN) == length) {
        add(sentence, argument, length);
        return;
    }
    add(sentence, "'", 1);
    for (const char *quote; (quote = strchr(argument, '\'')) != NULL; argument = quote + 1) {
        add(sentence, argument, (size_t)(quote - argument));
        add(sentence, "'\\''", 4);
    }
    add(sentence, argument, strlen(argument));
    add(sentence, "'", 1);
}

/* The command, no more than about half of the text, so that the reason has room. */
static void add_command(struct sentence *sentence, char *const *args) {
    char command[200];
    struct sentence typed = {.text = command, .size = sizeof command};
    for (char *const *argument = args; *argument != NULL; argument++) {
        if (argument != args)
            add(&typed, " ", 1);
        add_argument(&typed, *argument);
    }
    bool is_cut = typed.used == typed.size - 1;
    add(sentence, "command ", 8);
    add(sentence, command, typed.used);
    add(sentence, is_cut ? "...: " : ": ", is_cut ? 5 : 2);
}

int failure_set(at_command_failure *failure, int code, at_stage stage, char *const *args, const char *file,
                const char *format, ...) {
    va_list arguments;
    *failure = (at_command_failure){.code = code, .stage = stage};
    snprintf(failure->file, sizeof failure->file, "%s", file);
    struct sentence sentence = {.text = failure->text, .size = sizeof failure->text};
    if (args != NULL && *args != NULL)
        add_command(&sentence, args);
    va_start(arguments, format);
    vsnprintf(failure->text + sentence.used, sentence.size - sentence.used, format, arguments);
    va_end(arguments);
    return code;
}
