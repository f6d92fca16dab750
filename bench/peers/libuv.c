/* libuv.c: libuv's processes, for bench/subprocess.c: libuv run|timeout|exit|capture|cat PROGRAM [MIB or BYTES] */
#include <uv.h>

#include "serve.h"

/* The child of this sample. Its pipes, if it has any, are closed in the callbacks, and then the loop ends. */
static struct {
    uv_process_t process;
    uv_timer_t timer;
    uv_pipe_t in, out;
    uv_write_t write;
    int64_t status;
    uint64_t ended;
    unsigned char *output;
    size_t size, room;
} child;

static void on_exit_of_child(uv_process_t *process, int64_t status, int signal) {
    child.ended = now_ns();
    child.status = status + signal;
    uv_close((uv_handle_t *)process, NULL);
    if (uv_is_active((uv_handle_t *)&child.timer))
        uv_close((uv_handle_t *)&child.timer, NULL);
}

static void on_timeout(uv_timer_t *timer) {
    (void)timer;
    uv_process_kill(&child.process, SIGKILL);
}

/* A growing buffer, twice as large each time that it is full. */
static void on_room_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)handle;
    if (child.room - child.size < suggested) {
        child.room = child.room < suggested ? suggested : 2 * child.room;
        child.output = realloc(child.output, child.room);
        if (child.output == NULL)
            wrong("%zu bytes: out of memory", child.room);
    }
    buffer->base = (char *)child.output + child.size;
    buffer->len = child.room - child.size;
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
    (void)buffer;
    if (got > 0)
        child.size += (size_t)got;
    if (got < 0)
        uv_close((uv_handle_t *)stream, NULL);
}

static void on_written(uv_write_t *request, int status) {
    if (status != 0)
        wrong("uv_write: %s", uv_strerror(status));
    uv_close((uv_handle_t *)request->handle, NULL);
}

static uv_stdio_container_t inherited(int descriptor) {
    return (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = descriptor};
}

static uv_stdio_container_t piped(uv_pipe_t *pipe, uv_stdio_flags direction) {
    uv_pipe_init(uv_default_loop(), pipe, 0);
    return (uv_stdio_container_t){.flags = (uv_stdio_flags)(UV_CREATE_PIPE | direction),
                                  .data.stream = (uv_stream_t *)pipe};
}

static void start(char *argument, uv_stdio_container_t in, uv_stdio_container_t out) {
    char *argv[] = {program, argument, NULL};
    uv_stdio_container_t streams[] = {in, out, inherited(STDERR_FILENO)};
    uv_process_options_t options = {
        .file = program, .args = argv, .exit_cb = on_exit_of_child, .stdio = streams, .stdio_count = 3};
    child.status = -1;
    child.size = child.room = 0;
    child.output = NULL;
    int failure = uv_spawn(uv_default_loop(), &child.process, &options);
    if (failure != 0)
        wrong("uv_spawn: %s", uv_strerror(failure));
}

static double finish(uint64_t begun) {
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    double ns = (double)(now_ns() - begun);
    must_be_zero((int)child.status);
    return ns;
}

static double run(void) {
    uint64_t begun = now_ns();
    start(NULL, inherited(STDIN_FILENO), inherited(STDOUT_FILENO));
    return finish(begun);
}

static double timeout(void) {
    uint64_t begun = now_ns();
    uv_timer_init(uv_default_loop(), &child.timer);
    uv_timer_start(&child.timer, on_timeout, 5000, 0);
    start(NULL, inherited(STDIN_FILENO), inherited(STDOUT_FILENO));
    return finish(begun);
}

static double from_exit(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        wrong("pipe: %s", strerror(errno));
    start(next_life(), inherited(STDIN_FILENO), inherited(ends[1]));
    close(ends[1]);
    finish(0);
    double ns = since_stamp(ends[0], child.ended);
    close(ends[0]);
    return ns;
}

static double checked(double ns) {
    must_be_right(child.output, child.size);
    free(child.output);
    return ns;
}

static double capture(void) {
    char text[24];
    snprintf(text, sizeof text, "%zu", wanted);
    uint64_t begun = now_ns();
    start(text, inherited(STDIN_FILENO), piped(&child.out, UV_WRITABLE_PIPE));
    uv_read_start((uv_stream_t *)&child.out, on_room_wanted, on_read);
    return checked(finish(begun));
}

static double cat(void) {
    static unsigned char *input;
    if (input == NULL)
        input = touched(wanted);
    uv_buf_t all = {.base = (char *)input, .len = wanted};
    uint64_t begun = now_ns();
    start(NULL, piped(&child.in, UV_READABLE_PIPE), piped(&child.out, UV_WRITABLE_PIPE));
    uv_read_start((uv_stream_t *)&child.out, on_room_wanted, on_read);
    uv_write(&child.write, (uv_stream_t *)&child.in, &all, 1, on_written);
    return checked(finish(begun));
}

int main(int argc, char *argv[]) {
    static const struct kind kinds[] = {
        {"run", run}, {"timeout", timeout}, {"exit", from_exit}, {"capture", capture}, {"cat", cat}};
    return serve(argc, argv, kinds, sizeof kinds / sizeof kinds[0]);
}
