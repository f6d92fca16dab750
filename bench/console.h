/* console.h: what the person at the terminal sees and does while it runs: progress, Ctrl-C, a wrong result. */
#ifndef BENCH_CONSOLE_H
#define BENCH_CONSOLE_H

#include <stdbool.h>
#include <stdio.h>

/*
 * From now on Ctrl-C (and SIGTERM) only sets a flag: measuring stops at the next sample and what there is gets
 * written.
 */
void catch_interrupts(void);
bool interrupted(void);

/* Something of ours could not be measured, or not to the end: a line on stderr, and the program ends with status 1. */
void note_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The status to end with: after Ctrl-C 128 + the signal, as shells have it; 1 when something has failed; 0. */
int end_status(void);

/*
 * Says on stderr what is being measured: on a terminal a line that overwrites itself, with the time left; in a log a
 * plain line each time that `what` changes. seconds_left below 0: not known.
 */
void progress(const char *what, double seconds_left) __attribute__((nonnull));

/* So many seconds come after what progress tells of: other programs, which a person at the terminal waits for, too. */
void progress_after(double seconds);

/* Removes the progress line, before other text. */
void progress_clear(void);

/* A line on stderr, past the progress line. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A result was wrong: says which and ends the run with status 1. Timings of wrong work are worth nothing. */
void wrong_result(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* From now on it tells the one whose peer this process is, as peer.h has it, and ends only this process. */
void wrong_results_to(FILE *answers);

/* "84 ns", "12.3 us", "1.20 s": three digits and a unit, in one of a few turning buffers. */
const char *human_time(double ns);

/* "5", "100 000", "1.3 million": a count as one says it, in a turning buffer too. */
const char *human_count(double count);

#endif
