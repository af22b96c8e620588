#define _GNU_SOURCE             /* recvmmsg */
#include "forks.h"

#include <errno.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socket.h"

#define LISTEN 1                /* of linux/cn_proc.h, of which older headers lack what newer kernels know */
#define EVENT_NONE 0u
#define EVENT_FORK 1u
#define EVENT_EXEC 2u
#define EVENT_HEAD 16           /* bytes before what an event tells: what, cpu, time */
#define BODY (NLMSG_HDRLEN + sizeof(struct cn_msg))

int fork_parse(const uint8_t *message, size_t length, struct fork *found)
{
    struct nlmsghdr header;
    struct cn_msg connector;
    int32_t ids[4];
    uint32_t what;
    uint64_t time;

    if (length < BODY + EVENT_HEAD + sizeof ids)
        return 0;
    memcpy(&header, message, sizeof header);
    memcpy(&connector, message + NLMSG_HDRLEN, sizeof connector);
    memcpy(&what, message + BODY, sizeof what);
    if (header.nlmsg_len > length || header.nlmsg_len < BODY + EVENT_HEAD + sizeof ids
        || (what != EVENT_FORK && what != EVENT_EXEC)
        || connector.id.idx != CN_IDX_PROC || connector.id.val != CN_VAL_PROC)
        return 0;
    memcpy(&time, message + BODY + 8, sizeof time);
    memcpy(ids, message + BODY + EVENT_HEAD, sizeof ids);
    if (what == EVENT_EXEC)
        *found = (struct fork){.exec = 1, .tid = ids[0], .process = ids[1], .time = time / 1000};
    else
        *found = (struct fork){.parent = ids[0], .parents_process = ids[1], .tid = ids[2], .process = ids[3],
                               .time = time / 1000};
    return 1;
}

/* Asks for events: `words` of them, the second a mask of those wanted. Returns 0 or -errno. */
static int ask(int fd, size_t words)
{
    uint32_t wanted[2] = {LISTEN, EVENT_FORK | EVENT_EXEC};
    struct nlmsghdr header = {.nlmsg_type = NLMSG_DONE, .nlmsg_len = BODY + words * sizeof *wanted};
    struct cn_msg connector = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = words * sizeof *wanted};
    uint8_t message[BODY + sizeof wanted];

    memcpy(message, &header, sizeof header);
    memcpy(message + NLMSG_HDRLEN, &connector, sizeof connector);
    memcpy(message + BODY, wanted, connector.len);
    return send(fd, message, header.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* Whether the kernel answers: one that knows no masks passes over what is not of the length that it expects. */
static int answered(int fd)
{
    uint8_t message[FORK_MAX];
    uint32_t what;
    ssize_t got;

    while ((got = recv(fd, message, sizeof message, MSG_DONTWAIT)) >= 0) {
        if ((size_t)got < BODY + sizeof what)
            continue;
        memcpy(&what, message + BODY, sizeof what);
        if (what == EVENT_NONE)
            return 1;
    }
    return 0;
}

int forks_open(int buffer)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR), error;

    if (fd < 0)
        return -errno;
    error = socket_room(fd, buffer);
    if (!error && bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        error = -errno;
    if (!error)
        error = ask(fd, 2);
    if (!error && !answered(fd)) {
        error = ask(fd, 1);
        if (!error && !answered(fd))
            error = -ENOENT;
    }
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

int forks_take(int fd, struct fork *found, int *forks)
{
    uint8_t messages[FORKS][FORK_MAX];
    struct sockaddr_nl senders[FORKS];
    struct iovec places[FORKS];
    struct mmsghdr headers[FORKS];
    int got;

    for (int i = 0; i < FORKS; i++) {
        places[i] = (struct iovec){messages[i], FORK_MAX};
        headers[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &senders[i], .msg_namelen = sizeof senders[i],
                                                  .msg_iov = &places[i], .msg_iovlen = 1}};
    }
    do
        got = recvmmsg(fd, headers, FORKS, MSG_DONTWAIT, NULL);
    while (got < 0 && errno == EINTR);
    *forks = 0;
    if (got < 0)
        return errno == EAGAIN ? 0 : -errno;
    for (int i = 0; i < got; i++)
        if (headers[i].msg_hdr.msg_namelen == sizeof *senders && !senders[i].nl_pid
            && !(headers[i].msg_hdr.msg_flags & MSG_TRUNC))
            *forks += fork_parse(messages[i], headers[i].msg_len, &found[*forks]);
    return got;
}
