/* The socket of generic netlink, as the files of this helper share it. */
#ifndef COLMET_SOCKET_H
#define COLMET_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "netlink.h"
#include "sums.h"

#define BATCH 32                /* their replies take 74 kB of the socket's buffer, whose default is 208 KiB */
#define REPLY_MAX 2048          /* bytes; a reply has 596 in Linux 6.18 */

struct taskstats_socket {
    int fd;
    uint16_t family;
    uint32_t sequence;          /* of the last request sent */
    uint8_t requests[BATCH * REQUEST_MAX];
    uint8_t replies[BATCH][REPLY_MAX];
    struct mmsghdr headers[BATCH];
    struct iovec places[BATCH];
};

/* Is given the record of the task at `number` of those asked for. */
typedef void taker(void *context, int number, const struct record *record);

/* Asks for `count` tasks; those that are gone have no record. Returns 0 or -errno. */
int socket_ask(struct taskstats_socket *self, const int32_t *tids, int count, taker *take, void *context);

/* From now on the records of tasks that end on `cpus` come too, with room for `buffer` bytes. Not to be used for asking
 * then. Returns 0 or -errno. */
int socket_listen(struct taskstats_socket *self, const char *cpus, int buffer);

/* Takes what has come, at most BATCH, without waiting, into replies and headers. Returns how many or -errno. */
int socket_take(struct taskstats_socket *self);

/* What there was no room for. */
uint64_t socket_dropped(int fd);

/* Room for `buffer` bytes, beyond what the system's limit is; what has no room is dropped and counted. Returns 0 or
 * -errno. */
int socket_room(int fd, int buffer);

#endif
