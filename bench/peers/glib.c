/* glib.c: GLib's GSubprocess, for bench/subprocess.c: glib run|exit|capture|cat PROGRAM [MIB or BYTES] */
#include <gio/gio.h>

#include "serve.h"

static GSubprocess *start(const char *argument, GSubprocessFlags flags) {
    const char *argv[] = {program, argument, NULL};
    GError *failure = NULL;
    GSubprocess *child = g_subprocess_newv(argv, flags, &failure);
    if (child == NULL)
        wrong("g_subprocess_newv: %s", failure->message);
    return child;
}

/* Looks at the status of a child that has been waited for, and gives it back. */
static void finish(GSubprocess *child) {
    must_be_zero(g_subprocess_get_if_exited(child) ? g_subprocess_get_exit_status(child) : -1);
    g_object_unref(child);
}

static void wait_for(GSubprocess *child) {
    GError *failure = NULL;
    if (!g_subprocess_wait(child, NULL, &failure))
        wrong("g_subprocess_wait: %s", failure->message);
}

static double run(void) {
    uint64_t begun = now_ns();
    GSubprocess *child = start(NULL, G_SUBPROCESS_FLAGS_STDIN_INHERIT);
    wait_for(child);
    double ns = (double)(now_ns() - begun);
    finish(child);
    return ns;
}

static double from_exit(void) {
    uint64_t stamp = 0;
    gsize size = 0;
    GSubprocess *child = start(next_life(), G_SUBPROCESS_FLAGS_STDIN_INHERIT | G_SUBPROCESS_FLAGS_STDOUT_PIPE);
    wait_for(child);
    uint64_t end = now_ns();
    g_input_stream_read_all(g_subprocess_get_stdout_pipe(child), &stamp, sizeof stamp, &size, NULL, NULL);
    if (size != sizeof stamp || end < stamp)
        wrong("a child ended without its last word");
    finish(child);
    return (double)(end - stamp);
}

static double communicate(const char *argument, GSubprocessFlags flags, GBytes *input) {
    GError *failure = NULL;
    GBytes *output = NULL;
    uint64_t begun = now_ns();
    GSubprocess *child = start(argument, flags | G_SUBPROCESS_FLAGS_STDOUT_PIPE);
    if (!g_subprocess_communicate(child, input, NULL, &output, NULL, &failure))
        wrong("g_subprocess_communicate: %s", failure->message);
    double ns = (double)(now_ns() - begun);
    must_be_right(g_bytes_get_data(output, NULL), g_bytes_get_size(output));
    g_bytes_unref(output);
    finish(child);
    return ns;
}

static double capture(void) {
    char text[24];
    snprintf(text, sizeof text, "%zu", wanted);
    return communicate(text, G_SUBPROCESS_FLAGS_STDIN_INHERIT, NULL);
}

static double cat(void) {
    static GBytes *input;
    if (input == NULL)
        input = g_bytes_new_static(touched(wanted), wanted);
    return communicate(NULL, G_SUBPROCESS_FLAGS_STDIN_PIPE, input);
}

int main(int argc, char *argv[]) {
    static const struct kind kinds[] = {{"run", run}, {"exit", from_exit}, {"capture", capture}, {"cat", cat}};
    return serve(argc, argv, kinds, sizeof kinds / sizeof kinds[0]);
}
