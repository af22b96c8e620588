/* Open addressing, next slot after next; at most half of the slots are in use. */
#include "tasks.h"

#include <stdlib.h>

#define LEAST 1024

static uint32_t home(const struct tasks *tasks, int32_t tid)
{
    return (uint32_t)tid * 2654435769u & (tasks->size - 1);
}

static struct task *slot_of(const struct tasks *tasks, int32_t tid)
{
    uint32_t at = home(tasks, tid);

    while (tasks->slots[at].tid && tasks->slots[at].tid != tid)
        at = (at + 1) & (tasks->size - 1);
    return &tasks->slots[at];
}

struct task *tasks_find(const struct tasks *tasks, int32_t tid)
{
    struct task *slot;

    if (!tasks->size || tid <= 0)
        return NULL;
    slot = slot_of(tasks, tid);
    return slot->tid ? slot : NULL;
}

/* Returns 0, or -1: no memory. */
static int grow(struct tasks *tasks)
{
    struct tasks larger = {.size = tasks->size ? tasks->size * 2 : LEAST, .count = tasks->count};

    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (!larger.slots)
        return -1;
    for (uint32_t at = 0; at < tasks->size; at++)
        if (tasks->slots[at].tid)
            *slot_of(&larger, tasks->slots[at].tid) = tasks->slots[at];
    free(tasks->slots);
    *tasks = larger;
    return 0;
}

struct task *tasks_add(struct tasks *tasks, int32_t tid)
{
    struct task *slot = tasks_find(tasks, tid);

    if (slot || tid <= 0)
        return slot;
    if (tasks->count >= tasks->size / 2 && grow(tasks))
        return NULL;
    slot = slot_of(tasks, tid);
    *slot = (struct task){.tid = tid};
    tasks->count++;
    return slot;
}

/* Those behind it that would not be found any more move up. */
void tasks_remove(struct tasks *tasks, struct task *task)
{
    uint32_t mask = tasks->size - 1, hole = task - tasks->slots;

    for (uint32_t at = (hole + 1) & mask; tasks->slots[at].tid; at = (at + 1) & mask) {
        uint32_t from = home(tasks, tasks->slots[at].tid);

        if (((at - from) & mask) >= ((at - hole) & mask)) {
            tasks->slots[hole] = tasks->slots[at];
            hole = at;
        }
    }
    tasks->slots[hole] = (struct task){0};
    tasks->count--;
}

void tasks_free(struct tasks *tasks)
{
    free(tasks->slots);
    *tasks = (struct tasks){0};
}
