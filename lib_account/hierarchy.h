/* The hierarchy of cgroups for which the programs were loaded. */
#ifndef COLMET_HIERARCHY_H
#define COLMET_HIERARCHY_H

const volatile struct settings settings = {.subsystem = -1};

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

#endif
