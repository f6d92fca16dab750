/* command.h: a command, what it is connected to and how it is to run; and how it failed (subprocess.h runs it). */
#ifndef ATELIER_COMMAND_H
#define ATELIER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "api.h"
#include "options.h"

AT_BEGIN_DECLS

/* ---- what to run */

/*
 * A command is a vector that ends with NULL, AT_ARGS("ls", "-la") or main's argv, or one string: a line for the shell
 * with .shell = true, else the name of a program without arguments. A program without '/' is looked for in PATH. With
 * .shell, further arguments of a vector are the shell's $0, $1...
 */
typedef struct at_command {
    const char *line;
    const char *const *vector;
} at_command;

#define AT_ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define AT_COMMAND(args)                                                                                               \
    _Generic((args),                                                                                                   \
             char *: at_command_line,                                                                                  \
             const char *: at_command_line,                                                                            \
             char **: at_command_argv,                                                                                 \
             char *const *: at_command_argv,                                                                           \
             const char **: at_command_vector,                                                                         \
             const char *const *: at_command_vector)(args)

static inline at_command at_command_line(const char *line) {
    at_command command = {line, NULL};
    return command;
}

static inline at_command at_command_vector(const char *const *vector) {
    at_command command = {NULL, vector};
    return command;
}

static inline at_command at_command_argv(char *const *argv) {
    return at_command_vector((const char *const *)argv);
}

/* ---- options */

/* What a standard stream of the child is connected to: left out, to this process's own. */
typedef enum at_stream_kind {
    AT_STREAM_INHERIT,
    AT_STREAM_PIPE,       /* a pipe, whose other end the handle has */
    AT_STREAM_DEVNULL,    /* /dev/null */
    AT_STREAM_STDOUT,     /* for stderr only: wherever stdout goes */
    AT_STREAM_DESCRIPTOR, /* an open descriptor, which stays the caller's */
    AT_STREAM_FILE,       /* the descriptor of an open FILE; what is written to it is flushed first */
} at_stream_kind;

typedef struct at_stream {
    at_stream_kind kind;
    int descriptor;
    FILE *file;
} at_stream;

#define AT_PIPE at_stream_of(AT_STREAM_PIPE)
#define AT_DEVNULL at_stream_of(AT_STREAM_DEVNULL)
#define AT_STDOUT at_stream_of(AT_STREAM_STDOUT)

static inline at_stream at_stream_of(at_stream_kind kind) {
    at_stream stream = {kind, -1, NULL};
    return stream;
}

static inline at_stream at_descriptor(int descriptor) {
    at_stream stream = {AT_STREAM_DESCRIPTOR, descriptor, NULL};
    return stream;
}

static inline at_stream at_file(FILE *file) {
    at_stream stream = {AT_STREAM_FILE, -1, file};
    return stream;
}

/* Bytes for the child's stdin: at_text("a string"), at_bytes(data, size), or AT_NO_INPUT. */
typedef struct at_input {
    bool given;
    const void *data;
    size_t size;
} at_input;

#define AT_NO_INPUT at_no_input()

static inline at_input at_no_input(void) {
    at_input input = {false, NULL, 0};
    return input;
}

static inline at_input at_bytes(const void *data, size_t size) {
    at_input input = {true, data, size};
    return input;
}

static inline at_input at_text(const char *text) {
    return at_bytes(text, __builtin_strlen(text));
}

/*
 * An environment instead of this process's: .env = AT_ENV({"LANG", "C"}, {"HOME", "/tmp"}), AT_EMPTY_ENV, or
 * at_env(variables, count).
 */
typedef struct at_variable {
    const char *name, *value;
} at_variable;

typedef struct at_environment {
    bool given;
    const at_variable *variables;
    size_t count;
    const size_t *sizes; /* of each name and value, 2 * count, when they do not end with NUL; one within is an error */
} at_environment;

#define AT_ENV(...)                                                                                                    \
    at_env((const at_variable[]){__VA_ARGS__}, sizeof((const at_variable[]){__VA_ARGS__}) / sizeof(at_variable))
#define AT_EMPTY_ENV at_env(NULL, 0)

static inline at_environment at_env(const at_variable *variables, size_t count) {
    at_environment environment = {true, variables, count, NULL};
    return environment;
}

