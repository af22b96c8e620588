/* The socket: asks the kernel for the tasks by the batch. Sent and received one by one a task costs about twice as
 * much, for each call has a price of its own beside that of making the reply. */
#define _GNU_SOURCE             /* recvmmsg */
#include "socket.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* Sends the first `length` bytes of self->requests. Returns 0 or -errno. */
static int send_requests(struct taskstats_socket *self, size_t length)
{
    ssize_t sent;

    do
        sent = send(self->fd, self->requests, length, 0);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* Receives from 1 to `most` messages into self->replies. Returns how many, or -errno. */
static int receive(struct taskstats_socket *self, int most)
{
    int got;

    do
        got = recvmmsg(self->fd, self->headers, most, MSG_WAITFORONE, NULL);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    for (int i = 0; i < got; i++)
        if (self->headers[i].msg_hdr.msg_flags & MSG_TRUNC)
            return -EMSGSIZE;
    return got;
}

static int find_family(struct taskstats_socket *self)
{
    const uint8_t *attributes, *found;
    size_t size = netlink_request(self->requests, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, ++self->sequence,
                                  CTRL_ATTR_FAMILY_NAME, TASKSTATS_GENL_NAME, sizeof TASKSTATS_GENL_NAME);
    int result = send_requests(self, size);

    if (result)
        return result;
    result = receive(self, 1);
    if (result < 0)
        return result;
    result = netlink_reply(self->replies[0], self->headers[0].msg_len, self->sequence, &attributes, &size);
    if (result)
        return result;
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

/* Asks for `count` tasks, at most BATCH. Returns 0 or -errno. */
static int ask(struct taskstats_socket *self, const int32_t *tids, int count)
{
    size_t length = 0;

    for (int i = 0; i < count; i++)
        length += netlink_request(self->requests + length, self->family, TASKSTATS_CMD_GET, ++self->sequence,
                                  TASKSTATS_CMD_ATTR_PID, &tids[i], sizeof tids[i]);
    return send_requests(self, length);
}

/* Gives `take` the replies to the last `count` requests, which come in their order, from the one numbered `first` of
 * all on. One that comes late, after the call that waited for it had failed, is passed over. Returns 0 or -errno. */
static int take_replies(struct taskstats_socket *self, int first, int count, taker *take, void *context)
{
    uint32_t next = self->sequence - count + 1;

    while (next != self->sequence + 1) {
        int got = receive(self, self->sequence + 1 - next);

        if (got < 0)
            return got;
        for (int i = 0; i < got; i++) {
            const uint8_t *attributes;
            struct record record;
            size_t size;
            int error = netlink_reply(self->replies[i], self->headers[i].msg_len, next, &attributes, &size);

            if (error == -EAGAIN)
                continue;
            if (!error)
                error = record_find(attributes, size, &record);
            if (error && error != -ESRCH)
                return error;
            if (!error)
                take(context, first, &record);
            first++;
            next++;
        }
    }
    return 0;
}

int socket_ask(struct taskstats_socket *self, const int32_t *tids, int count, taker *take, void *context)
{
    int error = 0;

    for (int i = 0; i < count && !error; i += BATCH) {
        int size = count - i < BATCH ? count - i : BATCH;

        error = ask(self, tids + i, size);
        if (!error)
            error = take_replies(self, i, size, take, context);
    }
    return error;
}

struct summed {
    int64_t *cells;
    int tasks;
};

static void add_to_cells(void *context, int number, const struct record *record)
{
    struct summed *summed = context;

    (void)number;
    cells_add(summed->cells, record);
    summed->tasks++;
}

int taskstats_read(struct taskstats_socket *self, const int32_t *tids, int count, int64_t *cells)
{
    struct summed summed = {cells, 0};
    int error;

    taskstats_clear(cells);
    error = socket_ask(self, tids, count, add_to_cells, &summed);
    return error ? error : summed.tasks;
}

/* Each header receives into the place of its number. */
static void lay_out(struct taskstats_socket *self)
{
    for (int i = 0; i < BATCH; i++) {
        self->places[i].iov_base = self->replies[i];
        self->places[i].iov_len = REPLY_MAX;
        self->headers[i].msg_hdr.msg_iov = &self->places[i];
        self->headers[i].msg_hdr.msg_iovlen = 1;
    }
}

int taskstats_open(struct taskstats_socket **opened, int timeout_ms)
{
    int32_t pid = getpid();
    int64_t cells[TASKSTATS_CELLS];
    struct taskstats_socket *self = calloc(1, sizeof *self);
    int error;

    if (!self)
        return -ENOMEM;
    lay_out(self);
    error = connect_kernel(self, timeout_ms);
    if (!error)
        error = find_family(self);
    if (!error)
        error = taskstats_read(self, &pid, 1, cells);
    if (error < 0) {
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
