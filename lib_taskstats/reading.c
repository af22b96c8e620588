/* One reading of all jobs: what ended, under the lock, then what lives, task by task. */
#define _GNU_SOURCE             /* recvmmsg */
#include "listening.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The tasks of all jobs lie one after the other. */
struct reading {
    struct listener *self;
    int32_t *tids;              /* those to ask for */
    uint64_t *began;            /* of each: 0, or how late at most one began that ended (struct task) */
    struct sums *ended, *live;  /* of each job */
    int job, first;             /* those that are asked for: whose, and the place of the first */
    uint64_t now;               /* CLOCK_MONOTONIC, us */
};

/* Under the lock: what ended until now, and which tasks live besides. */
static void look(struct reading *reading, const int32_t *counts, int jobs)
{
    struct listener *self = reading->self;
    int at = 0;

    drain(self);
    for (int job = 0; job < jobs; job++) {
        if (job >= self->ends.job_count || !self->ends.jobs[job].used)
            continue;
        for (int end = at + counts[job]; at < end; at++)
            reading->began[at] = ends_listed(&self->ends, reading->tids[at], job);
        ends_sum(&self->ends, job, &reading->ended[job]);
    }
    ends_read(&self->ends);
}

static void add_live(void *context, int number, const struct record *record)
{
    struct reading *reading = context;
    uint64_t ended = reading->began[reading->first + number];
    struct who who;

    if (ended) {
        record_who(record, &who);
        if (reading->now <= who.age + ended)        /* the same, not yet waited for */
            return;
        pthread_mutex_lock(&reading->self->lock);
        ends_lives(&reading->self->ends, who.tid, reading->job);
        pthread_mutex_unlock(&reading->self->lock);
    }
    sums_add(&reading->live[reading->job], record);
}

static int ask_all(struct reading *reading, const int32_t *counts, int jobs)
{
    int error = 0;

    for (int job = 0; job < jobs && !error; job++) {
        sums_clear(&reading->live[job]);
        reading->job = job;
        error = socket_ask(reading->self->asking, reading->tids + reading->first, counts[job], add_live, reading);
        reading->first += counts[job];
    }
    return error;
}

static void write_rows(struct reading *reading, int jobs, int64_t *live, int64_t *total)
{
    uint64_t now = clock_ns(CLOCK_REALTIME);

    for (int job = 0; job < jobs; job++, live += LISTENER_LIVE_CELLS, total += LISTENER_TOTAL_CELLS) {
        if (job >= reading->self->ends.job_count || !reading->self->ends.jobs[job].used)
            continue;
        live[0] = reading->live[job].tasks;
        memcpy(live + 1, reading->live[job].cells, sizeof reading->live->cells);
        ends_row(&reading->self->ends.jobs[job], &reading->ended[job], &reading->live[job], now, total);
    }
}

int listener_read(struct listener *self, const int32_t *tids, const int32_t *counts, int jobs,
                  int64_t *live, int64_t *total)
{
    struct reading reading = {.self = self};
    size_t count = 0;
    int error = -ENOMEM;

    for (int job = 0; job < jobs; job++)
        count += counts[job];
    reading.tids = malloc((count + 1) * sizeof *reading.tids);
    reading.began = calloc(count + 1, sizeof *reading.began);
    reading.ended = calloc(jobs + 1, 2 * sizeof *reading.ended);
    if (reading.tids && reading.began && reading.ended) {
        memcpy(reading.tids, tids, count * sizeof *tids);
        reading.live = reading.ended + jobs;
        reading.now = clock_ns(CLOCK_MONOTONIC) / 1000;
        pthread_mutex_lock(&self->lock);
        look(&reading, counts, jobs);
        pthread_mutex_unlock(&self->lock);
        error = ask_all(&reading, counts, jobs);
        if (!error)
            write_rows(&reading, jobs, live, total);
    }
    free(reading.tids);
    free(reading.began);
    free(reading.ended);
    return error;
}
