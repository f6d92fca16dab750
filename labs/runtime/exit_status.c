/* exit_status.c: how a process ended; see exit_status.h. */
#include "exit_status.h"

#include <errno.h>
#include <linux/ioctl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "clock.h"
#include "wait.h"

bool pidfd_is_readable(int pidfd) {
    struct deadline now;
    deadline_after(0, NEGATIVE_POLLS, &now);
    return pidfd < 0 || await_descriptor(pidfd, POLLIN, &now) == 0;
}

enum fate reap_own(int pidfd, int *status) {
    siginfo_t info = {0};
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) != 0)
        if (errno != EINTR)
            return LOST;
    if (info.si_pid == 0)
        return ALIVE;
    *status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : W_EXITCODE(0, info.si_status);
    return ENDED;
}

/*
 * What the kernel remembers of a reaped process for those who hold its pidfd, since Linux 6.15; our headers may be
 * older.
 */
struct pidfd_info_v0 {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t ids[11];
    int32_t wait_status;
};
#define PIDFD_GET_INFO_V0 _IOWR(0xFF, 11, struct pidfd_info_v0)
static const uint64_t PIDFD_EXIT = 1u << 3;

bool remembered_status(int pidfd, double patience, int *status) {
    struct deadline moment;
    deadline_after(patience, NEGATIVE_POLLS, &moment);
    for (;;) {
        struct pidfd_info_v0 info = {.mask = PIDFD_EXIT};
        if (ioctl(pidfd, PIDFD_GET_INFO_V0, &info) != 0)
            return false; /* an older kernel: do not wait for what it never says */
        if (info.mask & PIDFD_EXIT) {
            *status = info.wait_status;
            return true;
        }
        if (await_descriptor(pidfd, POLLHUP, &moment) != 0) /* until the reaping is complete */
            return false;
    }
}
