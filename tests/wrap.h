/*
 * wrap.h: calls of libc that fail on demand, for suites that are linked with --wrap (the Makefile says which calls of
 * which). The suite says when: it has `fault.error`, an errno, and strikes(CALL), true when this one is to fail.
 */
#ifndef ATELIER_TESTS_WRAP_H
#define ATELIER_TESTS_WRAP_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Defines __wrap_CALL, which fails as most calls do: with a value, and errno. */
#define WRAP(type, call, failure, parameters, ...)                                                                     \
    type __real_##call parameters;                                                                                     \
    type __wrap_##call parameters;                                                                                     \
    type __wrap_##call parameters {                                                                                    \
        if (!strikes(#call))                                                                                           \
            return __real_##call(__VA_ARGS__);                                                                         \
        errno = fault.error;                                                                                           \
        return failure;                                                                                                \
    }

/* Those that more than one suite wraps. */
#define WRAP_MALLOC WRAP(void *, malloc, NULL, (size_t size), size)
#define WRAP_REALLOC WRAP(void *, realloc, NULL, (void *memory, size_t size), memory, size)
#define WRAP_MMAP                                                                                                      \
    WRAP(void *, mmap, MAP_FAILED, (void *where, size_t size, int protection, int flags, int fd, off_t offset), where, \
         size, protection, flags, fd, offset)
#define WRAP_FORK WRAP(pid_t, fork, -1, (void), )
#define WRAP_PIDFD_OPEN WRAP(int, pidfd_open, -1, (pid_t pid, unsigned flags), pid, flags)
#define WRAP_PPOLL                                                                                                     \
    WRAP(int, ppoll, -1, (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),    \
         fds, count, timeout, mask)
#define WRAP_PTHREAD_CREATE                                                                                            \
    WRAP(int, pthread_create, fault.error,                                                                             \
         (pthread_t * thread, const pthread_attr_t *attributes, void *(*start_of)(void *), void *arg), thread,         \
         attributes, start_of, arg)
#define WRAP_RECVMSG WRAP(ssize_t, recvmsg, -1, (int socket, struct msghdr *message, int flags), socket, message, flags)
#define WRAP_SENDMSG                                                                                                   \
    WRAP(ssize_t, sendmsg, -1, (int socket, const struct msghdr *message, int flags), socket, message, flags)
#define WRAP_SOCKETPAIR                                                                                                \
    WRAP(int, socketpair, -1, (int domain, int type, int protocol, int ends[2]), domain, type, protocol, ends)
#define WRAP_WAITID                                                                                                    \
    WRAP(int, waitid, -1, (idtype_t type, id_t id, siginfo_t * info, int options), type, id, info, options)

#endif
