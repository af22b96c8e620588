/* The socket as a listener to the ends of tasks. */
#define _GNU_SOURCE             /* recvmmsg */
#include "socket.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/taskstats.h>
#include <string.h>

#ifndef SO_MEMINFO
#define SO_MEMINFO 55           /* Linux 4.12 */
#endif

int socket_room(int fd, int buffer)
{
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) < 0
        || setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) < 0)
        return -errno;
    return 0;
}

uint64_t socket_dropped(int fd)
{
    uint32_t numbers[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof numbers;

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, numbers, &size) < 0)
        return 0;
    return numbers[SK_MEMINFO_DROPS];
}

/* The kernel refuses before it sends anything else: its refusal is the first message. Returns 0 or -errno. */
static int refusal(struct taskstats_socket *self)
{
    const uint8_t *attributes;
    size_t size;
    ssize_t got = recv(self->fd, self->replies[0], REPLY_MAX, MSG_PEEK | MSG_DONTWAIT);
    int error;

    if (got < 0)
        return errno == EAGAIN ? 0 : -errno;
    error = netlink_reply(self->replies[0], got, self->sequence, &attributes, &size);
    return error == -EAGAIN ? 0 : error;
}

int socket_listen(struct taskstats_socket *self, const char *cpus, int buffer)
{
    size_t size = strlen(cpus) + 1;
    int error = socket_room(self->fd, buffer);

    if (error)
        return error;
    if (size > sizeof self->requests - REQUEST_MAX)
        return -E2BIG;
    size = netlink_request(self->requests, self->family, TASKSTATS_CMD_GET, ++self->sequence,
                           TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, cpus, size);
    if (send(self->fd, self->requests, size, 0) < 0)
        return -errno;
    return refusal(self);
}

int socket_take(struct taskstats_socket *self)
{
    int got;

    do
        got = recvmmsg(self->fd, self->headers, BATCH, MSG_DONTWAIT, NULL);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? 0 : -errno;
    return got;
}
