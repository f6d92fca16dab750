/* peer.c: a process beside this one that measures when asked. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"
#include "measure.h"

enum {
    ANSWER_SECONDS = 20,    /* a peer that is silent for this long is given up */
    END_MS = 1000,          /* one that has not ended by itself so long after it was told to is killed */
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
    pid_t leader = getpid();
    peer->pid = fork();
    if (peer->pid == 0) {
        /*
         * It ends with us, even when both of us are killed or it is stopped. So it does no harm either that it has the
         * ends of other peers' pipes: those that were spawned see the end of their input when all forked ones are gone.
         */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != leader)
            _exit(0);
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

/* Says why a peer cannot go on, and sees to it that nobody asks it again. */
__attribute__((format(printf, 2, 3))) static bool leave_out(struct peer *peer, const char *format, ...) {
    char reason[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    if (!interrupted()) /* Ctrl-C is no fault of its own */
        note("bench: %s: %s; it is left out", peer->name, reason);
    peer->broken = true;
    return false;
}

/* Whether there is something to read, or nobody left who could write, before the time is up or Ctrl-C comes. */
static bool is_readable(const struct peer *peer, time_t seconds) {
    struct pollfd answers = {.fd = peer->answers, .events = POLLIN};
    const struct timespec patience = {.tv_sec = seconds};
    sigset_t interrupts, before;
    int ready = 0;
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    sigaddset(&interrupts, SIGTERM);
    /* Let in by the wait alone: a Ctrl-C between the look and the wait would be slept through. */
    sigprocmask(SIG_BLOCK, &interrupts, &before);
    while (!interrupted() && (ready = ppoll(&answers, 1, &patience, &before)) < 0 && errno == EINTR) {
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return ready > 0;
}

/* Reads a line, without its end; false when there is none, or when more comes than a line. */
static bool read_answer(struct peer *peer, char *line, size_t size) {
    size_t length = 0;
    while (length + 1 < size) {
        if (!is_readable(peer, ANSWER_SECONDS))
            return leave_out(peer, "no answer for %d s", ANSWER_SECONDS);
        ssize_t got = read(peer->answers, line + length, size - 1 - length);
        if (got <= 0)
            return leave_out(peer, "ended without an answer");
        line[length + (size_t)got] = '\0';
        char *end = memchr(line + length, '\n', (size_t)got);
        length += (size_t)got;
        if (end == NULL)
            continue;
        *end = '\0';
        if (end != line + length - 1)
            return leave_out(peer, "more than one line is an answer: \"%.30s\", \"%.30s\"", line, end + 1);
        return true;
    }
    return leave_out(peer, "an answer without an end: \"%.30s\"", line);
}

/* Whether the line says that there is nothing more to come; a wrong result ends the program. */
static bool is_last_word(struct peer *peer, const char *line) {
    if (strncmp(line, "wrong:", 6) == 0)
        wrong_result("%s:%s", peer->name, line + 6);
    if (strncmp(line, "lost: ", 6) != 0)
        return false;
    snprintf(peer->lost, sizeof peer->lost, "%.79s", line + 6);
    return true;
}

bool peer_send(struct peer *peer, const char *request) {
    char line[ANSWER_SIZE];
    if (peer->pid == 0 || peer->broken)
        return false;
    /* What was not asked for would be taken for the answer to this, and this answer for that to the next. */
    if (is_readable(peer, 0)) {
        if (read_answer(peer, line, sizeof line) && !is_last_word(peer, line))
            leave_out(peer, "an answer to nothing: \"%.60s\"", line);
        return false;
    }
    /* A peer that has ended must be an error of this write and not the end of us. */
    signal(SIGPIPE, SIG_IGN);
    peer->unsent = dprintf(peer->requests, "%s\n", request) < 0;
    return true;
}

bool peer_receive(struct peer *peer, char *answer, size_t size) {
    if (!read_answer(peer, answer, size) || is_last_word(peer, answer))
        return false;
    return !peer->unsent || leave_out(peer, "has ended");
}

bool peer_request(struct peer *peer, const char *request, char *answer, size_t size) {
    return peer_send(peer, request) && peer_receive(peer, answer, size);
}

bool peer_numbers(struct peer *peer, const char *text, double *numbers, size_t count) {
    const char *rest = text;
    for (size_t i = 0; i < count; i++) {
        char *end;
        numbers[i] = strtod(rest, &end);
        if (end == rest || !isfinite(numbers[i]))
            return leave_out(peer, "not an answer: \"%.60s\"", text);
        rest = end;
    }
    if (rest[strspn(rest, " \t\r")] != '\0')
        return leave_out(peer, "more than an answer: \"%.60s\"", text);
    return true;
}

size_t peer_ask(struct peer *peer, struct observation *samples, size_t count) {
    static char line[ANSWER_SIZE];
    char request[24];
    double ns[BATCH_MOST], shares[BATCH_MOST] = {0};
    count = count < BATCH_MOST ? count : BATCH_MOST;
    snprintf(request, sizeof request, "%zu", count);
    if (!peer_request(peer, request, line, sizeof line))
        return 0;
    char *end = strchr(line, ';');
    if (end != NULL)
        *end = '\0';
    if (!peer_numbers(peer, line, ns, count) || (end != NULL && !peer_numbers(peer, end + 1, shares, count)))
        return 0;
    for (size_t i = 0; i < count; i++)
        samples[i] = (struct observation){.ns = ns[i], .share = shares[i]};
    return count;
}

/* A signal for it and its children. */
static void tell(const struct peer *peer, int number) {
    if (kill(peer->group ? -peer->pid : peer->pid, number) != 0)
        kill(peer->pid, number);
}

/* Whether it ends in a while. Where the system does not tell of its end, there is no waiting. */
static bool ends_soon(const struct peer *peer) {
    struct pollfd process = {.fd = (int)syscall(SYS_pidfd_open, peer->pid, 0), .events = POLLIN};
    uint64_t start = now_ns();
    int ready = 0;
    if (process.fd < 0)
        return false;
    for (int left = END_MS; left > 0; left = END_MS - (int)(seconds_since(start) * 1e3))
        if ((ready = poll(&process, 1, left)) >= 0 || errno != EINTR)
            break;
    close(process.fd);
    return ready > 0;
}

void peer_stop(struct peer *peer) {
    if (peer->pid == 0)
        return;
    close(peer->requests);
    close(peer->answers);
    /* What it measures next is of no use to anybody. One that is stopped has to run on to see that. */
    tell(peer, SIGTERM);
    tell(peer, SIGCONT);
    if (!ends_soon(peer))
        tell(peer, SIGKILL);
    while (waitpid(peer->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    peer->pid = 0;
}
