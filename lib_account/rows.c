/* The sums of jobs as rows: pure, no kernel here. */
#include "held.h"
#include "internal.h"

#define KIB 1024
#define NS_A_US 1000
#define NS_A_S 1000000000ull
#define INTEGRAL 1024000        /* 1000 * 1024: of acct_rss_mem1 and acct_vm_mem1, in tsacct.c of the kernel */

/* Where a cell of a live row comes from, and what its sum is divided by. */
static const struct source {
    enum quantity quantity;
    unsigned int divisor;
} live_sources[ACCOUNT_LIVE_CELLS] = {
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

/* The cells of a total row from the eighth on: all sums, live and ended. */
static const enum quantity total_sources[] = {
    CPU_COUNT, CPU_DELAY, BLKIO_COUNT, BLKIO_DELAY, SWAPIN_COUNT, SWAPIN_DELAY, FREEPAGES_COUNT, FREEPAGES_DELAY,
    RUNTIME, UTIME, STIME, MINFLT, MAJFLT, NVCSW, NIVCSW, RCHAR, WCHAR, SYSCR, SYSCW, READ_BYTES, WRITE_BYTES,
    CANCELLED_BYTES,
};

enum { SINCE, LIVE_TASKS, LIVE_PROCESSES, STARTED_TASKS, STARTED_PROCESSES, ENDED_TASKS, ENDED_PROCESSES, FIRST_SUM };

static int64_t bounded(unsigned __int128 value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

void live_row(const struct sums *sums, int64_t *row, const struct moment *now)
{
    const uint64_t *live = sums->live;
    uint64_t earliest = ~live[EARLIEST], age = earliest < now->monotonic ? now->monotonic - earliest : 0;

    for (int cell = 0; cell < ACCOUNT_LIVE_CELLS; cell++) {
        const struct source *from = &live_sources[cell];
        unsigned __int128 sum = live[from->quantity];

        if (from->divisor == INTEGRAL)
            sum *= now->page;
        row[cell] = bounded(sum / from->divisor);
    }
    row[REAL] = bounded((unsigned __int128)live[UTIME] + live[STIME]);
    row[SCALED] = bounded((unsigned __int128)live[UTIME_SCALED] + live[STIME_SCALED]);
    row[AGE] = age / NS_A_US;
    row[BTIME] = now->wall / NS_A_S - age / NS_A_S;
}

/* A task that ended between the reading of the two kinds is in neither, so that a sum may seem to go back. */
static int64_t grown(struct sums *sums, int cell, uint64_t value)
{
    if ((int64_t)value > sums->last[cell])
        sums->last[cell] = (int64_t)value;
    return sums->last[cell];
}

void total_row(struct sums *sums, int64_t *row, const struct moment *now)
{
    const uint64_t *live = sums->live, *ended = sums->ended;
    size_t count = sizeof total_sources / sizeof *total_sources;
    uint64_t rss = live[MAX_RSS] > ended[MAX_RSS] ? live[MAX_RSS] : ended[MAX_RSS];

    row[SINCE] = sums->since;
    row[LIVE_TASKS] = live[TASKS];
    row[LIVE_PROCESSES] = live[PROCESSES];
    row[STARTED_TASKS] = grown(sums, STARTED_TASKS, live[TASKS] + ended[TASKS]);
    row[STARTED_PROCESSES] = grown(sums, STARTED_PROCESSES, live[PROCESSES] + ended[PROCESSES]);
    row[ENDED_TASKS] = grown(sums, ENDED_TASKS, ended[TASKS]);
    row[ENDED_PROCESSES] = grown(sums, ENDED_PROCESSES, ended[PROCESSES]);
    for (size_t i = 0; i < count; i++) {
        enum quantity each = total_sources[i];

        row[FIRST_SUM + i] = grown(sums, FIRST_SUM + i,
                                   live[each] + ended[each] - (each == RUNTIME ? live[BROUGHT] : 0));
    }
    row[FIRST_SUM + count] = grown(sums, FIRST_SUM + count, rss * now->page);
}

void process_row(const struct held *job, int64_t *row, uint64_t page)
{
    row[0] = job->torn ? -1 : bounded(job->processes);
    for (int sum = 0; sum < HELD_QUANTITIES; sum++)
        row[1 + sum] = bounded(sum < HELD_RESIDENT ? job->sums[sum] : (unsigned __int128)job->sums[sum] * page / KIB);
}
