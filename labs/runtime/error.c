/* error.c: the texts of the error codes, and how a program ends on one; see error.h. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *at_strerror(int code) {
    switch (code) {
    case AT_ENOTSTARTED:
        return "not started yet; start it first";
    case AT_ESTARTED:
        return "already started, and it starts only once; make a new one";
    case AT_ENOTARGET:
        return "no target to run; give it one with .target = function";
    case AT_ENOTJOINABLE:
        return "not started by at_thread_start, so it cannot be joined; join the threads that you started";
    case AT_ENOTCHILD:
        return "not a child of this process; only the process that started it may do that";
    case AT_ERUNNING:
        return "still running; join or terminate it first";
    case AT_ECLOSED:
        return "closed; make a new one";
    case AT_EDAEMON:
        return "a daemon process may not start children; start it without .daemon";
    case AT_ETHREADS:
        return "other threads run already, and a fork would copy the locks they hold; start the zygote first thing in "
               "main";
    case AT_ENOZYGOTE:
        return "no zygote; call at_zygote_start first thing in main";
    case AT_EEMPTY:
        return "the queue is empty; wait longer, or AT_FOREVER, or see who should put something in";
    case AT_EFULL:
        return "full; wait until something has been taken out, or allow for more";
    case AT_ETOOLARGE:
        return "larger than it can ever hold; make it with a larger .capacity, or send it in parts";
    case AT_ECOUNT:
        return "at least 1 is needed";
    case AT_EDIED:
        return "the worker died with the task in its hands; the failure says how, and .retries runs it again";
    case AT_ETASKTIME:
        return "the task took longer than its .timeout, and its worker was killed; give it more, or do less";
    case AT_EBROKEN:
        return "the pool is broken: its workers die before they can work; at_pool_failure says of what";
    case AT_EOPEN:
        return "the pool is still open; close or terminate it first";
    case AT_EEND:
        return "there is no further result; every one has been given out";
    case AT_ENOTMINE:
        return "it belongs to the process that made it; use it there";
    case AT_ECOMMAND:
        return "the command failed; its return code says how, and what it wrote may say why";
    case AT_ENOPIPE:
        return "not a pipe, or closed; start the command with AT_PIPE for that stream, and use its end once";
    case AT_EINPUT:
        return "communicate has begun with other input; give it no more, or none at all the first time";
    case AT_ENOTLEADER:
        return "it leads no process group; start it with .process_group = at_group(0) or .start_new_session = true";
    case -EBUSY:
        return "another thread's call has it just now; wait until that is over";
    case -EILSEQ:
        return "not text in that encoding; name the right .encoding, or say .errors = \"replace\"";
    case -EDEADLK:
        return "it would wait for itself for ever; let another thread do it";
    case -ETIMEDOUT:
        return "not within the time given; wait longer, or AT_FOREVER";
    case -EOVERFLOW:
        return "too many seconds; AT_FOREVER waits without end";
    case -EMSGSIZE:
        return "the sizes do not fit; the message or the result has another size than the place for it";
    case -EBADMSG:
        return "somebody wrote garbage into its shared memory; make a new one, and look for stray writes";
    case -ECANCELED:
        return "the pool was terminated first; close it and join it instead, to have all tasks done";
    case -EMFILE:
        return "too many open files; close some, or raise ulimit -n";
    default:
        break;
    }
    /* strerrordesc_np is strerror without a buffer shared between threads; it knows every errno. strerror(3) */
    const char *text = code < 0 && code >= -4095 ? strerrordesc_np(-code) : NULL;
    return text != NULL ? text : code >= 0 ? "no error" : "unknown error code";
}

/*
 * One write, so that lines of several threads or processes do not mix; straight to the descriptor, as stdio may be
 * locked.
 */
static void complain(const char *format, va_list arguments) {
    char line[1024];
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    size_t size = length < 0 ? 0 : (size_t)length;
    if (size > sizeof line - 2)
        size = sizeof line - 2;
    line[size++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, size);
    (void)written; /* with stderr gone there is nobody left to tell */
}

void at_fatal(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
    abort();
}

static void complain_of(const char *format, ...) AT_PRINTF(1, 2);

static void complain_of(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
}

int at_check_result(int result, const char *call, const char *file, int line) {
    if (result >= 0)
        return result;
    fflush(stdout);
    complain_of("%s:%d: %s: %s", file, line, call, at_strerror(result));
    _exit(EXIT_FAILURE);
}
