/* Cgroups of one hierarchy by their paths, and what the tasks that ended in each did. */
#ifndef COLMET_GROUPS_H
#define COLMET_GROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "sums.h"

#define GROUPS 4096
#define NO_JOB (-1)
#define NOWHERE (-1)            /* the number of no group */

struct group {
    char *path;                 /* NULL: the place is free */
    size_t length;
    int job;                    /* that it belongs to, or NO_JOB */
    int followed;               /* 1: so does all below it */
    uint32_t used;              /* the reading before which a task was last told to be in it */
    uint32_t tasks;             /* known to be in it at the last reading */
    struct sums ended;
};

struct groups {
    struct group *all;          /* GROUPS of them */
    int count;                  /* none from this place on was ever used */
};

/* Returns 0 or -ENOMEM. */
int groups_open(struct groups *groups);
void groups_close(struct groups *groups);

/* The number of the group at `path`: of the one above it that is followed, if there is such a one. One that was not
 * known is noted. NOWHERE: no room. */
int groups_at(struct groups *groups, const char *path, size_t length);

/* Says that `path` and all below it belong to `job`. Returns the group's number, or -ENOSPC. */
int groups_follow(struct groups *groups, const char *path, int job);

/* Frees a group. */
void groups_drop(struct groups *groups, int number);

/* The path of the hierarchy `number` in the text of /proc/PID/cgroup; NULL where it has none. */
const char *groups_path(const char *text, int hierarchy, size_t *length);

#endif
