/* The sums of cgroups as rows of jobs. */
#define _GNU_SOURCE
#include "internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_A_US 1000
#define NS_A_S 1000000000ull
#define INTEGRAL 1024000        /* 1000 * 1024: of acct_rss_mem1 and acct_vm_mem1, in tsacct.c of the kernel */

/* Where a cell of a live row comes from, and what its sum is divided by. */
static const struct source {
    enum quantity quantity;
    unsigned int divisor;
} sources[ACCOUNT_LIVE_CELLS] = {
    {TASKS, 1},
    {CPU_COUNT, 1},
    {CPU_DELAY, 1},
    {BLKIO_COUNT, 1},
    {BLKIO_DELAY, 1},
    {SWAPIN_COUNT, 1},
    {SWAPIN_DELAY, 1},
    {UTIME, 1},                 /* cpu_run_real_total: stime is added */
    {RUNTIME, 1},
    {EARLIEST, 1},              /* ac_btime */
    {EARLIEST, 1},              /* ac_etime */
    {UTIME, NS_A_US},
    {STIME, NS_A_US},
    {MINFLT, 1},
    {MAJFLT, 1},
    {RSS_INTEGRAL, INTEGRAL},   /* times the size of a page */
    {VM_INTEGRAL, INTEGRAL},
    {RCHAR_KIB, 1},
    {WCHAR_KIB, 1},
    {SYSCR_KIB, 1},
    {SYSCW_KIB, 1},
    {READ_BYTES, 1},
    {WRITE_BYTES, 1},
    {CANCELLED_BYTES, 1},
    {NVCSW, 1},
    {NIVCSW, 1},
    {UTIME_SCALED, NS_A_US},
    {STIME_SCALED, NS_A_US},
    {UTIME_SCALED, 1},          /* cpu_scaled_run_real_total: stime is added */
    {FREEPAGES_COUNT, 1},
    {FREEPAGES_DELAY, 1},
};

enum { REAL = 7, BTIME = 9, AGE = 10, SCALED = 28 };

static int64_t bounded(unsigned __int128 value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

void live_row(const uint64_t *sums, int64_t *row, uint64_t monotonic, int64_t wall, uint64_t page_size)
{
    uint64_t earliest = ~sums[EARLIEST], age = earliest < monotonic ? monotonic - earliest : 0;

    for (int cell = 0; cell < ACCOUNT_LIVE_CELLS; cell++) {
        const struct source *from = &sources[cell];
        unsigned __int128 sum = sums[from->quantity];

        if (from->divisor == INTEGRAL)
            sum *= page_size;
        row[cell] = bounded(sum / from->divisor);
    }
    row[REAL] = bounded((unsigned __int128)sums[UTIME] + sums[STIME]);
    row[SCALED] = bounded((unsigned __int128)sums[UTIME_SCALED] + sums[STIME_SCALED]);
    row[AGE] = age / NS_A_US;
    row[BTIME] = wall - (int64_t)(age / NS_A_S);
}

/* Room for the sums of this many jobs, all 0. Returns 0 or -errno. */
static int clear_sums(struct account *self, int jobs)
{
    if (jobs > self->jobs) {
        uint64_t (*sums)[QUANTITIES] = realloc(self->sums, sizeof *sums * jobs);

        if (!sums)
            return -ENOMEM;
        self->sums = sums;
        self->jobs = jobs;
    }
    memset(self->sums, 0, sizeof *self->sums * jobs);
    return 0;
}

/* Lets the kernel go through all tasks. Returns 0 or -errno. */
static int pass(struct account *self)
{
    char nothing[64];           /* the program writes no text */
    ssize_t got;
    int fd = bpf_iter_create(bpf_link__fd(self->pass));

    if (fd < 0)
        return fd;
    do
        got = read(fd, nothing, sizeof nothing);
    while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));    /* EAGAIN: after a million tasks */
    got = got < 0 ? -errno : 0;
    close(fd);
    return got;
}

static void add(uint64_t *to, const unsigned long long *from)
{
    for (int sum = 0; sum < SUMS; sum++)
        to[sum] += from[sum];
    for (int most = SUMS; most < QUANTITIES; most++)
        if (from[most] > to[most])
            to[most] = from[most];
}

int account_live(struct account *self, int64_t *rows, int jobs)
{
    uint32_t places = used(self);
    struct timespec monotonic, wall;
    uint64_t now, page = sysconf(_SC_PAGESIZE);
    int error = clear_sums(self, jobs);

    for (uint32_t place = 0; place < places; place++)
        memset(self->cells[place].live, 0, sizeof self->cells->live);
    if (!error)
        error = pass(self);
    if (error)
        return error;
    for (uint32_t place = 0; place < places; place++) {
        int job = owner_of(self, place);

        if (job >= 0 && job < jobs)
            add(self->sums[job], self->cells[place].live);
    }
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    clock_gettime(CLOCK_REALTIME, &wall);
    now = monotonic.tv_sec * NS_A_S + monotonic.tv_nsec;
    for (int job = 0; job < jobs; job++)
        live_row(self->sums[job], rows + (size_t)job * ACCOUNT_LIVE_CELLS, now, wall.tv_sec, page);
    return 0;
}
