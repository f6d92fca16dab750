/* zygote_internal.h (internal): what a zygote and its parent say to each other. */

/*
 *   parent                                      zygote
 *   request LAUNCH, name, argument      ->      forks; the child waits at the gate
 *                                       <-      answer: error or pid, with the pidfd
 *   verdict: go, or not (no descriptor) ->      opens the gate
 *
 *   request REAP, pid                   ->      waits for it
 *                                       <-      answer: error or status
 */
#ifndef ATELIER_ZYGOTE_INTERNAL_H
#define ATELIER_ZYGOTE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "internal.h"

enum { ARGUMENT_MAX = 64 * 1024 };

struct request {
    enum { LAUNCH, REAP } kind;
    pid_t pid; /* of REAP */
    struct launch
        launch;      /* of LAUNCH; its pointers mean the same in both processes, but for the names and the argument */
    char name[256];  /* launch.identity.name; longer ones are cut */
    size_t arg_size; /* the bytes at launch.arg, which follow the request; 0: launch.arg is the argument itself */
};

struct answer {
    int error;
    int value; /* pid or status */
};

/* ---- zygote_messages.c: whole or not at all */

/* 0, AT_ENOZYGOTE when the other side is gone, or -errno. */
int message_send(int socket, const struct msghdr *message);
int message_send_bytes(int socket, const void *bytes, size_t size);
int answer_send(int socket, const struct answer *answer, int descriptor); /* that travels beside it; -1: none */

/* The number of bytes received, 0 when the other side is gone or does not answer; whether that many were received. */
size_t message_receive(int socket, struct msghdr *message);
bool message_receive_bytes(int socket, void *bytes, size_t size);

/* Stores -1 as the descriptor when none came, or there was no room for it in this process. */
bool answer_receive(int socket, struct answer *answer, int *descriptor);

/* ---- zygote_serve.c: in the zygote */

/* The zygote's target, given both ends of the socket: ends when its parent closes the other, or dies. */
int zygote_serve(void *ends);

/* In a process that the zygote has just forked: closes the zygote's end, which its children must not have. */
void zygote_serve_no_more(void);

#endif
