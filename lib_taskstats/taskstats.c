/* The socket: asks the kernel for one task after the other. Batching requests gains nothing, as nearly all of
 * the 2 us of a task go into the making of its reply. */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "netlink.h"
#include "taskstats.h"

#define REPLY_MAX 16384         /* bytes; a reply has 596 in Linux 6.18 */

struct taskstats_socket {
    int fd;
    uint16_t family;
    uint32_t sequence;
    uint8_t reply[REPLY_MAX];
};

/* Sends a request. Returns 0 or -errno. */
static int ask(struct taskstats_socket *self, uint16_t family, uint8_t command, uint16_t attribute,
               const void *value, uint16_t size)
{
    uint8_t request[REQUEST_MAX];
    size_t length = netlink_request(request, family, command, ++self->sequence, attribute, value, size);
    ssize_t sent;

    do
        sent = send(self->fd, request, length, 0);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* Receives one message into self->reply. Returns its length or -errno. */
static ssize_t receive(struct taskstats_socket *self)
{
    ssize_t length;

    do
        length = recv(self->fd, self->reply, sizeof self->reply, MSG_TRUNC);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return (size_t)length > sizeof self->reply ? -EMSGSIZE : length;
}

static int find_family(struct taskstats_socket *self)
{
    const uint8_t *attributes, *found;
    size_t size;
    ssize_t length;
    int error = ask(self, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME,
                    TASKSTATS_GENL_NAME, sizeof TASKSTATS_GENL_NAME);

    if (error)
        return error;
    length = receive(self);
    if (length < 0)
        return length;
    error = netlink_reply(self->reply, length, self->sequence, &attributes, &size);
    if (error)
        return error;
    found = netlink_attribute(attributes, size, CTRL_ATTR_FAMILY_ID, &size);
    if (!found || size < sizeof self->family)
        return -EBADMSG;
    memcpy(&self->family, found, sizeof self->family);
    return 0;
}

/* Connected to the kernel, the socket takes no message from anybody else. */
static int connect_kernel(struct taskstats_socket *self, int timeout_ms)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    self->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
    if (self->fd < 0)
        return -errno;
    if (setsockopt(self->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0)
        return -errno;
    if (connect(self->fd, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return -errno;
    return 0;
}

static int read_task(struct taskstats_socket *self, uint32_t tid, int64_t *cells)
{
    ssize_t length;
    int error = ask(self, self->family, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, &tid, sizeof tid);

    if (error)
        return error;
    do {                        /* a reply that came too late for the call before is passed over */
        length = receive(self);
        if (length < 0)
            return length;
        error = taskstats_add(self->reply, length, self->sequence, cells);
    } while (error == -EAGAIN);
    return error;
}

int taskstats_read(struct taskstats_socket *self, const int32_t *tids, int count, int64_t *cells)
{
    int summed = 0;

    taskstats_clear(cells);
    for (int i = 0; i < count; i++) {
        int error = read_task(self, tids[i], cells);
        if (error && error != -ESRCH)
            return error;
        summed += !error;
    }
    return summed;
}

int taskstats_open(struct taskstats_socket **opened, int timeout_ms)
{
    int64_t cells[TASKSTATS_CELLS];
    struct taskstats_socket *self = calloc(1, sizeof *self);
    int error;

    if (!self)
        return -ENOMEM;
    error = connect_kernel(self, timeout_ms);
    if (!error)
        error = find_family(self);
    if (!error)
        error = read_task(self, getpid(), cells);
    if (error) {
        taskstats_close(self);
        return error;
    }
    *opened = self;
    return 0;
}

void taskstats_close(struct taskstats_socket *self)
{
    if (!self)
        return;
    if (self->fd >= 0)
        close(self->fd);
    free(self);
}
