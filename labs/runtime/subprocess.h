/* subprocess.h: other programs: started, connected, waited for, timed out; as Python's subprocess. */
#ifndef ATELIER_SUBPROCESS_H
#define ATELIER_SUBPROCESS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "api.h"
#include "options.h"

AT_BEGIN_DECLS

/*
 * A start costs the same however large this process is: the child borrows its memory until it executes the program.
 * Either the program runs, or the call says what failed, at which stage, and for which file, and leaves no process and
 * no descriptor behind. Signals are sent by pidfd: never to a stranger who has the pid now. A return code is never
 * invented: where somebody else took the child's status, the kernel is asked for it (Linux 6.15), and else it is
 * -ECHILD.
 *
 * All calls may be made by any thread, several at once on one handle, too; none is for signal handlers. In a process
 * forked by this one the handles say AT_ENOTCHILD, and its copies of their pipes are closed.
 */

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
     * read in any case, and the result is flagged `truncated`. Left out: 0.25 s; at_seconds(AT_FOREVER): as Python
     */
    at_optional_seconds drain;

    struct at_command_failure *failure; /* where to store why the call failed */

    /* The rest is for at_run and at_check_output. */

    at_input input;                 /* written to the child's stdin, and then that is closed */
    bool capture_output;            /* .stdout = AT_PIPE, .stderr = AT_PIPE */
    at_optional_seconds timeout;    /* then its process group is killed; with one, the child leads a group of its own */
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
    char file
        [256]; /* what the stage was about: the program, the folder, a stream's or an option's name; cut if longer */
    char text[512]; /* all that as a sentence */
} at_command_failure;

/* ---- run */

/* A return code that nobody knows: not started, or -ECHILD. */
#define AT_NO_RETURNCODE INT_MIN

/* How a command went (CompletedProcess, CalledProcessError and TimeoutExpired). at_completed_free gives it back. */
typedef struct at_completed {
    char **args;    /* a copy of the command, ending with NULL; NULL when the command itself was none */
    int returncode; /* the exit code, or minus the signal that ended it, or AT_NO_RETURNCODE */
    char *stdout;   /* what it wrote, with a NUL behind it that does not count; NULL when not captured */
    size_t stdout_size;
    char *stderr;
    size_t stderr_size;
    bool timed_out; /* then text is as it was written, undecoded */
    bool truncated; /* another process kept a pipe open past .drain */
    at_command_failure failure;
} at_completed;

/*
 * Runs a command and waits until it has ended (subprocess.run):
 *     at_completed done;
 *     at_check(at_run(AT_ARGS("ls", "-la"), .capture_output = true, .completed = &done));
 * Returns 0 when it ran, whatever its return code. The result is stored in any case, with all that was written:
 *   -ETIMEDOUT    not ended after .timeout: it and its process group have been killed, and it has been reaped
 *   AT_ECOMMAND   .check, and it ended by a signal or not with 0
 *   -EILSEQ       input or output is no text, and .errors is strict: then output is as it was written
 *   -ECHILD       it has ended, but nobody can know how
 *   -EINVAL       options that contradict each other, or make no sense: .failure names them, nothing was started
 *   -ENOENT, -EACCES, -EMFILE, -ENOMEM, -EAGAIN, -E2BIG, -ENOEXEC...  not started: .failure says at which stage
 *   -EOVERFLOW    a timeout (clock.h); a negative one polls
 */
#define at_run(args, ...) at_run_command(AT_COMMAND(args), &(at_subprocess_options){.no_option = 0, __VA_ARGS__})
AT_API int at_run_command(at_command command, const at_subprocess_options *options) AT_MUST_CHECK;

/* Gives back what it holds, and leaves it empty. NULL and an empty one will do. */
AT_API void at_completed_free(at_completed *completed);

/* AT_ECOMMAND unless it ended with 0 (CompletedProcess.check_returncode), and the failure's text then says how. */
AT_API int at_completed_check(at_completed *completed) AT_MUST_CHECK;

/*
 * at_run with .check, that stores what the command wrote to stdout (subprocess.check_output) with a NUL behind it, to
 * be freed by the caller, and returns how many bytes; on an error NULL is stored.
 */
#define at_check_output(output, ...) AT_CHECK_OUTPUT_WITH(output, __VA_ARGS__, .no_option = 0)
#define AT_CHECK_OUTPUT_WITH(output, args, ...)                                                                        \
    at_check_output_of((output), AT_COMMAND(args), &(at_subprocess_options){__VA_ARGS__})
AT_API ssize_t at_check_output_of(char **output, at_command command,
                                  const at_subprocess_options *options) AT_MUST_CHECK;

/*
 * What a line for the shell prints, stdout and stderr, as text without the last newline (subprocess.getoutput), and its
 * return code (getstatusoutput). The caller frees the output; on an error it is NULL.
 */
