/* What the files of the listener share. */
#ifndef COLMET_LISTENING_H
#define COLMET_LISTENING_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "ends.h"
#include "socket.h"

struct listener {
    struct taskstats_socket *records, *asking;
    int forks;                          /* descriptor, or -errno */
    int stop;                           /* eventfd */
    int running;                        /* 1: there is a thread */
    pthread_t thread;
    pthread_mutex_t lock;               /* of what follows */
    struct ends ends;
    uint64_t opened;                    /* Unix time, ns */
    int64_t broken;                     /* records that could not be read */
};

uint64_t clock_ns(clockid_t clock);

/* Counts all that ended until now; the lock is held. A task that ended was forked before, so that what came of forks is
 * read between taking the record and using it. Returns how many messages there were. */
int drain(struct listener *self);

#endif
