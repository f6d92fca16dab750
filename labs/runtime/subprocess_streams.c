/* subprocess_streams.c: what a child's stdin, stdout and stderr are connected to. */
#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <unistd.h>

#include "error.h"
#include "subprocess_internal.h"

const char *const stream_names[3] = {"stdin", "stdout", "stderr"};

static int open_pipe(int i, struct connections *connections) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    connections->own[i] = ends[i == 0];
    connections->child[i] = ends[i != 0];
    connections->opened[i] = true;
    return 0;
}

static int open_null(int i, struct connections *connections) {
    int descriptor = open(_PATH_DEVNULL, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    connections->child[i] = descriptor;
    connections->opened[i] = true;
    return 0;
}

int connections_open(const at_stream streams[3], char *const *args, struct connections *connections,
                     at_command_failure *failure) {
    *connections = (struct connections){.own = {-1, -1, -1}, .child = {-1, -1, -1}};
    for (int i = 0; i < 3; i++) {
        int error = 0;
        switch (streams[i].kind) {
        case AT_STREAM_INHERIT:
            break;
        case AT_STREAM_PIPE:
            error = open_pipe(i, connections);
            if (error != 0)
                failure_set(failure, error, AT_STAGE_PIPE, args, stream_names[i], "cannot make a pipe for %s: %s",
                            stream_names[i], at_strerror(error));
            break;
        case AT_STREAM_DEVNULL:
            error = open_null(i, connections);
            if (error != 0)
                failure_set(failure, error, AT_STAGE_OPEN, args, _PATH_DEVNULL, "cannot open \"%s\" for %s: %s",
                            _PATH_DEVNULL, stream_names[i], at_strerror(error));
            break;
        case AT_STREAM_STDOUT:
            connections->child[i] = connections->child[1] >= 0 ? connections->child[1] : STDOUT_FILENO;
            break;
        case AT_STREAM_DESCRIPTOR:
            connections->child[i] = streams[i].descriptor;
            break;
        case AT_STREAM_FILE:
            connections->child[i] = fileno(streams[i].file);
            break;
        }
        if (error != 0) {
            connections_close_childs(connections);
            connections_close_own(connections);
            return error;
        }
    }
    return 0;
}

void connections_close_childs(struct connections *connections) {
    for (int i = 0; i < 3; i++)
        if (connections->opened[i])
            close(connections->child[i]);
}

void connections_close_own(struct connections *connections) {
    for (int i = 0; i < 3; i++)
        if (connections->own[i] >= 0)
            close(connections->own[i]);
}
