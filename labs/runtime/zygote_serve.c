/* zygote_serve.c: the zygote at work: it forks children and tells how they ended, until its parent is gone. */
#include "zygote_internal.h"

#include <errno.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"

static int served = -1; /* its end of the socket; -1 in any other process */

/* An error ends the zygote: its parent is gone. */
static int serve_launch(struct request *request, unsigned char *argument) {
    struct launched launched;
    request->launch.alone = true;
    request->launch.launcher = getpid();
    request->launch.identity.name = request->name;
    request->launch.identity.parent_name = identity.parent_name;
    request->launch.identity.parent_pidfd = identity.parent_pidfd; /* our parent is theirs */
    if (request->arg_size > 0)
        request->launch.arg = argument;
    int error = launch_begin(&request->launch, &launched);
    if (error == 0) {
        bool go = false;
        error = answer_send(served, &(struct answer){.value = launched.pid}, launched.pidfd);
        if (error == 0 && !message_receive_bytes(served, &go, sizeof go))
            error = AT_ENOZYGOTE;
        launch_finish(&launched, go);
        if (go)
            close(launched.pidfd);
        if (error == 0 || error == AT_ENOZYGOTE)
            return error;
    }
    return answer_send(served, &(struct answer){.error = error}, -1);
}

static int serve_reap(const struct request *request) {
    struct answer answer = {0};
    while (waitpid(request->pid, &answer.value, 0) < 0 && answer.error == 0)
        if (errno != EINTR)
            answer.error = -errno;
    return answer_send(served, &answer, -1);
}

int zygote_serve(void *ends) {
    static _Alignas(max_align_t) unsigned char argument[ARGUMENT_MAX];
    struct request request;
    close(((int *)ends)[0]);
    served = ((int *)ends)[1];
    identity.parent_pidfd = pidfd_open(identity.parent, 0); /* its death would be ours, so it is that one */
    struct iovec parts[] = {{&request, sizeof request}, {argument, sizeof argument}};
    int error = 0;
    while (error == 0 && message_receive(served, &(struct msghdr){.msg_iov = parts, .msg_iovlen = 2}) > 0)
        error = request.kind == LAUNCH ? serve_launch(&request, argument) : serve_reap(&request);
    return 0;
}

void zygote_serve_no_more(void) {
    if (served >= 0) {
        close(served);
        served = -1;
    }
}
