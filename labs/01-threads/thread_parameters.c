/*
 * thread_parameters.c: what a thread can be given: a target, a name, its arguments, and whether it is a daemon.
 *
 * Python:  thread_parameters.py; threading.Thread(target=..., name=..., args=..., kwargs=..., daemon=...)
 * Expect:  Thread-1 (paint), then Artist A, then Thread-2 (paint) as a daemon, each with its own arguments; the last
 *          line at once, since the program ends without the daemon that would varnish for a minute
 * Try:     take .daemon = true from the varnisher: the program waits for it, a minute, and one more line comes
 */
#include <stdio.h>

#include "atelier.h"

struct paint_arguments {
    int strokes;
    const char *colour;
};

static int paint(void *arg) {
    const struct paint_arguments *given = arg;
    const at_thread *self = at_current_thread();
    printf("%s, daemon %s: %d strokes of %s\n", at_thread_name(self), at_thread_daemon(self) ? "True" : "False",
           given->strokes, given->colour);
    return 0;
}

static int varnish(void *arg) {
    (void)arg;
    at_work(60);
    printf("%s ends varnishing\n", at_thread_name(at_current_thread()));
    return 0;
}

static void run(at_thread *t) {
    at_check(at_thread_start(t));
    at_check(at_thread_join(t, AT_FOREVER));
    at_thread_free(t);
}

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    struct paint_arguments given = {.strokes = 10, .colour = "blue"};
    run(at_thread_new(.target = paint, AT_COPY(given)));
    given = (struct paint_arguments){.strokes = 20, .colour = "red"};
    run(at_thread_new(.target = paint, .name = "Artist A", AT_COPY(given)));
    given = (struct paint_arguments){.strokes = 30, .colour = "gold"};
    run(at_thread_new(.target = paint, .daemon = true, AT_COPY(given)));

    at_thread *t = at_thread_new(.target = varnish, .name = "Artist B", .daemon = true);
    at_check(at_thread_start(t));
    printf("the program ends without %s\n", at_thread_name(t));
    at_thread_free(t);
    return 0;
}
