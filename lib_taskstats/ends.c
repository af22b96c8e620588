#include "ends.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT 8192               /* bytes of /proc/PID/cgroup that are read */
#define SLACK 50000             /* us: from when a task counts as begun until that is told, at most */

int ends_open(struct ends *ends, const char *proc, int hierarchy)
{
    ends->proc = proc;
    ends->hierarchy = hierarchy;
    ends->drainings = 1;
    sums_clear(&ends->zero);
    return groups_open(&ends->groups);
}

void ends_close(struct ends *ends)
{
    groups_close(&ends->groups);
    tasks_free(&ends->tasks);
    free(ends->jobs);
}

int job_of(const struct ends *ends, const struct task *task)
{
    return task && task->group != NOWHERE ? ends->groups.all[task->group].job : NO_JOB;
}

/* Puts the task where it belongs. */
static void enter(struct ends *ends, struct task *task, int group)
{
    task->group = group;
    task->told = ends->readings;
    if (group != NOWHERE)
        ends->groups.all[group].used = ends->readings;
}

/* The task `tid`; one that is not there yet is nowhere. NULL: no memory, or no id. */
static struct task *add(struct ends *ends, int32_t tid)
{
    struct task *task = tasks_find(&ends->tasks, tid);

    if (task)
        return task;
    task = tasks_add(&ends->tasks, tid);
    if (task)
        task->group = task->before = NOWHERE;
    return task;
}

/* The number of the cgroup that /proc tells of `tid`; NOWHERE: it is gone. */
static int group_by_proc(struct ends *ends, int32_t tid)
{
    char text[TEXT];
    const char *path;
    size_t length;
    ssize_t got;
    int fd;

    snprintf(text, sizeof text, "%s/%d/cgroup", ends->proc, (int)tid);
    fd = open(text, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NOWHERE;
    got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got < 0 ? 0 : got] = 0;
    path = groups_path(text, ends->hierarchy, &length);
    return path ? groups_at(&ends->groups, path, length) : NOWHERE;
}

/* The task `tid`, which lives or lately did; one outside all jobs is looked for again, for it may have moved into one.
 * NULL: not known. */
static struct task *known(struct ends *ends, int32_t tid)
{
    struct task *task = tasks_find(&ends->tasks, tid);
    int group;

    if (task && (task->ended || task->looked == ends->drainings || job_of(ends, task) != NO_JOB))
        return task;
    group = group_by_proc(ends, tid);
    if (group == NOWHERE)
        return task;
    task = add(ends, tid);
    if (task) {
        enter(ends, task, group);
        task->looked = ends->drainings;
    }
    return task;
}

void ends_look_around(struct ends *ends)
{
    DIR *all = opendir(ends->proc);
    struct dirent *entry;

    while (all && (entry = readdir(all)))
        if (*entry->d_name >= '1' && *entry->d_name <= '9')
            known(ends, atoi(entry->d_name));
    if (all)
        closedir(all);
    ends->drainings++;
}

/* Where a task is that was just forked: with its process or its parent, unless it moved already. */
static int group_of_new(struct ends *ends, const struct fork *fork)
{
    int process = fork->tid == fork->process, group = NOWHERE;
    struct task *from = known(ends, process ? fork->parent : fork->process);

    if (!from && process)
        from = known(ends, fork->parents_process);
    if (!from || (process && ends->quick && job_of(ends, from) == NO_JOB))
        group = group_by_proc(ends, fork->tid);
    return group == NOWHERE && from ? from->group : group;
}

/* It may have the number of one of whose end nothing was heard yet; or itself have been found by looking around. */
void ends_forked(struct ends *ends, const struct fork *fork)
{
    struct task *task;
    int group;

    if (fork->exec) {               /* who moves a process into a job does it before that */
        known(ends, fork->tid);
        return;
    }
    group = group_of_new(ends, fork);
    task = add(ends, fork->tid);
    if (!task)
        return;
    if (group == NOWHERE && !task->ended && !task->began)
        group = task->group;
    task->before = task->ended ? NOWHERE : task->group;
    task->before_began = task->began;
    enter(ends, task, group);
    task->looked = task->ended = 0;
    task->began = fork->time;
}

/* The cgroup of a task that ended: where it was last known, else where its process or its parent is. `task` is what is
 * known under its number. */
static int group_of(struct ends *ends, const struct who *who, struct task *task)
{
    if (task && !task->ended && task->group != NOWHERE)
        return task->group;
    task = who->process != who->tid ? tasks_find(&ends->tasks, who->process) : NULL;
    if ((!task || task->group == NOWHERE) && who->parent > 1)   /* 1 adopts those whose parents ended, of all jobs */
        task = known(ends, who->parent);
    return task ? task->group : NOWHERE;
}

/* Whether it was not `task` that ended but the one that had its number before: those of one number end in their order,
 * but the begin of the second may be told before the end of the first, where all numbers were used in the meantime. */
static int is_older(const struct ends *ends, const struct task *task, const struct who *who, uint64_t now)
{
    if (!task || task->ended || !task->began || !who->age)
        return 0;
    if (task->began + who->age > now + SLACK)
        return 1;
    return task->before != NOWHERE && task->before_began && task->before_began + who->age + SLACK > ends->heard;
}

void ends_ended(struct ends *ends, const struct record *record, uint64_t now)
{
    struct who who;
    struct task *task;
    int group, older;

    record_who(record, &who);
    task = tasks_find(&ends->tasks, who.tid);
    older = is_older(ends, task, &who, now);
    if (older) {
        group = task->before != NOWHERE ? task->before : group_of(ends, &who, NULL);
    } else {
        group = group_of(ends, &who, task);
    }
    if (group == NOWHERE)
        ends->unattributed++;
    else
        sums_add(&ends->groups.all[group].ended, record);
    task = add(ends, who.tid);
    if (task)
        task->before = NOWHERE;
    if (!task || older)
        return;
    enter(ends, task, group);
    task->ended = 1;
    task->began = now > who.age ? now - who.age : 1;
}

uint64_t ends_listed(struct ends *ends, int32_t tid, int job)
{
    struct task *task = tasks_find(&ends->tasks, tid);
    int moved = !task || (!task->ended && job_of(ends, task) != job);

    if (!task)
        task = add(ends, tid);
    if (!task)
        return 0;
    if (moved)
        enter(ends, task, ends->jobs[job].group);
    task->told = ends->readings;
    return task->ended ? task->began : 0;
}

void ends_lives(struct ends *ends, int32_t tid, int job)
{
    struct task *task = tasks_find(&ends->tasks, tid);

    if (!task)
        return;
    task->ended = task->began = 0;
    enter(ends, task, ends->jobs[job].group);
}
