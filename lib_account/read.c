/* Reads the cells, job by job. */
#define _GNU_SOURCE
#include "internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ATTEMPTS 100            /* to find a moment in which no cgroup is being removed */

uint64_t unix_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static struct moment this_moment(void)
{
    struct timespec monotonic;

    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    return (struct moment){monotonic.tv_sec * 1000000000ull + monotonic.tv_nsec, unix_time(), sysconf(_SC_PAGESIZE)};
}

/* Visits all tasks. Returns 0 or -errno. */
static int iterate(struct account *self)
{
    char nothing[64];           /* the program writes no text */
    int fd = bpf_iter_create(bpf_link__fd(self->pass));
    ssize_t got;

    if (fd < 0)
        return fd;
    do
        got = read(fd, nothing, sizeof nothing);
    while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));    /* EAGAIN: after a million tasks */
    got = got < 0 ? -errno : 0;
    close(fd);
    return got;
}

int run(int program)
{
    LIBBPF_OPTS(bpf_test_run_opts, how);        /* it is no test: the kernel runs programs of this kind so */
    int error = bpf_prog_test_run_opts(program, &how);

    return error ? error : how.retval ? -ESRCH : 0;
}

int pass(struct account *self)
{
    uint32_t places = used(self);

    for (uint32_t place = 0; place < places; place++)
        memset(self->cells[place].live, 0, sizeof self->cells->live);
    return self->walk == NO_WALK || run(self->walk) ? iterate(self) : 0;
}

/* Room for the sums of this many jobs; new ones begin at 0. Returns 0 or -errno. */
static int make_room(struct account *self, int jobs)
{
    struct sums *sums;

    if (jobs <= self->jobs)
        return 0;
    sums = realloc(self->sums, sizeof *sums * jobs);
    if (!sums)
        return -ENOMEM;
    memset(sums + self->jobs, 0, sizeof *sums * (jobs - self->jobs));
    self->sums = sums;
    self->jobs = jobs;
    return 0;
}

static void add(uint64_t *to, const unsigned long long *from)
{
    for (int sum = 0; sum < SUMS; sum++)
        to[sum] += from[sum];
    for (int most = SUMS; most < QUANTITIES; most++)
        if (from[most] > to[most])
            to[most] = from[most];
}

/* What the tasks of newly followed cgroups had before is taken off, numbers of tasks excepted. */
static int begin(struct account *self)
{
    uint32_t places = used(self);
    int error = self->any_fresh ? pass(self) : 0;

    if (error || !self->any_fresh)
        return error;
    for (uint32_t place = 0; place < places; place++) {
        struct cell *cell = &self->cells[place];

        for (int sum = PROCESSES + 1; sum < SUMS && self->fresh[place]; sum++)
            __atomic_fetch_sub(&cell->ended[sum], cell->live[sum], __ATOMIC_RELAXED);
        self->fresh[place] = 0;
    }
    self->any_fresh = 0;
    return 0;
}

static void sum_ended(struct account *self)
{
    uint32_t places = used(self);

    for (int job = 0; job < self->jobs; job++) {
        memset(self->sums[job].ended, 0, sizeof self->sums->ended);
        self->sums[job].since = 0;
    }
    for (uint32_t place = 0; place < places; place++) {
        const struct cell *cell = &self->cells[place];
        int job = owner_of(self, place);

        if (job < 0 || job >= self->jobs)
            continue;
        add(self->sums[job].ended, cell->ended);
        if (cell->kind == TOP && cell->since > self->sums[job].since)
            self->sums[job].since = cell->since;
    }
}

/* Sums that move from a removed step to what is above it while they are read would be read twice or not at all. */
static void at_rest(struct account *self, void (*sum)(struct account *))
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        uint64_t done = __atomic_load_n(&self->state->folds_done, __ATOMIC_SEQ_CST);

        sum(self);
        if (__atomic_load_n(&self->state->folds_begun, __ATOMIC_SEQ_CST) == done)
            break;
    }
}

/* And what they brought, which is read last: of whoever moves meanwhile too much may be taken off, never too little. */
static void sum_live(struct account *self)
{
    uint32_t places = used(self);

    for (int job = 0; job < self->jobs; job++)
        memset(self->sums[job].live, 0, sizeof self->sums->live);
    for (uint32_t place = 0; place < places; place++) {
        int job = owner_of(self, place);

        if (job < 0 || job >= self->jobs)
            continue;
        add(self->sums[job].live, self->cells[place].live);
        self->sums[job].live[BROUGHT] += self->cells[place].ended[BROUGHT];
    }
}

int account_read(struct account *self, int64_t *live, int64_t *total, int jobs)
{
    int error = make_room(self, jobs);
    struct moment now;

    if (!error)
        error = begin(self);
    if (error)
        return error;
    at_rest(self, sum_ended);       /* before the pass: see account.bpf.c */
    error = pass(self);
    if (error)
        return error;
    at_rest(self, sum_live);
    now = this_moment();
    for (int job = 0; job < jobs; job++) {
        live_row(&self->sums[job], live + (size_t)job * ACCOUNT_LIVE_CELLS, &now);
        total_row(&self->sums[job], total + (size_t)job * ACCOUNT_TOTAL_CELLS, &now);
    }
    release_unclaimed(self);
    return 0;
}
