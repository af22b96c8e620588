/* Adds one task to the quantities of a cell (cells.h). */
#ifndef COLMET_TASK_H
#define COLMET_TASK_H

#define KIB(value) ((value) & ~1023ull)

/* Several CPUs may add to `ended` at one time, only one reader to `live`. */
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

#endif
