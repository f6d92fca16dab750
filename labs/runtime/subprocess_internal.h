/* subprocess_internal.h (internal): what the parts of subprocess tell each other. */
#ifndef ATELIER_SUBPROCESS_INTERNAL_H
#define ATELIER_SUBPROCESS_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lock_internal.h"
#include "process_internal.h"
#include "subprocess.h"
#include "wait.h"

/* ---- subprocess_spawn.c: a child that executes a program */

/* All that the child needs, made ready by its parent: the child can allocate nothing. */
struct spawn {
    char *const *argv;
    char *const *envp;
    char *const *candidates; /* paths of the program, in the order in which they are tried, ending with NULL */
    bool was_searched;       /* in PATH, as its name has no '/' */
    const char *cwd;         /* NULL: the parent's */
    int streams[3];          /* what becomes its stdin, stdout and stderr; -1: what the parent has there */
    bool new_session;
    bool has_group; /* setpgid to `group` */
    pid_t group;
    bool has_umask;
    mode_t umask;
    bool restore_signals;
    bool closes;       /* all descriptors but 0, 1, 2 and the passed */
    const int *passed; /* each above 2, in ascending order */
    size_t passed_count;
    bool outlives_parent; /* else it dies with the thread that spawns it */
    uint64_t mask;        /* its signal mask */
};

/*
 * Starts it and returns 0 when the program executes, and stores its pid and pidfd; else a negative errno, the stage,
 * and what that was about: a descriptor's number, or the index of the candidate.
 */
int spawn_program(const struct spawn *spawn, struct launched *launched, at_stage *stage, int *about);

/* The calling thread's signal mask, as struct spawn has it. */
uint64_t spawn_mask(void);

/* ---- subprocess_failure.c: why a call failed */

/* Fills it and returns the code; the text begins with the command, and ends as the format says. */
int failure_set(at_command_failure *failure, int code, at_stage stage, char *const *args, const char *file,
                const char *format, ...) AT_PRINTF(6, 7);

/* ---- subprocess_options.c: what is asked for */

/* Which of the options a call takes. */
enum subprocess_call { CALL_POPEN, CALL_RUN, CALL_CHECK_OUTPUT };

/* Whether the options make sense together: 0, or the negative code that the failure now explains. */
int options_check(enum subprocess_call call, const at_subprocess_options *options, at_command_failure *failure);

/* ---- subprocess_command.c: vectors for execve, made of commands and options */

/* What a spawn is made of and has to be freed after it. */
struct vectors {
    char **argv;
    char **envp; /* NULL: this process's own */
    char **candidates;
    int *passed;
};

/*
 * Copies the command into a vector of its own, one allocation, to be freed by the caller. 0 or the negative code that
 * the failure now explains; then *args is NULL or what there is to free.
 */
int command_copy(at_command command, const at_subprocess_options *options, char ***args, at_command_failure *failure);

/* Makes of it, and of the options, all that execve wants, in `vectors`, for vectors_free, and points `spawn` at it. */
int vectors_make(char *const *args, const at_subprocess_options *options, struct vectors *vectors, struct spawn *spawn,
                 at_command_failure *failure);
void vectors_free(struct vectors *vectors);

/* ---- subprocess_text.c: between bytes and text */

enum { ENCODING_SIZE = 64 }; /* bytes of a name, with its NUL */

/* How text is written outside; inside it is UTF-8 with '\n'. */
struct text {
    bool wanted;                  /* else bytes pass as they are */
    char encoding[ENCODING_SIZE]; /* as iconv spells it; "": UTF-8 */
    enum { TEXT_STRICT, TEXT_REPLACE, TEXT_IGNORE } errors;
};

/* From the options' four: 0, or -EINVAL, or -ENOMEM; then *option is the name of the one that makes no sense. */
int text_choose(const at_subprocess_options *options, struct text *text, const char **option);

/*
 * Makes text of *data, which came from malloc, holds *size bytes and one more; it may be moved, grow or shrink, and a
 * NUL is put behind it. 0; -EILSEQ, and then it is as it was and *bad is the first byte that is no text; -ENOMEM.
 */
int text_decode(const struct text *text, char **data, size_t *size, size_t *bad);

