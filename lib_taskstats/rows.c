/* The sums of a job as a row of the table account. */
#include "ends.h"

#define NS_A_US 1000

enum { SINCE, LIVE_TASKS, LIVE_PROCESSES, STARTED_TASKS, STARTED_PROCESSES, ENDED_TASKS, ENDED_PROCESSES, FIRST_SUM };

/* The cells of the row from FIRST_SUM on: which of a sum, and by what it is multiplied; 0: not told. Calls of read and
 * write are missing, for the kernel gives multiples of 1024 of each task, which mostly is none. */
static const struct {
    int cell, factor;
} from[] = {
    {0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}, {28, 1}, {29, 1},       /* cpu_count to freepages_delay_total */
    {7, 1}, {10, NS_A_US}, {11, NS_A_US}, {12, 1}, {13, 1}, {23, 1}, {24, 1},       /* runtime to nivcsw */
    {16, 1}, {17, 1}, {0, 0}, {0, 0}, {20, 1}, {21, 1}, {22, 1},            /* rchar to cancelled_write_bytes */
};

static int64_t times(int64_t value, int factor)
{
    if (value == MISSING)
        return MISSING;
    return value > INT64_MAX / factor ? INT64_MAX : value * factor;
}

/* Puts `value` less what was `before` into the row, never less than the last time. */
static void tell(struct job *job, int64_t *row, int cell, int64_t value, int64_t before)
{
    if (value == MISSING) {
        row[cell] = MISSING;
        return;
    }
    value -= before == MISSING ? 0 : before;
    if (value > job->last[cell])
        job->last[cell] = value;
    row[cell] = job->last[cell];
}

void ends_row(struct job *job, const struct sums *ended, const struct sums *live, uint64_t now, int64_t *row)
{
    struct sums all = *ended, *before = &job->before;
    int count = sizeof from / sizeof *from;

    sums_join(&all, live);
    if (job->fresh) {
        job->before = all;
        job->before.tasks = ended->tasks;
        job->before.processes = ended->processes;
        job->since = now;
        job->fresh = 0;
    }
    row[SINCE] = job->since;
    row[LIVE_TASKS] = live->tasks;
    row[LIVE_PROCESSES] = live->tasks || all.processes == MISSING ? live->processes : 0;
    tell(job, row, STARTED_TASKS, all.tasks, before->tasks);
    tell(job, row, STARTED_PROCESSES, all.processes, before->processes);
    tell(job, row, ENDED_TASKS, ended->tasks, before->tasks);
    tell(job, row, ENDED_PROCESSES, ended->processes, before->processes);
    for (int i = 0; i < count; i++) {
        if (from[i].factor)
            tell(job, row, FIRST_SUM + i, times(all.cells[from[i].cell], from[i].factor),
                 times(before->cells[from[i].cell], from[i].factor));
        else
            row[FIRST_SUM + i] = MISSING;
    }
    tell(job, row, FIRST_SUM + count, all.peak, 0);
}
