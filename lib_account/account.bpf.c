/* Adds up what tasks did, for each cgroup that is followed: a task that ends in sched_process_exit, one that lives when
 * user space reads the iterator. A cgroup made below one that is followed is followed too, from its first moment.
 *
 * The two never hold the same task if `ended` is taken before the iterator is read: a task is seen alive only before it
 * begins to exit (PF_EXITING), and the tracepoint comes after that. One that ends in between is in neither, once. */
#include "kernel.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "cells.h"

#define KIB(value) ((value) & ~1023ull)

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

/* Several CPUs may add to `ended` at one time, only the iterator to `live`. */
static __always_inline void add(__u64 *to, __u64 value, int shared)
{
    if (!shared)
        *to += value;
    else if (value)
        __sync_fetch_and_add(to, value);
}

static __always_inline void raise(__u64 *to, __u64 value, int shared)
{
    __u64 before = *to;

    if (!shared) {
        if (value > before)
            *to = value;
        return;
    }
    for (int attempt = 0; attempt < 8 && value > before; attempt++) {
        __u64 found = __sync_val_compare_and_swap(to, before, value);

        if (found == before)
            break;
        before = found;
    }
}

static __always_inline void add_io(__u64 *to, struct task_struct *task, int shared)
{
    if (!bpf_core_field_exists(task->ioac.rchar))
        return;
    __u64 rchar = task->ioac.rchar, wchar = task->ioac.wchar, syscr = task->ioac.syscr, syscw = task->ioac.syscw;

    add(&to[RCHAR], rchar, shared);
    add(&to[WCHAR], wchar, shared);
    add(&to[SYSCR], syscr, shared);
    add(&to[SYSCW], syscw, shared);
    if (!shared) {
        to[RCHAR_KIB] += KIB(rchar);
        to[WCHAR_KIB] += KIB(wchar);
        to[SYSCR_KIB] += KIB(syscr);
        to[SYSCW_KIB] += KIB(syscw);
    }
    if (!bpf_core_field_exists(task->ioac.read_bytes))
        return;
    add(&to[READ_BYTES], task->ioac.read_bytes, shared);
    add(&to[WRITE_BYTES], task->ioac.write_bytes, shared);
    add(&to[CANCELLED_BYTES], task->ioac.cancelled_write_bytes, shared);
}

static __always_inline void add_delays(__u64 *to, struct task_struct *task, int shared)
{
    if (bpf_core_field_exists(task->sched_info.run_delay)) {
        add(&to[CPU_COUNT], task->sched_info.pcount, shared);
        add(&to[CPU_DELAY], task->sched_info.run_delay, shared);
    }
    if (!bpf_core_field_exists(task->delays))
        return;
    struct task_delay_info *delays = task->delays;

    if (!delays)                /* kernel.task_delayacct was 0 when the task began */
        return;
    add(&to[BLKIO_COUNT], delays->blkio_count, shared);
    add(&to[BLKIO_DELAY], delays->blkio_delay, shared);
    add(&to[SWAPIN_COUNT], delays->swapin_count, shared);
    add(&to[SWAPIN_DELAY], delays->swapin_delay, shared);
    add(&to[FREEPAGES_COUNT], delays->freepages_count, shared);
    add(&to[FREEPAGES_DELAY], delays->freepages_delay, shared);
}

static __always_inline void add_cpu(__u64 *to, struct task_struct *task, int shared)
{
    int scaled = bpf_core_field_exists(task->utimescaled);
    __u64 utime = task->utime, stime = task->stime;

    add(&to[RUNTIME], task->se.sum_exec_runtime, shared);
    add(&to[UTIME], utime, shared);
    add(&to[STIME], stime, shared);
    add(&to[UTIME_SCALED], scaled ? task->utimescaled : utime, shared);
    add(&to[STIME_SCALED], scaled ? task->stimescaled : stime, shared);
    add(&to[NVCSW], task->nvcsw, shared);
    add(&to[NIVCSW], task->nivcsw, shared);
}

/* Pages of a process that lives: those it has, or once had; the CPUs keep back a little of the former. */
static __always_inline __u64 resident(struct task_struct *task)
{
    struct mm_struct *mm = task->mm;
    __u64 most = 0;
    __s64 now;

    if (!mm)
        return 0;
    most = mm->hiwater_rss;
    if (bpf_core_field_exists(mm->rss_stat[0].count)) {
        now = mm->rss_stat[0].count + mm->rss_stat[1].count + mm->rss_stat[3].count;
    } else {
        struct mm_struct___before_6_2 *old = (void *)mm;

        now = BPF_CORE_READ(old, rss_stat.count[0].counter) + BPF_CORE_READ(old, rss_stat.count[1].counter)
              + BPF_CORE_READ(old, rss_stat.count[3].counter);
    }
    return now > 0 && now > most ? now : most;
}

static __always_inline void add_task(__u64 *to, struct task_struct *task, int shared)
{
    add(&to[TASKS], 1, shared);
    add(&to[PROCESSES], task->pid == task->tgid, shared);
    add_cpu(to, task, shared);
    add_delays(to, task, shared);
    add_io(to, task, shared);
    add(&to[MINFLT], task->min_flt, shared);
    add(&to[MAJFLT], task->maj_flt, shared);
    if (bpf_core_field_exists(task->acct_rss_mem1)) {
        add(&to[RSS_INTEGRAL], task->acct_rss_mem1, shared);
        add(&to[VM_INTEGRAL], task->acct_vm_mem1, shared);
    }
    raise(&to[EARLIEST], ~task->start_time, shared);
    raise(&to[MAX_RSS], task->signal->maxrss, shared);
    if (!shared && task->pid == task->tgid)
        raise(&to[MAX_RSS], resident(task), shared);
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
