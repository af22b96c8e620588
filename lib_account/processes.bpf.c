/* Adds up what the living processes of cgroups did and hold, as /proc/PID/io and /proc/PID/status have it (proc(5)):
 * nothing runs between two readings. A process counts where its first thread is. */
#include "kernel.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "cells.h"
#include "held.h"
#include "hierarchy.h"

char LICENSE[] SEC("license") = "GPL";

#define CPUS 8192               /* the most that Linux has on any machine */
#define ATTEMPTS 8              /* to read a process while nothing of it ends */
#define NONE (~0ull)            /* offset of a number that no CPU has */

/* Places of mm_struct.rss_stat: MM_FILEPAGES and its like of linux/mm_types_task.h. */
#define FILE_PAGES 0
#define ANONYMOUS_PAGES 1
#define SHARED_PAGES 3
#define COUNTED(mm, kind) BPF_CORE_READ(mm, rss_stat[kind].count)
#define COUNTERS(mm, kind) BPF_CORE_READ(mm, rss_stat[kind].counters)

int cpus;
struct held process;            /* the one that is read */
__s64 kinds[3];                 /* its pages */

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, JOBS * 4);
    __type(key, __u64);         /* id of a cgroup */
    __type(value, __u32);       /* its job */
} groups SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, JOBS);
    __type(key, __u32);
    __type(value, struct held);
} jobs SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, CPUS);
    __type(key, __u32);
    __type(value, __u64);
} offsets SEC(".maps");         /* from where a variable of all CPUS is said to be to where this one has its own */

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} everywhere SEC(".maps");      /* such a variable: this map knows both */

/* Finds the offsets. An address becomes a number by way of memory: programs may not count with the former. */
SEC("syscall")
int on_open(void *nothing)
{
    struct bpf_iter_number numbers;
    volatile __u64 *number;
    __u32 place = 0;
    __u64 said = 0;
    int *next;

    number = bpf_map_lookup_elem(&offsets, &place);
    if (!number)
        return 1;
    *number = (__u64)&everywhere;
    bpf_probe_read_kernel(&said, sizeof said, (void *)(*number + bpf_core_field_offset(struct bpf_array, pptrs)));
    bpf_iter_num_new(&numbers, 0, CPUS);
    while ((next = bpf_iter_num_next(&numbers))) {
        __u32 cpu = *next;
        void *there = bpf_map_lookup_percpu_elem(&everywhere, &place, cpu);
        __u64 found = 0;

        number = bpf_map_lookup_elem(&offsets, &cpu);
        if (!there || !number)
            break;
        bpf_probe_read_kernel(&found, sizeof found, there);
        *number = (__u64)there;
        *number = found == HERE ? *number - said : NONE;
        cpus = cpu + 1;
    }
    bpf_iter_num_destroy(&numbers);
    return !said || !cpus;
}

static __always_inline void add_io(const struct task_io_accounting *more)
{
    process.sums[HELD_RCHAR] += more->rchar;
    process.sums[HELD_WCHAR] += more->wchar;
    process.sums[HELD_SYSCR] += more->syscr;
    process.sums[HELD_SYSCW] += more->syscw;
    process.sums[HELD_READ_BYTES] += more->read_bytes;
    process.sums[HELD_WRITE_BYTES] += more->write_bytes;
    process.sums[HELD_CANCELLED_BYTES] += more->cancelled_write_bytes;
}

/* I/O of all threads that it has and had. */
static __always_inline void read_io(struct task_struct *leader)
{
    struct bpf_iter_task threads;
    struct task_struct *thread;

    add_io(&leader->signal->ioac);
    bpf_iter_task_new(&threads, leader, THREADS_OF_PROCESS);
    while ((thread = bpf_iter_task_next(&threads)))
        add_io(&thread->ioac);
    bpf_iter_task_destroy(&threads);
}

/* What the CPU keeps back of a struct percpu_counter. */
static __always_inline __s64 part(__s32 *counters, __u64 offset)
{
    __s32 found = 0;

    bpf_probe_read_kernel(&found, sizeof found, (void *)counters + offset);
    return found;
}

