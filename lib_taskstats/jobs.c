/* The jobs: which cgroups are theirs, and what is forgotten. */
#include "ends.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 2                  /* readings after which what nothing told of is forgotten */

/* Room for the job of this number. Returns 0 or -ENOMEM. */
static int make_room(struct ends *ends, int job)
{
    struct job *jobs;

    if (job < ends->job_count)
        return 0;
    jobs = realloc(ends->jobs, sizeof *jobs * (job + 1));
    if (!jobs)
        return -ENOMEM;
    memset(jobs + ends->job_count, 0, sizeof *jobs * (job + 1 - ends->job_count));
    ends->jobs = jobs;
    ends->job_count = job + 1;
    return 0;
}

int ends_follow(struct ends *ends, int job, const char *path, uint64_t since)
{
    int error = make_room(ends, job), group;

    if (error)
        return error;
    group = groups_follow(&ends->groups, path, job);
    if (group < 0)
        return group;
    if (!ends->jobs[job].used)
        ends->jobs[job] = (struct job){.used = 1, .group = group, .fresh = !since, .since = since};
    return 0;
}

static void count(struct ends *ends, int group)
{
    if (group != NOWHERE)
        ends->groups.all[group].tasks++;
}

/* Removes the tasks of which `gone` says so; counts those that refer to each group. */
static void sweep(struct ends *ends, int (*gone)(const struct ends *, const struct task *, int), int job)
{
    struct tasks *tasks = &ends->tasks;

    for (int number = 0; number < ends->groups.count; number++)
        ends->groups.all[number].tasks = 0;
    for (uint32_t at = 0; at < tasks->size; at++) {
        struct task *task = &tasks->slots[at];

        while (task->tid && gone(ends, task, job))
            tasks_remove(tasks, task);
    }
    for (uint32_t at = 0; at < tasks->size; at++) {
        const struct task *task = &tasks->slots[at];

        if (task->tid) {
            count(ends, task->group);
            count(ends, task->before);
        }
    }
}

static int is_of(const struct ends *ends, const struct task *task, int job)
{
    int before = task->before;

    return job_of(ends, task) == job || (before != NOWHERE && ends->groups.all[before].job == job);
}

/* Those that ended; of jobs also those that are listed no more: they moved, or their end was not heard. */
static int is_old(const struct ends *ends, const struct task *task, int job)
{
    (void)job;
    if (ends->readings - task->told <= KEPT)
        return 0;
    return task->ended || task->group == NOWHERE || job_of(ends, task) != NO_JOB;
}

void ends_forget(struct ends *ends, int job)
{
    if (job >= ends->job_count)
        return;
    sweep(ends, is_of, job);
    for (int number = 0; number < ends->groups.count; number++)
        if (ends->groups.all[number].path && ends->groups.all[number].job == job)
            groups_drop(&ends->groups, number);
    ends->jobs[job].used = 0;
}

void ends_sum(const struct ends *ends, int job, struct sums *sums)
{
    *sums = ends->zero;
    for (int number = 0; number < ends->groups.count; number++)
        if (ends->groups.all[number].path && ends->groups.all[number].job == job)
            sums_join(sums, &ends->groups.all[number].ended);
}

void ends_read(struct ends *ends)
{
    sweep(ends, is_old, NO_JOB);
    for (int number = 0; number < ends->groups.count; number++) {
        struct group *group = &ends->groups.all[number];

        if (group->path && !group->tasks && group->job == NO_JOB && ends->readings - group->used > KEPT)
            groups_drop(&ends->groups, number);
    }
    ends->readings++;
}
