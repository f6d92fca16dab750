/* zygote_messages.c: the messages between a zygote and its parent, over a SOCK_SEQPACKET: whole or not at all. */
#include "zygote_internal.h"

#include <errno.h>
#include <string.h>

#include "error.h"

int message_send(int socket, const struct msghdr *message) {
    while (sendmsg(socket, message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return errno == EPIPE || errno == ECONNRESET || errno == EAGAIN ? AT_ENOZYGOTE : -errno;
    return 0;
}

size_t message_receive(int socket, struct msghdr *message) {
    ssize_t received;
    while ((received = recvmsg(socket, message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    return received < 0 ? 0 : (size_t)received;
}

int message_send_bytes(int socket, const void *bytes, size_t size) {
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    return message_send(socket, &(struct msghdr){.msg_iov = &part, .msg_iovlen = 1});
}

bool message_receive_bytes(int socket, void *bytes, size_t size) {
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    return message_receive(socket, &(struct msghdr){.msg_iov = &part, .msg_iovlen = 1}) == size;
}

/* The room for one descriptor beside a message. unix(7), cmsg(3) */
union descriptor_room {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int answer_send(int socket, const struct answer *answer, int descriptor) {
    union descriptor_room room = {0};
    struct iovec part = {.iov_base = (void *)answer, .iov_len = sizeof *answer};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = room.bytes;
        message.msg_controllen = sizeof room.bytes;
        *CMSG_FIRSTHDR(&message) = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &descriptor, sizeof descriptor);
    }
    return message_send(socket, &message);
}

bool answer_receive(int socket, struct answer *answer, int *descriptor) {
    union descriptor_room room;
    struct iovec part = {.iov_base = answer, .iov_len = sizeof *answer};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof room.bytes};
    *descriptor = -1;
    if (message_receive(socket, &message) != sizeof *answer)
        return false;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    return true;
}
