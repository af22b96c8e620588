/* The thread that listens, and the readings: what they share is under one lock. Woken for each record it would cost six
 * times as much, so it sleeps while they gather. */
#define _GNU_SOURCE             /* recvmmsg */
#include "listening.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>


#define LONGEST 200             /* ms that it sleeps while they gather */
#define SHORTEST 5              /* the same where there are few: who just began is looked at while it is there */
#define FEW 4

uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static int drain_forks(struct listener *self)
{
    struct fork found[FORKS];
    int got, forks, all = 0;

    do {
        got = self->forks < 0 ? 0 : forks_take(self->forks, found, &forks);
        for (int i = 0; i < forks && got > 0; i++)
            ends_forked(&self->ends, &found[i]);
        all += got > 0 ? got : 0;
    } while (got == FORKS);
    return all;
}

int drain(struct listener *self)
{
    uint64_t now, asked;
    int got, all = 0;

    do {
        asked = clock_ns(CLOCK_MONOTONIC) / 1000;
        got = socket_take(self->records);
        now = clock_ns(CLOCK_MONOTONIC) / 1000;
        all += drain_forks(self) + (got > 0 ? got : 0);
        for (int i = 0; i < got; i++) {
            const uint8_t *attributes;
            struct record record;
            size_t size;
            int error = netlink_event(self->records->replies[i], self->records->headers[i].msg_len, &attributes, &size);

            if (!error)
                error = record_find(attributes, size, &record);
            if (error)
                self->broken++;
            else
                ends_ended(&self->ends, &record, now);
        }
    } while (got == BATCH);
    self->ends.heard = asked;
    self->ends.drainings++;
    return all;
}

static void *listen_on(void *context)
{
    struct listener *self = context;
    int gather = SHORTEST;
    struct pollfd all[] = {{.fd = self->stop, .events = POLLIN}, {.fd = self->records->fd, .events = POLLIN},
                           {.fd = self->forks, .events = POLLIN}};

    while (!all[0].revents) {
        if (poll(all, self->forks < 0 ? 2 : 3, -1) < 0 && errno != EINTR)
            break;
        if (poll(all, 1, gather) == 0) {
            pthread_mutex_lock(&self->lock);
            self->ends.quick = gather == SHORTEST;
            gather = drain(self) > FEW ? gather * 2 : gather / 2;
            pthread_mutex_unlock(&self->lock);
            gather = gather > LONGEST ? LONGEST : gather < SHORTEST ? SHORTEST : gather;
        }
    }
    return NULL;
}

/* What this kernel tells of a task, it tells of this one. */
static void note_zero(void *context, int number, const struct record *record)
{
    struct sums *zero = context;

    (void)number;
    sums_add(zero, record);
    for (int cell = 0; cell < TASKSTATS_CELLS; cell++)
        if (zero->cells[cell] != MISSING)
            zero->cells[cell] = 0;
    zero->processes = zero->processes == MISSING ? MISSING : 0;
    zero->peak = zero->peak == MISSING ? MISSING : 0;
    zero->tasks = 0;
}

static int start(struct listener *self, const char *cpus, int hierarchy, int buffer, int timeout_ms,
                 int forks)
{
    int32_t pid = getpid();
    int error = ends_open(&self->ends, "/proc", hierarchy);

    if (!error)
        error = taskstats_open(&self->asking, timeout_ms);
    if (!error)
        error = socket_ask(self->asking, &pid, 1, note_zero, &self->ends.zero);
    if (!error)
        error = taskstats_open(&self->records, timeout_ms);
    if (error)
        return error;
    if (forks)
        self->forks = forks_open(buffer);
    error = socket_listen(self->records, cpus, buffer);
    if (error)
        return error;
    ends_look_around(&self->ends);
    drain(self);
    self->ends.unattributed = 0;        /* no job is followed yet */
    self->opened = clock_ns(CLOCK_REALTIME);
    self->stop = eventfd(0, EFD_CLOEXEC);
    if (self->stop < 0)
        return -errno;
    error = -pthread_create(&self->thread, NULL, listen_on, self);
    self->running = !error;
    return error;
}

int listener_open(struct listener **opened, const char *cpus, int hierarchy, int buffer, int timeout_ms, int *forks)
{
    struct listener *self = calloc(1, sizeof *self);
    int error;

    if (!self)
        return -ENOMEM;
    self->forks = self->stop = -EBADF;
    pthread_mutex_init(&self->lock, NULL);
    error = start(self, cpus, hierarchy, buffer, timeout_ms, *forks);
    if (error) {
        listener_close(self);
        return error;
    }
    *forks = self->forks < 0 ? self->forks : 0;
    *opened = self;
    return 0;
}

void listener_close(struct listener *self)
{
    uint64_t one = 1;

    if (!self)
        return;
    if (self->running && write(self->stop, &one, sizeof one) == sizeof one)
        pthread_join(self->thread, NULL);
    if (self->stop >= 0)
        close(self->stop);
    if (self->forks >= 0)
        close(self->forks);
    taskstats_close(self->records);
    taskstats_close(self->asking);
    ends_close(&self->ends);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

int listener_follow(struct listener *self, int job, const char *path, uint64_t start)
{
    int error;

    pthread_mutex_lock(&self->lock);
    error = ends_follow(&self->ends, job, path, start >= self->opened ? start : 0);
    pthread_mutex_unlock(&self->lock);
    return error;
}

void listener_forget(struct listener *self, int job)
{
    pthread_mutex_lock(&self->lock);
    ends_forget(&self->ends, job);
    pthread_mutex_unlock(&self->lock);
}

int64_t listener_dropped(struct listener *self)
{
    int64_t count;

    pthread_mutex_lock(&self->lock);
    count = socket_dropped(self->records->fd) + self->broken;
    pthread_mutex_unlock(&self->lock);
    return count;
}

int64_t listener_unattributed(struct listener *self)
{
    int64_t count;

    pthread_mutex_lock(&self->lock);
    count = self->ends.unattributed;
    pthread_mutex_unlock(&self->lock);
    return count;
}
