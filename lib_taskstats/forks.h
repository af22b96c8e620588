/* The proc connector (Documentation/driver-api/connector.rst): which task began which, or a program. */
#ifndef COLMET_FORKS_H
#define COLMET_FORKS_H

#include <stddef.h>
#include <stdint.h>

#define FORKS 64                /* taken at one time */
#define FORK_MAX 128            /* bytes of a message; one has 76 in Linux 6.18 */

/* Ids of the task that began, of its process, of its parent (a thread) and of that's process; with `exec` 1 of one
 * that began a program, without a parent. */
struct fork {
    int32_t exec, tid, process, parent, parents_process;
    uint64_t time;              /* CLOCK_MONOTONIC in us */
};

/* Returns a socket with room for `buffer` bytes, or -errno. */
int forks_open(int buffer);

/* Takes what has come, without waiting. Returns how many messages there were, `forks` of them told of a fork or exec,
 * or -errno. */
int forks_take(int fd, struct fork *found, int *forks);

/* Reads one message. Returns 1, or 0 where it tells of neither. */
int fork_parse(const uint8_t *message, size_t length, struct fork *found);

#endif
