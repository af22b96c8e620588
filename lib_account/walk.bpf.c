/* Adds up live tasks as on_live of account.bpf.c does, into the same maps, but visits only those of cgroups that are
 * followed. An object of its own: it calls functions of the kernel that came with Linux 6.8, and where they lack nobody
 * but CAP_SYS_ADMIN may load what names them. */
#include "kernel.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "cells.h"
#include "hierarchy.h"
#include "maps.h"
#include "task.h"

char LICENSE[] SEC("license") = "GPL";

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
