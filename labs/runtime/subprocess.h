/* subprocess.h: other programs: started, connected, waited for, timed out; as Python's subprocess. */
#ifndef ATELIER_SUBPROCESS_H
#define ATELIER_SUBPROCESS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "api.h"
#include "command.h"

AT_BEGIN_DECLS

/*
 * A start costs the same however large this process is: the child borrows its memory until it executes the program.
 * Either the program runs, or the call says what failed, at which stage, and for which file, and leaves no process and
 * no descriptor behind. Signals are sent by pidfd: never to a stranger who has the pid now. A return code is never
 * invented: where somebody else took the child's status, the kernel is asked for it (Linux 6.15), and else it is
 * -ECHILD.
 *
 * All calls may be made by any thread, several at once on one handle, too; a thread is not cancelled within one; none
 * is for signal handlers. NULL for options is all defaults. In a process forked by this one the handles say
 * AT_ENOTCHILD, and its copies of their pipes are closed.
 */

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
 *   -ETIMEDOUT    not ended after .timeout: it and its process group have been killed, and it has been reaped; but
 *                 one that runs as another user, whom this one may not kill, goes on, and the failure says so
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
 * Gives the handle back and closes its pipes. A child that still runs goes on, and is reaped at a later start. Calls of
 * other threads that have begun go on to their end, and the pipes with them.
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
 * free. Errors: -ETIMEDOUT, when the child lives, or others hold its pipes within .drain: what was read so far is
 * stored, undecoded, and another communicate goes on where this one stopped, with the rest of the input, which was
 * copied, and all of the output; AT_EINPUT for other input then; AT_ENOPIPE for input without .stdin = AT_PIPE;
 * -EILSEQ; -ENOMEM; as wait's. One thread at a time communicates, and others wait for it: -ETIMEDOUT, with nothing
 * stored, if that is too long.
 */
AT_API int at_popen_communicate(at_popen *popen, at_input input, double timeout, at_output *out,
                                at_output *err) AT_MUST_CHECK;

/*
 * This process's ends of the pipes (Popen.stdin, stdout, stderr): descriptors that belong to the handle.
 * at_popen_detach hands one over, STDIN_FILENO, STDOUT_FILENO or STDERR_FILENO, to the caller, who closes it: so
 * close(at_popen_detach(p, STDIN_FILENO)) is Python's p.stdin.close(). From then on a fork's child has it, too. Errors:
 * AT_ENOPIPE; AT_ENOTCHILD; detach: -EBUSY while a communicate has them.
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