AT_API int at_getoutput(char **output, const char *line) AT_MUST_CHECK;
AT_API int at_getstatusoutput(int *returncode, char **output, const char *line) AT_MUST_CHECK;

/* ---- Popen */

typedef struct at_popen at_popen;

/*
 * Starts a command (subprocess.Popen) and stores its handle; on an error NULL is stored, and .failure says more.
 * Errors: as at_run's.
 */
#define at_popen_new(popen, ...) AT_POPEN_NEW_WITH(popen, __VA_ARGS__, .no_option = 0)
#define AT_POPEN_NEW_WITH(popen, args, ...)                                                                            \
    at_popen_create((popen), AT_COMMAND(args), &(at_subprocess_options){__VA_ARGS__})
AT_API int at_popen_create(at_popen **popen, at_command command, const at_subprocess_options *options) AT_MUST_CHECK;

/*
 * Closes its pipes and gives the handle back. A child that still runs goes on, and is reaped at a later start. Calls of
 * other threads that have begun go on to their end.
 */
AT_API void at_popen_free(at_popen *popen);

/*
 * Whether it has ended (Popen.poll): 0, and how is stored (as at_completed's returncode; NULL is not stored to), or
 * -EAGAIN while it runs, or is stopped. Errors: -ECHILD when it has ended and nobody can know how; AT_ENOTCHILD.
 */
AT_API int at_popen_poll(at_popen *popen, int *returncode) AT_MUST_CHECK;

/*
 * Waits until it has ended (Popen.wait). A negative timeout polls. Errors: -ETIMEDOUT; as poll's; -EINVAL, -EOVERFLOW.
 */
AT_API int at_popen_wait(at_popen *popen, double timeout, int *returncode) AT_MUST_CHECK;

/*
 * Sends a signal (Popen.send_signal, terminate, kill); nothing happens once it has ended. Errors: -EINVAL,
 * AT_ENOTCHILD.
 */
AT_API int at_popen_send_signal(at_popen *popen, int number) AT_MUST_CHECK;
AT_API int at_popen_terminate(at_popen *popen) AT_MUST_CHECK;
AT_API int at_popen_kill(at_popen *popen) AT_MUST_CHECK;

/*
 * The same to all of its process group (os.killpg), which goes on when its leader has ended. Errors: AT_ENOTLEADER
 * unless it was started with .start_new_session or .process_group = at_group(0).
 */
AT_API int at_popen_signal_group(at_popen *popen, int number) AT_MUST_CHECK;

/* What communicate has read: with a NUL behind it, NULL when not a pipe. It belongs to the handle. */
typedef struct at_output {
    const char *data;
    size_t size;
    bool truncated; /* another process kept the pipe open past .drain */
} at_output;

/*
 * Writes the input to stdin and closes it, reads stdout and stderr to their ends, and waits until the child has ended
 * (Popen.communicate). Output is stored where the pointers are not NULL; it is valid until the next communicate, or
 * free. Errors: -ETIMEDOUT, and the child lives, what was read so far is stored, undecoded, and another communicate
 * goes on where this one stopped, with the rest of the input, which was copied, and all of the output; AT_EINPUT for
 * other input then; AT_ENOPIPE for input without .stdin = AT_PIPE; -EILSEQ; -ENOMEM; as wait's.
 */
AT_API int at_popen_communicate(at_popen *popen, at_input input, double timeout, at_output *out,
                                at_output *err) AT_MUST_CHECK;

/*
 * This process's ends of the pipes (Popen.stdin, stdout, stderr): descriptors that belong to the handle.
 * at_popen_detach hands one over, STDIN_FILENO, STDOUT_FILENO or STDERR_FILENO, to the caller, who closes it: so
 * close(at_popen_detach(p, STDIN_FILENO)) is Python's p.stdin.close(). Errors: AT_ENOPIPE; AT_ENOTCHILD.
 */
AT_API int at_popen_stdin(at_popen *popen) AT_MUST_CHECK;
AT_API int at_popen_stdout(at_popen *popen) AT_MUST_CHECK;
AT_API int at_popen_stderr(at_popen *popen) AT_MUST_CHECK;
AT_API int at_popen_detach(at_popen *popen, int number) AT_MUST_CHECK;

/* Its process id (Popen.pid), and its command (Popen.args), valid as long as the handle. */
AT_API pid_t at_popen_pid(at_popen *popen);
AT_API const char *const *at_popen_args(const at_popen *popen);

/* A descriptor, a pidfd, that poll finds readable once it has ended; it belongs to the handle. Errors: AT_ENOTCHILD. */
AT_API int at_popen_sentinel(at_popen *popen) AT_MUST_CHECK;

AT_END_DECLS

#endif
