#include <errno.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "perf_hw.h"
#include "totals.h"

/* A group on one CPU. */
struct place {
    uint64_t enabled, running;          /* ns, as they were read last */
    struct reading *before;
    int *fds;                           /* one for each event; the first is read */
};

struct perf_hw_group {
    int count, number;                  /* events; CPUs that are counted on */
    struct place *places;
    uint64_t *totals, *words;           /* of each event; room for a reading */
};

static int open_event(const struct perf_hw_event *event, int cgroup, int cpu, int leader)
{
    struct perf_event_attr attr;
    unsigned long flags = PERF_FLAG_FD_CLOEXEC | (cgroup < 0 ? 0 : PERF_FLAG_PID_CGROUP);
    int fd;

    memset(&attr, 0, sizeof attr);
    attr.size = sizeof attr;
    attr.type = event->type;
    attr.config = event->config;
    attr.config1 = event->config1;
    attr.config2 = event->config2;
    attr.read_format = PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    attr.disabled = leader < 0;         /* all begin when the first does */
    fd = syscall(SYS_perf_event_open, &attr, cgroup, cpu, leader, flags);
    return fd < 0 ? -errno : fd;
}

static void close_place(struct place *place, int count)
{
    for (int event = count - 1; place->fds && event >= 0; event--)
        if (place->fds[event] >= 0)
            close(place->fds[event]);
    free(place->fds);
    free(place->before);
}

/* Opens all events on one CPU. Returns 0 or -errno, and then leaves nothing open. */
static int open_place(struct place *place, int cgroup, const struct perf_hw_event *events, int count, int cpu,
                      int32_t *refused)
{
    int error = 0;

    memset(place, 0, sizeof *place);
    place->before = calloc(1, sizeof *place->before + count * sizeof *place->before->values);
    place->fds = malloc(count * sizeof *place->fds);
    if (!place->before || !place->fds) {
        free(place->before);
        free(place->fds);
        return -ENOMEM;
    }
    memset(place->fds, -1, count * sizeof *place->fds);
    for (int event = 0; event < count && error >= 0; event++) {
        error = open_event(events + event, cgroup, cpu, event ? place->fds[0] : -1);
        place->fds[event] = error;
        *refused = event;
    }
    if (error >= 0 && ioctl(place->fds[0], PERF_EVENT_IOC_ENABLE, PERF_IOC_FLAG_GROUP))
        error = -errno;
    if (error < 0)
        close_place(place, count);
    return error < 0 ? error : 0;
}

int perf_hw_open(struct perf_hw_group **opened, int cgroup, const struct perf_hw_event *events, int count,
                 const int32_t *cpus, int number, int32_t *refused)
{
    struct perf_hw_group *self = calloc(1, sizeof *self);
    int error = -ENODEV;                /* not one CPU is online */

    if (!self)
        return -ENOMEM;
    self->count = count;
    self->places = calloc(number, sizeof *self->places);
    self->totals = calloc(count, sizeof *self->totals);
    self->words = calloc(HEAD + count, sizeof *self->words);
    if (!self->places || !self->totals || !self->words)
        error = -ENOMEM;
    for (int place = 0; place < number && error != -ENOMEM; place++) {
        error = open_place(self->places + self->number, cgroup, events, count, cpus[place], refused);
        if (error && error != -ENODEV)
            break;
        self->number += !error;
    }
    if (self->number && error == -ENODEV)
        error = 0;
    if (error)
        perf_hw_close(self);
    else
        *opened = self;
    return error;
}

/* Takes a reading on one CPU. Returns 0 or -errno. */
static int read_place(struct perf_hw_group *self, struct place *place)
{
    ssize_t length = read(place->fds[0], self->words, (HEAD + self->count) * sizeof *self->words);
    int error = length < 0 ? -errno : totals_take(place->before, self->words, length, self->count, self->totals);

    if (!error) {
        place->enabled = self->words[1];
        place->running = self->words[2];
    }
    return error;
}

static int64_t limited(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

int perf_hw_read(struct perf_hw_group *const *groups, int number, int64_t *cells)
{
    int failed = 0;

    for (int group = 0; group < number; group++) {
        struct perf_hw_group *self = groups[group];
        uint64_t enabled = 0, running = 0;

        for (int place = 0; place < self->number; place++) {
            failed += read_place(self, self->places + place) != 0;
            enabled = totals_sum(enabled, self->places[place].enabled);
            running = totals_sum(running, self->places[place].running);
        }
        for (int event = 0; event < self->count; event++, cells += PERF_HW_CELLS) {
            cells[0] = enabled && !running ? INT64_MIN : limited(self->totals[event]);
            cells[1] = limited(enabled);
            cells[2] = limited(running);
        }
    }
    return failed;
}

int perf_hw_files(const struct perf_hw_group *self)
{
    return self->count * self->number;
}

void perf_hw_close(struct perf_hw_group *self)
{
    if (!self)
        return;
    for (int place = 0; place < self->number; place++)
        close_place(self->places + place, self->count);
    free(self->places);
    free(self->totals);
    free(self->words);
    free(self);
}
