/* The few members of the kernel's structures that are read here. Their places are found when the programs are loaded,
 * from the BTF of the kernel that runs; a member that it lacks is asked for with bpf_core_field_exists. */
#ifndef COLMET_KERNEL_H
#define COLMET_KERNEL_H

#include <linux/types.h>

#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
    __u64 id;
};

struct cgroup_root {
    int hierarchy_id;
};

struct cgroup;

struct cgroup_subsys_state {
    struct cgroup *cgroup;
    struct cgroup_subsys_state *parent;
};

struct cgroup {
    struct cgroup_subsys_state self;
    struct kernfs_node *kn;
    struct cgroup_root *root;
};

struct css_set {
    struct cgroup_subsys_state *subsys[16];
    struct cgroup *dfl_cgrp;
};

struct sched_entity {
    __u64 sum_exec_runtime;
};

struct sched_info {
    unsigned long pcount;
    unsigned long long run_delay;
};

struct task_io_accounting {
    __u64 rchar, wchar, syscr, syscw;
    __u64 read_bytes, write_bytes, cancelled_write_bytes;
};

struct task_delay_info {
    __u64 blkio_delay, swapin_delay, freepages_delay;
    __u32 blkio_count, swapin_count, freepages_count;
};

struct list_head {
    struct list_head *next;
};

struct seqcount {
    unsigned int sequence;
};

struct seqcount_spinlock {
    struct seqcount seqcount;
};

struct seqlock {
    struct seqcount_spinlock seqcount;
};

struct signal_struct {
    struct list_head thread_head;
    unsigned long maxrss;
    struct seqlock stats_lock;
    struct task_io_accounting ioac;         /* of threads that ended */
};

struct percpu_counter {
    __s64 count;
    __s32 *counters;                        /* what each CPU has besides, in its own memory */
};

struct mm_struct {
    unsigned long hiwater_rss, total_vm;
    struct percpu_counter rss_stat[4];      /* MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES */
};

struct mm_rss_stat {
    struct {
        __s64 counter;
    } count[4];
};

struct mm_struct___before_6_2 {
    struct mm_rss_stat rss_stat;
};

struct task_struct {
    unsigned int flags;
    int pid, tgid;
    struct css_set *cgroups;
    struct signal_struct *signal;
    struct list_head thread_node;
    struct mm_struct *mm;
    struct task_delay_info *delays;
    struct sched_entity se;
    struct sched_info sched_info;
    struct task_io_accounting ioac;
    __u64 utime, stime, utimescaled, stimescaled;
    __u64 start_time;
    unsigned long nvcsw, nivcsw, min_flt, maj_flt;
    __u64 acct_rss_mem1, acct_vm_mem1;
};

struct bpf_array {                          /* a map */
    union {
        void *pptrs[0];                     /* of one whose values each CPU has in its own memory */
    };
};

struct bpf_iter_meta;

/* Iterators that a program moves itself: BPF keeps their state on its stack. */
struct bpf_iter_css {
    __u64 opaque[3];
};

struct bpf_iter_css_task {
    __u64 opaque[1];
};

struct bpf_iter_task {
    __u64 opaque[3];
};

struct bpf_iter_number {                    /* struct bpf_iter_num, of which linux/bpf.h has one without places */
    __u64 opaque[1];
};

struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
};

#pragma clang attribute pop

/* Functions of the kernel for BPF (kernel/bpf/helpers.c and its like); all are there since Linux 6.8. Only walk.bpf.c
 * and processes.bpf.c may use them. */
#define FOR_BPF __attribute__((weak, section(".ksyms")))

enum { DESCENDANTS_POST = 3 };      /* BPF_CGROUP_ITER_DESCENDANTS_POST of linux/bpf.h */
enum { LEADERS = 1 };               /* CSS_TASK_ITER_PROCS of linux/cgroup.h: a task for each process */
enum { THREADS_OF_PROCESS = 2 };    /* BPF_TASK_ITER_PROC_THREADS of kernel/bpf/task_iter.c */

void bpf_rcu_read_lock(void) FOR_BPF;
void bpf_rcu_read_unlock(void) FOR_BPF;
struct cgroup *bpf_cgroup_acquire(struct cgroup *cgroup) FOR_BPF;
void bpf_cgroup_release(struct cgroup *cgroup) FOR_BPF;
struct cgroup *bpf_cgroup_ancestor(struct cgroup *cgroup, int level) FOR_BPF;
struct cgroup *bpf_task_get_cgroup1(struct task_struct *task, int hierarchy) FOR_BPF;
int bpf_iter_css_new(struct bpf_iter_css *it, struct cgroup_subsys_state *start, unsigned int order) FOR_BPF;
struct cgroup_subsys_state *bpf_iter_css_next(struct bpf_iter_css *it) FOR_BPF;
void bpf_iter_css_destroy(struct bpf_iter_css *it) FOR_BPF;
int bpf_iter_css_task_new(struct bpf_iter_css_task *it, struct cgroup_subsys_state *of, unsigned int flags) FOR_BPF;
struct task_struct *bpf_iter_css_task_next(struct bpf_iter_css_task *it) FOR_BPF;
void bpf_iter_css_task_destroy(struct bpf_iter_css_task *it) FOR_BPF;
int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) FOR_BPF;
struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) FOR_BPF;
void bpf_iter_task_destroy(struct bpf_iter_task *it) FOR_BPF;
int bpf_iter_num_new(struct bpf_iter_number *it, int start, int end) FOR_BPF;
int *bpf_iter_num_next(struct bpf_iter_number *it) FOR_BPF;
void bpf_iter_num_destroy(struct bpf_iter_number *it) FOR_BPF;

#endif
