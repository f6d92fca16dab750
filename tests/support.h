/* support.h: what the Check suites share: skipping with a reason, and counting what a test leaves behind. */
#ifndef ATELIER_TESTS_SUPPORT_H
#define ATELIER_TESTS_SUPPORT_H

#include <check.h>
#include <stdbool.h>

#ifndef __has_feature
#define __has_feature(name) 0 /* clang's; gcc defines __SANITIZE_...__ instead */
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define UNDER_TSAN true
#else
#define UNDER_TSAN false
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define UNDER_ASAN true
#else
#define UNDER_ASAN false
#endif

/* Runs the suite and frees it; returns main's result: 0 when every test passed. */
int run_suite(Suite *suite);

/*
 * Ends the running test; tests/run counts it as skipped, for this reason. Check itself knows no skips and calls it
 * passed.
 */
void skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Ends the main thread of a test's process, while others go on. */
void end_main_thread(void) __attribute__((noreturn));

/* The processors that this process may run on. */
int usable_cores(void);
int first_usable_core(void);

/*
 * What a test leaves behind shows as a difference between two counts: the open descriptors, the threads (a sanitizer
 * has one of its own), the children, and those of them that are dead and not yet waited for. A thread that is on its
 * way out does not count: pthread_join may return a moment before the kernel has taken it off the list.
 */
int count_fds(void);
int count_entries(const char *folder); /* of any folder: /proc/PID/fd, say */
int count_threads(void);
int count_children(void);
int count_zombies(void);

#endif
