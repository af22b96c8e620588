/* Adds up what tasks did, for each cgroup that is followed: a task that ends in sched_process_exit, one that lives when
 * user space reads the iterator on_live (or runs walk.bpf.c). A cgroup made below one that is followed is followed too,
 * from its first moment.
 *
 * The two never hold the same task if `ended` is taken before the live ones: a task is seen alive only before it begins
 * to exit (PF_EXITING), and the tracepoint comes after that. One that ends in between is in neither, once. */
#include "kernel.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "cells.h"
#include "hierarchy.h"
#include "maps.h"
#include "task.h"

char LICENSE[] SEC("license") = "GPL";

#define MOVED 256               /* threads of a process that are looked at when it is moved */
#define TOO_MUCH (1ull << 56)   /* ns, two years: from there on nothing is told of its cgroup's CPU time */

struct state state = {};

struct {
    __uint(type, BPF_MAP_TYPE_STACK);
    __uint(max_entries, GROUPS);
    __uint(key_size, 0);
    __uint(value_size, sizeof(__u32));
} spare SEC(".maps");           /* places of free cells */

static __always_inline __u64 group_of(struct task_struct *task)
{
    int subsystem = settings.subsystem;

    if (subsystem < 0)
        return task->cgroups->dfl_cgrp->kn->id;
    return task->cgroups->subsys[subsystem]->cgroup->kn->id;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
    struct cell *cell = cell_of(group_of(task));

    if (cell)
        add_task(cell->ended, task, 1);
    return 0;
}

SEC("iter/task")
int on_live(struct bpf_iter__task *context)
{
    struct task_struct *task = context->task;
    struct cell *cell;

    if (!task || task->flags & (PF_KTHREAD | PF_EXITING))
        return 0;
    cell = cell_of(group_of(task));
    if (cell)
        add_task(cell->live, task, 0);
    return 0;
}

/* CPU time that the threads of a process have used; TOO_MUCH where there are more than are looked at. */
static __always_inline __u64 runtime_of_all(struct task_struct *leader)
{
    struct list_head *head = &leader->signal->thread_head, *node = BPF_CORE_READ(head, next);
    __u64 sum = 0;

    for (int i = 0; i < MOVED && node != head; i++) {
        struct task_struct *thread = (void *)node - bpf_core_field_offset(struct task_struct, thread_node);

        if (!(BPF_CORE_READ(thread, flags) & PF_EXITING))
            sum += BPF_CORE_READ(thread, se.sum_exec_runtime);
        node = BPF_CORE_READ(node, next);
    }
    return node == head ? sum : TOO_MUCH;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(on_attach, struct cgroup *cgroup, const char *path, struct task_struct *task, int all)
{
    struct cell *cell;

    if (cgroup->root->hierarchy_id != settings.hierarchy)
        return 0;
    cell = cell_of(cgroup->kn->id);
    if (cell)
        add(&cell->ended[BROUGHT], all ? runtime_of_all(task) : task->se.sum_exec_runtime, 1);
    return 0;
}

/* The cgroup's parent, where that is followed: the place of its cell. */
static __always_inline __u32 *parent_of(struct cgroup *cgroup)
{
    struct cgroup_subsys_state *above = cgroup->self.parent;
    __u64 id;

    if (cgroup->root->hierarchy_id != settings.hierarchy || !above)
        return 0;
    id = above->cgroup->kn->id;
    return bpf_map_lookup_elem(&groups, &id);
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(on_mkdir, struct cgroup *cgroup)
{
    __u32 *parent = parent_of(cgroup), place;
    __u64 id = cgroup->kn->id;
    struct cell *cell, *above;

    if (!parent)
        return 0;
    if (bpf_map_pop_elem(&spare, &place)) {
        __sync_fetch_and_add(&state.left_out, 1);
        return 0;
    }
    cell = bpf_map_lookup_elem(&cells, &place);
    above = bpf_map_lookup_elem(&cells, parent);
    if (!cell || !above)
        return 0;
    cell->parent = *parent;
    cell->kind = above->kind == ROOT ? TOP : STEP;
    cell->removed = 0;
    cell->since = 0;
    cell->id = id;
    raise(&state.used, place + 1, 1);
    bpf_map_update_elem(&groups, &id, &place, BPF_ANY);
    return 0;
}

/* Moves what `cell` has to the one above. */
static __always_inline void fold(struct cell *cell, struct cell *above)
{
    __sync_fetch_and_add(&state.folds_begun, 1);
    for (int sum = 0; sum < SUMS; sum++)
        add(&above->ended[sum], cell->ended[sum], 1);
    raise(&above->ended[EARLIEST], cell->ended[EARLIEST], 1);
    raise(&above->ended[MAX_RSS], cell->ended[MAX_RSS], 1);
    for (int each = 0; each < QUANTITIES; each++)
        cell->ended[each] = cell->live[each] = 0;
    cell->id = 0;
    __sync_fetch_and_add(&state.folds_done, 1);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(on_rmdir, struct cgroup *cgroup)
{
    __u64 id = cgroup->kn->id;
    struct cell *cell, *above;
    __u32 *found, place;

    if (cgroup->root->hierarchy_id != settings.hierarchy)
        return 0;
    found = bpf_map_lookup_elem(&groups, &id);
    if (!found)
        return 0;
    place = *found;
    cell = bpf_map_lookup_elem(&cells, &place);
    if (!cell)
        return 0;
    above = bpf_map_lookup_elem(&cells, &cell->parent);
    if (cell->kind != STEP || !above) {
        cell->removed = 1;
        return 0;
    }
    bpf_map_delete_elem(&groups, &id);
    fold(cell, above);
    bpf_map_push_elem(&spare, &place, 0);
    return 0;
}