/*
 * Makes of `size` bytes of UTF-8 what the child is to read, stores it, from malloc, and its size. 0; -EILSEQ, and then
 * *bad is the first byte that is no UTF-8, or has no counterpart; -ENOMEM.
 */
int text_encode(const struct text *text, const void *data, size_t size, char **encoded, size_t *encoded_size,
                size_t *bad);

/*
 * A thread that was cancelled in the midst of a call would leave a lock, or a spawn under way, behind it for ever: none
 * is. Returns what cancel_restore wants.
 */
static inline int cancel_disable(void) {
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void cancel_restore(int before) {
    pthread_setcancelstate(before, NULL);
}

/* ---- subprocess_streams.c: what a child's streams are connected to */

extern const char *const stream_names[3];

struct connections {
    int own[3];     /* this process's ends of the pipes, each above 2; -1: none */
    int child[3];   /* what becomes the child's, as struct spawn's streams */
    bool opened[3]; /* of `child`: to be closed here when the child has it */
};

/* Makes pipes and opens /dev/null: 0, or the negative code that the failure now explains, and then nothing is open. */
int connections_open(const at_stream streams[3], char *const *args, struct connections *connections,
                     at_command_failure *failure);
void connections_close_childs(struct connections *connections);
void connections_close_own(struct connections *connections);

/* ---- subprocess_popen.c: handles */

static const double DRAIN = 0.25; /* seconds; the default of .drain */

/* What has been read from a pipe. */
struct capture {
    char *data; /* from malloc, NULL before the first read; `size` bytes and room for one more */
    size_t size, capacity;
    size_t touched; /* up to where its memory has been made ready */
    bool truncated; /* its end was not seen */
};

struct at_popen {
    at_process child; /* children.c knows the handle by this */
    char **args;
    struct text text;
    double drain;
    bool leads_group;
    _Atomic int ends[3]; /* of the pipes; -1 when there is none, or no more */

    struct at_lock communicating; /* one communicate at a time; guards the rest */
    bool begun, finished;
    bool has_ended;          /* as communicate has seen... */
    struct deadline drained; /* ...and until when its pipes are read then */
    int outcome;             /* when finished: 0 or -EILSEQ */
    const char *input;
    char *input_copy; /* NULL, or what `input` is and has to be freed */
    size_t input_size, written;
    bool had_broken_pipe;       /* this thread has got SIGPIPE for it */
    struct capture captures[3]; /* of stdout and stderr */
    size_t bad;                 /* -EILSEQ: the first byte that is no text... */
    int bad_stream;             /* ...and in what: 0 is the input */
};

/* A handle of a command that has not been started, which takes over the args; NULL when memory is short. */
at_popen *popen_new(char **args, const struct text *text, const at_subprocess_options *options);

/* Within a call: whether it has ended, and how: as at_popen_poll. */
int popen_status(at_popen *popen, int *returncode);

/* Closes an end of a pipe, if it is still there. */
void popen_close_end(at_popen *popen, int number);

/* ---- subprocess_start.c */

/*
 * Starts a command, of which the args are a copy: 0 and the handle, which takes them over, or the negative code that
 * the failure now explains, and NULL.
 */
int popen_start(enum subprocess_call call, char **args, const at_subprocess_options *options,
                const at_stream streams[3], at_popen **popen, at_command_failure *failure);

/* After -EILSEQ: what is no text, as a sentence. */
void popen_explain_text(const at_popen *popen, at_command_failure *failure);

/* ---- subprocess_exchange.c and subprocess_communicate.c */

/*
 * Takes the input for the child, which the caller lends for as long as there are exchanges, and makes bytes of it where
 * it is text: 0, -EILSEQ or -ENOMEM.
 */
int communicate_input(at_popen *popen, at_input input);

/* Before the first exchange: 0 or -ENOMEM. */
int communicate_begin(at_popen *popen);

/*
 * Writes, reads, and waits for the child's end, until the deadline: 0, -ETIMEDOUT, or -ENOMEM. What it has read is in
 * the captures.
 */
int communicate_exchange(at_popen *popen, const struct deadline *deadline);

/* After the last exchange: makes text of what was captured. 0, -EILSEQ or -ENOMEM, and then it is as it was. */
int communicate_finish(at_popen *popen);

#endif
