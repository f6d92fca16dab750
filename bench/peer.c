/* peer.c: a process beside this one that measures when asked. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"

enum {
    ANSWER_MS = 20000,      /* a peer that is silent for this long is given up */
    ANSWER_SIZE = 16 * 1024 /* bytes: some hundreds of numbers */
};

extern char **environ;

/* Two pipes, closed at exec; the ends for the peer are in theirs[]: what it reads, what it writes. */
static bool open_pipes(struct peer *peer, int theirs[2]) {
    int requests[2], answers[2];
    if (pipe2(requests, O_CLOEXEC) != 0) {
        note("bench: %s: pipe: %s", peer->name, strerror(errno));
        return false;
    }
    if (pipe2(answers, O_CLOEXEC) != 0) {
        note("bench: %s: pipe: %s", peer->name, strerror(errno));
        close(requests[0]);
        close(requests[1]);
        return false;
    }
    theirs[0] = requests[0];
    theirs[1] = answers[1];
    peer->requests = requests[1];
    peer->answers = answers[0];
    return true;
}

bool peer_spawn(struct peer *peer, const char *name, char *const argv[]) {
    int theirs[2];
    *peer = (struct peer){.name = name};
    if (!open_pipes(peer, theirs))
        return false;
    /* Its own process group: Ctrl-C is ours to handle, and the peer ends with its input. */
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, theirs[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, theirs[1], STDOUT_FILENO);
    int failure = posix_spawnp(&peer->pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(theirs[0]);
    close(theirs[1]);
    if (failure != 0) {
        note("bench: %s: %s: %s", name, argv[0], strerror(failure));
        peer->pid = 0;
        close(peer->requests);
        close(peer->answers);
        return false;
    }
    peer->group = true;
    return true;
}

/* The life of a peer that takes samples: a request, a line of them, until there are no more requests. */
static void take_samples(const void *context, FILE *requests, FILE *answers) {
    double (*const *take)(void) = context;
    char line[32];
    while (fgets(line, sizeof line, requests) != NULL) {
        for (long left = strtol(line, NULL, 10); left > 0; left--)
            fprintf(answers, "%.6g ", (*take)());
        fputc('\n', answers);
        fflush(answers);
    }
}

bool peer_fork(struct peer *peer, const char *name, double (*take)(void)) {
    return peer_fork_to(peer, name, take_samples, &take);
}

bool peer_fork_to(struct peer *peer, const char *name, peer_life *live, const void *context) {
    int theirs[2];
    *peer = (struct peer){.name = name};
    if (!open_pipes(peer, theirs))
        return false;
    fflush(NULL);
    peer->pid = fork();
    if (peer->pid == 0) {
        close(peer->requests);
        close(peer->answers);
        setpgid(0, 0);
        signal(SIGINT, SIG_IGN);
        signal(SIGTERM, SIG_DFL);
        FILE *requests = fdopen(theirs[0], "r"), *answers = fdopen(theirs[1], "w");
        wrong_results_to(answers);
        if (requests != NULL && answers != NULL)
            live(context, requests, answers);
        _exit(0);
    }
    close(theirs[0]);
    close(theirs[1]);
    if (peer->pid < 0) {
        note("bench: %s: fork: %s", name, strerror(errno));
        peer->pid = 0;
        close(peer->requests);
        close(peer->answers);
        return false;
    }
    setpgid(peer->pid, peer->pid); /* as the child does: whichever comes first */
    peer->group = true;
    return true;
}

/*
 * Reads a line, or as much of it as comes before the peer's end, Ctrl-C or ANSWER_MS of silence. True when it is
 * whole.
 */
static bool read_answer(const struct peer *peer, char *line, size_t size) {
    size_t length = 0;
    while (length + 1 < size) {
        struct pollfd pollfd = {.fd = peer->answers, .events = POLLIN};
        int ready = poll(&pollfd, 1, ANSWER_MS);
        if (ready <= 0) {
            if (!interrupted())
                note("bench: %s: no answer for %d s; it is left out", peer->name, ANSWER_MS / 1000);
            break;
        }
        ssize_t got = read(peer->answers, line + length, size - 1 - length);
        if (got <= 0) {
            if (!interrupted())
                note("bench: %s: ended without an answer; it is left out", peer->name);
            break;
        }
        length += (size_t)got;
        if (line[length - 1] == '\n') {
            line[length - 1] = '\0';
            return true;
        }
    }
    line[length] = '\0';
    return false;
}

bool peer_request(struct peer *peer, const char *request, char *answer, size_t size) {
    if (peer->pid == 0)
        return false;
    /* A peer that has ended must be an error of this write and not the end of us. */
    signal(SIGPIPE, SIG_IGN);
    if (dprintf(peer->requests, "%s\n", request) < 0) {
        note("bench: %s: has ended; it is left out from here on", peer->name);
        return false;
    }
    if (!read_answer(peer, answer, size))
        return false;
    if (strncmp(answer, "wrong:", 6) == 0)
        wrong_result("%s:%s", peer->name, answer + 6);
    if (strncmp(answer, "lost: ", 6) == 0) {
        snprintf(peer->lost, sizeof peer->lost, "%.79s", answer + 6);
        return false;
    }
    return true;
}

size_t peer_ask(struct peer *peer, struct observation *samples, size_t count) {
    static char line[ANSWER_SIZE];
    char request[24];
    snprintf(request, sizeof request, "%zu", count);
    if (!peer_request(peer, request, line, sizeof line))
        return 0;
    size_t got = 0;
    char *rest = line;
    while (got < count) {
        char *end;
        double ns = strtod(rest, &end);
        if (end == rest) {
            note("bench: %s: not an answer: \"%.60s\"; it is left out", peer->name, line);
            return 0;
        }
        samples[got++] = (struct observation){.ns = ns};
        rest = end;
    }
    char *shares = strchr(rest, ';');
    for (size_t i = 0; shares != NULL && i < got; i++)
        samples[i].share = strtod(shares + 1, NULL);
    return got;
}

void peer_stop(struct peer *peer) {
    if (peer->pid == 0)
        return;
    close(peer->requests);
    close(peer->answers);
    /* It ends by itself, unless it hangs; what it measures next is of no use to anybody. With it go its children. */
    if (kill(peer->group ? -peer->pid : peer->pid, SIGTERM) != 0)
        kill(peer->pid, SIGTERM);
    while (waitpid(peer->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    peer->pid = 0;
}
