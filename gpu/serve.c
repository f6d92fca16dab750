/* serve.c: serves models over HTTP on the devices of this machine; lab 13's server. See serve --help. */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "front.h"
#include "replicas.h"
#include "standard_streams.h"
#include "worker.h"

/* A reader of its output that goes must not end it, nor a limit on the size of files. */
static void ignore_signals(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/*
 * A connection is a descriptor, and on many systems a program has 1024 of these until it asks for more. Were all of
 * them connections, the next client would wait without a word, and no dead worker could be replaced.
 */
static void fit_descriptors(struct settings *settings) {
    enum { BESIDES = 192, OF_A_WORKER = 8 }; /* connections that hear 503, or are closed slowly; files, pipes, bells */
    rlim_t besides = BESIDES + OF_A_WORKER * settings->device_count, wanted = settings->connections + besides;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    rlim_t had = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = had;
    if (limit.rlim_cur >= wanted)
        return;
    rlim_t fit = limit.rlim_cur > besides + besides / 3 ? limit.rlim_cur - besides : limit.rlim_cur / 4 + 1;
    if (fit >= settings->connections)
        return;
    fprintf(stderr, "serve: with %llu open files (ulimit -Hn) it takes %llu connections, not %u; raise it\n",
            (unsigned long long)limit.rlim_cur, (unsigned long long)fit, settings->connections);
    settings->connections = (unsigned)fit;
}

int main(int argc, char *argv[]) {
    open_standard_streams();
    ignore_signals();
    static const char PROGRAM[] = "/proc/self/exe"; /* also when the file has been replaced since */
    prctl(PR_SET_NAME, "serve");                    /* for those that are started by that name */
    if (argc > 1 && strcmp(argv[1], "--worker") == 0)
        return worker_main(argc, argv);
    static struct settings settings; /* whose texts are there to the end */
    char **arguments = argv;
    settings_read(&settings, argc, argv);
    settings_say_shared(&settings);
    if (settings.mode == SERVE_PROCESSES)
        return replicas_run(&settings, arguments, PROGRAM);
    fit_descriptors(&settings);
    return front_run(&settings, PROGRAM);
}