static __always_inline __u64 positive(__s64 pages)
{
    return pages > 0 ? pages : 0;
}

/* Pages of each kind: what all CPUs together counted, and what each still keeps back. A sum is never below 0 but for
 * the moment in which it is made. */
static __always_inline void read_memory(struct mm_struct *mm)
{
    __s32 *files = COUNTERS(mm, FILE_PAGES), *anonymous = COUNTERS(mm, ANONYMOUS_PAGES);
    __s32 *shared = COUNTERS(mm, SHARED_PAGES);
    struct bpf_iter_number numbers;
    int *next;

    kinds[0] = COUNTED(mm, FILE_PAGES);
    kinds[1] = COUNTED(mm, ANONYMOUS_PAGES);
    kinds[2] = COUNTED(mm, SHARED_PAGES);
    bpf_iter_num_new(&numbers, 0, cpus);
    while ((next = bpf_iter_num_next(&numbers))) {
        __u32 cpu = *next;
        __u64 *offset = bpf_map_lookup_elem(&offsets, &cpu);

        if (!offset || *offset == NONE)
            continue;
        kinds[0] += part(files, *offset);
        kinds[1] += part(anonymous, *offset);
        kinds[2] += part(shared, *offset);
    }
    bpf_iter_num_destroy(&numbers);
    process.sums[HELD_SHARED] = positive(kinds[2]);
    process.sums[HELD_RESIDENT] = positive(kinds[0]) + positive(kinds[1]) + positive(kinds[2]);
    process.sums[HELD_VIRTUAL] = BPF_CORE_READ(mm, total_vm);
}

/* Once more while a thread of it ended meanwhile, when what that one did moves (stats_lock tells), or while its memory
 * became another's. */
static __always_inline void read_process(struct task_struct *leader)
{
    struct bpf_iter_number attempts;

    bpf_iter_num_new(&attempts, 0, ATTEMPTS);
    while (bpf_iter_num_next(&attempts)) {
        unsigned int before = leader->signal->stats_lock.seqcount.seqcount.sequence;
        struct mm_struct *mm = leader->mm;

        __builtin_memset(&process, 0, sizeof process);
        process.torn = 1;
        read_io(leader);
        if (mm)
            read_memory(mm);
        if (before & 1 || leader->signal->stats_lock.seqcount.seqcount.sequence != before || leader->mm != mm)
            continue;
        process.torn = 0;
        break;
    }
    bpf_iter_num_destroy(&attempts);
}

static __always_inline void add_members(struct cgroup *cgroup, struct held *job)
{
    struct bpf_iter_css_task members;
    struct task_struct *leader;

    bpf_iter_css_task_new(&members, &cgroup->self, LEADERS);
    while ((leader = bpf_iter_css_task_next(&members))) {
        read_process(leader);
        job->processes++;
        job->torn += process.torn;
        for (int sum = 0; sum < HELD_QUANTITIES; sum++)
            job->sums[sum] += process.sums[sum];
    }
    bpf_iter_css_task_destroy(&members);
}

/* Goes through all cgroups, and the processes of those that are asked for. */
SEC("syscall")
int on_read(void *nothing)
{
    struct cgroup *root = top(), *cgroup;
    struct cgroup_subsys_state *css;
    struct bpf_iter_css below;

    if (!root)
        return 1;
    bpf_rcu_read_lock();
    bpf_iter_css_new(&below, &root->self, DESCENDANTS_POST);
    while ((css = bpf_iter_css_next(&below))) {
        __u64 id = css->cgroup->kn->id;
        __u32 *number = bpf_map_lookup_elem(&groups, &id);
        struct held *job = number ? bpf_map_lookup_elem(&jobs, number) : 0;

        cgroup = job ? bpf_cgroup_acquire(css->cgroup) : 0;
        if (!cgroup)
            continue;
        add_members(cgroup, job);
        bpf_cgroup_release(cgroup);
    }
    bpf_iter_css_destroy(&below);
    bpf_rcu_read_unlock();
    bpf_cgroup_release(root);
    return 0;
}
