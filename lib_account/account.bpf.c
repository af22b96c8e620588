/* Adds up what tasks did, for each cgroup that is followed: a task that ends in sched_process_exit, one that lives when
 * user space runs on_walk, or reads the iterator on_live where the kernel refuses that. A cgroup made below one that is
 * followed is followed too, from its first moment.
 *
 * The two never hold the same task if `ended` is taken before the live ones: a task is seen alive only before it begins
 * to exit (PF_EXITING), and the tracepoint comes after that. One that ends in between is in neither, once. */
#include "kernel.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "cells.h"
#include "task.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct settings settings = {.subsystem = -1};
struct state state = {};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, GROUPS);
    __type(key, __u64);         /* id of a cgroup */
    __type(value, __u32);       /* place of its cell */
} groups SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, GROUPS);
    __type(key, __u32);
    __type(value, struct cell);
} cells SEC(".maps");

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

static __always_inline struct cell *cell_of(__u64 id)
{
    __u32 *place = bpf_map_lookup_elem(&groups, &id);

    return place ? bpf_map_lookup_elem(&cells, place) : 0;
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

/* The top of the hierarchy, to be released, or NULL. */
static __always_inline struct cgroup *top(void)
{
    struct task_struct *me = bpf_get_current_task_btf();
    struct cgroup *mine, *found = 0;

    if (settings.subsystem < 0) {
        bpf_rcu_read_lock();
        found = bpf_cgroup_ancestor(me->cgroups->dfl_cgrp, 0);
        bpf_rcu_read_unlock();
        return found;
    }
    mine = bpf_task_get_cgroup1(me, settings.hierarchy);
    if (!mine)
        return 0;
    found = bpf_cgroup_ancestor(mine, 0);
    bpf_cgroup_release(mine);
    return found;
}

static __always_inline void add_members(struct cgroup *cgroup, struct cell *cell)
{
    struct bpf_iter_css_task tasks;
    struct task_struct *task;

    bpf_iter_css_task_new(&tasks, &cgroup->self, 0);
    while ((task = bpf_iter_css_task_next(&tasks)))
        if (!(task->flags & (PF_KTHREAD | PF_EXITING)))
            add_task(cell->live, task, 0);
    bpf_iter_css_task_destroy(&tasks);
}

/* Goes through all cgroups, and the tasks of those that are followed. What is below comes before what is above it: a
 * task that is moved down meanwhile is then missed once, not counted twice. */
SEC("syscall")
int on_walk(void *nothing)
{
    struct cgroup *root = top(), *cgroup;
    struct cgroup_subsys_state *css;
    struct bpf_iter_css below;

    if (!root)
        return 1;
    bpf_rcu_read_lock();
    bpf_iter_css_new(&below, &root->self, DESCENDANTS_POST);
    while ((css = bpf_iter_css_next(&below))) {
        struct cell *cell = cell_of(css->cgroup->kn->id);

        if (!cell)
            continue;
        cgroup = bpf_cgroup_acquire(css->cgroup);
        if (!cgroup)
            continue;
        add_members(cgroup, cell);
        bpf_cgroup_release(cgroup);
    }
    bpf_iter_css_destroy(&below);
    bpf_rcu_read_unlock();
    bpf_cgroup_release(root);
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
