/* The account of jobs by the ends of their tasks: which task is in which cgroup, and what those that ended did. No
 * socket here; where a task is that nothing told of is read from /proc.
 *
 * A task that is forked is in its parent's cgroup. Later moves are seen where the tasks of jobs are listed, and when a
 * task outside all jobs forks. */
#ifndef COLMET_ENDS_H
#define COLMET_ENDS_H

#include "forks.h"
#include "groups.h"
#include "listener.h"
#include "tasks.h"

/* Of one job. */
struct job {
    int used;
    int fresh;                          /* 1: it was here before; what its tasks had done must be taken off */
    int group;                          /* the first of its own */
    uint64_t since;
    struct sums before;                 /* that */
    int64_t last[LISTENER_TOTAL_CELLS]; /* what was told */
};

struct ends {
    const char *proc;                   /* "/proc" */
    int hierarchy;                      /* its number in /proc/PID/cgroup */
    struct sums zero;                   /* 0 in what this kernel tells, else MISSING */
    struct tasks tasks;
    struct groups groups;
    struct job *jobs;
    int job_count;
    uint32_t readings, drainings;
    int quick;                          /* 1: events are told so soon, and so few, that each may be looked at */
    uint64_t heard;                     /* CLOCK_MONOTONIC in us: all that ended until then was told */
    uint64_t unattributed;              /* ends of tasks of which it is not known where they were */
};

/* Returns 0 or -ENOMEM. */
int ends_open(struct ends *ends, const char *proc, int hierarchy);
void ends_close(struct ends *ends);

/* The job that the task belongs to, or NO_JOB; `task` may be NULL. */
int job_of(const struct ends *ends, const struct task *task);

/* Notes where all processes are now. */
void ends_look_around(struct ends *ends);

/* Makes `path` and all below it part of `job`. Returns 0 or -errno. */
int ends_follow(struct ends *ends, int job, const char *path, uint64_t since);
void ends_forget(struct ends *ends, int job);

/* A task began, or began a program. */
void ends_forked(struct ends *ends, const struct fork *fork);

/* A task ended, before `now`, CLOCK_MONOTONIC in us. */
void ends_ended(struct ends *ends, const struct record *record, uint64_t now);

/* The task `tid` is listed as one of `job`. Returns 0 if it lives as far as is known; of one that ended, when it began
 * at the latest (see struct task). */
uint64_t ends_listed(struct ends *ends, int32_t tid, int job);

/* What the ended tasks of `job` did, into `sums`. */
void ends_sum(const struct ends *ends, int job, struct sums *sums);

/* It lives though it ended: another has its number. */
void ends_lives(struct ends *ends, int32_t tid, int job);

/* A reading of all jobs is done: forgets tasks and cgroups of which nothing was told lately. */
void ends_read(struct ends *ends);

/* Writes the row of `job` from its sums at the Unix time `now` (ns); counters never go back. */
void ends_row(struct job *job, const struct sums *ended, const struct sums *live, uint64_t now, int64_t *row);

#endif