/* .pass_fds = AT_FDS(5, 7) */
typedef struct at_descriptors {
    const int *list;
    size_t count;
} at_descriptors;

#define AT_FDS(...) at_fds((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static inline at_descriptors at_fds(const int *list, size_t count) {
    at_descriptors descriptors = {list, count};
    return descriptors;
}

static inline at_optional_count at_group(pid_t group) {
    at_optional_count leader = {true, group};
    return leader;
}

static inline at_optional_count at_umask(mode_t mask) {
    at_optional_count bits = {true, (long)mask};
    return bits;
}

struct at_completed;
struct at_command_failure;

/* Everything that is given is copied or used up before the call returns. */
typedef struct at_subprocess_options {
    int no_option; /* so that at_run(args) needs none */

    at_stream stdin, stdout, stderr;

    bool shell;             /* run by /bin/sh -c */
    const char *executable; /* the program to execute, when args[0] is only to be its name; with .shell: the shell */
    const char *cwd;        /* the child's working folder */
    at_environment env;
    const size_t *arg_sizes; /* of the arguments, when they do not end with NUL; a NUL within one is an error */

    at_descriptors pass_fds; /* stay open in the child, by the same numbers */
    at_switch close_fds; /* AT_OFF: those without O_CLOEXEC stay open, too; left out, only 0, 1, 2 and pass_fds do */
    at_switch restore_signals; /* AT_OFF: SIGPIPE and SIGXFSZ stay ignored, if they are; left out: as by default */
    bool start_new_session;    /* setsid(2) */
    at_optional_count process_group; /* setpgid(2): at_group(0) for one of its own */
    at_optional_count umask;         /* umask(2) */
    bool outlives_parent;            /* left out: killed by the kernel when this process ends, however it does */

    bool text;               /* what is captured is UTF-8, checked, with '\n' for "\r\n" and '\r' */
    bool universal_newlines; /* the older name of .text */
    const char *encoding;    /* what the child speaks (implies .text): left out "utf-8"; or any that iconv knows */
    const char *errors;      /* at bytes that are no text: left out "strict" (-EILSEQ); "replace" by U+FFFD, "ignore" */

    /*
     * Once the child has ended, how long a pipe is still read that another process holds open: what the child wrote is
     * read in any case, and the result is flagged `truncated`. Left out: 0.25 s, which is the most after a .timeout;
     * at_seconds(AT_FOREVER): without end, as Python.
     */
    at_optional_seconds drain;

    struct at_command_failure *failure; /* where to store why the call failed */

    /* The rest is for at_run and at_check_output. */

    at_input input;                 /* written to the child's stdin, and then that is closed */
    bool capture_output;            /* .stdout = AT_PIPE, .stderr = AT_PIPE */
    at_optional_seconds timeout;    /* then it is killed, with the group that it leads: without another one, its own */
    bool check;                     /* AT_ECOMMAND unless it ends with 0 */
    struct at_completed *completed; /* where to store how it went */
} at_subprocess_options;

/* ---- how it went wrong */

typedef enum at_stage {
    AT_STAGE_NONE,
    AT_STAGE_OPTIONS,     /* what was asked for makes no sense; nothing has been tried */
    AT_STAGE_PIPE,        /* making the pipes */
    AT_STAGE_OPEN,        /* opening `file` */
    AT_STAGE_FORK,        /* making the child */
    AT_STAGE_SIGNALS,     /* in the child: its signals, its tie to this process */
    AT_STAGE_SESSION,     /* setsid */
    AT_STAGE_GROUP,       /* setpgid */
    AT_STAGE_STREAMS,     /* connecting stdin, stdout and stderr */
    AT_STAGE_CHDIR,       /* changing to `file` */
    AT_STAGE_DESCRIPTORS, /* closing the others, passing pass_fds */
    AT_STAGE_EXEC,        /* executing `file` */
    AT_STAGE_RUN,         /* it ran: too long, or it failed, or its status is unknown */
    AT_STAGE_OUTPUT,      /* its output could not be kept, or is no text */
} at_stage;

typedef struct at_command_failure {
    int code; /* what the call returned */
    at_stage stage;
    char file[256]; /* what it was about: the program, the folder, a stream's or an option's name; cut if longer */
    char text[512]; /* all that as a sentence */
} at_command_failure;

AT_END_DECLS

#endif
