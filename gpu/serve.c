/* serve.c: serves models over HTTP on the devices of this machine; lab 13's server. See serve --help. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "front.h"
#include "replicas.h"
#include "worker.h"

/*
 * Whoever starts it may have closed these: then the first descriptors that it opens, the memory of the workers say,
 * would have their numbers, and what is printed would go there. A reader of
 * them that goes must not end it, nor a limit on the size of files.
 */
static void open_standard_streams(void) {
    int null;
    while ((null = open("/dev/null", O_RDWR)) >= 0 && null <= STDERR_FILENO)
        continue;
    if (null >= 0)
        close(null);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int main(int argc, char *argv[]) {
    open_standard_streams();
    static const char PROGRAM[] = "/proc/self/exe"; /* also when the file has been replaced since */
    prctl(PR_SET_NAME, "serve");                    /* for those that are started by that name */
    if (argc > 1 && strcmp(argv[1], "--worker") == 0)
        return worker_main(argc, argv);
    static struct settings settings; /* whose texts are there to the end */
    char **arguments = argv;
    settings_read(&settings, argc, argv);
    if (settings.mode == SERVE_PROCESSES)
        return replicas_run(&settings, arguments, PROGRAM);
    return front_run(&settings, PROGRAM);
}
