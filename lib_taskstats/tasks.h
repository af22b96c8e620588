/* Which cgroup each task is in: a table by thread id. */
#ifndef COLMET_TASKS_H
#define COLMET_TASKS_H

#include <stdint.h>

struct task {
    int32_t tid;                /* 0: the slot is free */
    int32_t group;
    int32_t before;             /* that of the one that had the number before and of whose end nothing was heard yet */
    uint64_t before_began;      /* as `began`, of that one */
    uint32_t ended;             /* 1: it did, and may still be listed */
    uint32_t told;              /* the reading before which something last told of it */
    uint32_t looked;            /* the draining in which its cgroup was last looked up */
    uint64_t began;             /* CLOCK_MONOTONIC in us; 0: not known; of one that ended, not later than this */
};

/* All zero is an empty one. */
struct tasks {
    struct task *slots;
    uint32_t size, count;       /* slots, a power of two; those in use */
};

/* The task `tid`, or NULL; it stays where it is until one is added or removed. */
struct task *tasks_find(const struct tasks *tasks, int32_t tid);

/* The same; one that is not there is added, all its other fields 0. NULL: no memory, or `tid` is not above 0. */
struct task *tasks_add(struct tasks *tasks, int32_t tid);

/* Removes it; another may be in its slot afterwards. */
void tasks_remove(struct tasks *tasks, struct task *task);

void tasks_free(struct tasks *tasks);

#endif
