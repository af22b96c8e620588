/* What the BPF programs and the user of their maps share: a cell for each cgroup that is followed. */
#ifndef COLMET_CELLS_H
#define COLMET_CELLS_H

#define GROUPS 4096             /* cells: cgroups that are followed at one time */
#define NOWHERE 0xffffffffu     /* the place of no cell */

/* What a cgroup that is followed is. */
enum kind {
    STEP,                       /* part of what is above it; when it is removed, its sums go there */
    TOP,                        /* a job's own, or one that stands where those of jobs do; its sums stay */
    ROOT,                       /* those made in it are TOP */
};

/* Set before the programs are loaded. */
struct settings {
    int subsystem;              /* enum cgroup_subsys_id of the hierarchy; -1: cgroup v2 */
    int hierarchy;              /* its number, as in /proc/self/cgroup */
};

/* Shared while they run. */
struct state {
    unsigned long long used;            /* no cell from this place on was ever used */
    unsigned long long left_out;        /* cgroups made for which there was no free cell */
    unsigned long long folds_begun, folds_done;     /* sums moved from removed steps; equal while none is moving */
};

/* Quantities of a task, summed over tasks. Times are ns, integrals of memory those of struct task_struct. */
enum quantity {
    TASKS,
    PROCESSES,
    CPU_COUNT,
    CPU_DELAY,
    BLKIO_COUNT,
    BLKIO_DELAY,
    SWAPIN_COUNT,
    SWAPIN_DELAY,
    FREEPAGES_COUNT,
    FREEPAGES_DELAY,
    RUNTIME,
    UTIME,
    STIME,
    UTIME_SCALED,
    STIME_SCALED,
    MINFLT,
    MAJFLT,
    RSS_INTEGRAL,
    VM_INTEGRAL,
    RCHAR,
    WCHAR,
    SYSCR,
    SYSCW,
    RCHAR_KIB,                  /* multiples of 1024 of each task, as taskstats gives them: live tasks only */
    WCHAR_KIB,
    SYSCR_KIB,
    SYSCW_KIB,
    READ_BYTES,
    WRITE_BYTES,
    CANCELLED_BYTES,
    NVCSW,
    NIVCSW,
    BROUGHT,                    /* of RUNTIME, what tasks had when they were moved here: not of this cgroup */
    SUMS,
    EARLIEST = SUMS,            /* the greatest ~start_time, so that 0 is "none yet" */
    MAX_RSS,                    /* pages, the most that any one process had */
    QUANTITIES
};

struct cell {
    unsigned long long id;      /* of the cgroup; 0: the cell is free */
    unsigned int parent;        /* place of the cgroup above, NOWHERE where that is not followed */
    unsigned short kind;
    unsigned short removed;     /* 1: it is gone, and its sums wait here to be read */
    unsigned long long since;   /* Unix time (ns) at which its sums were 0; 0: not told yet */
    unsigned long long ended[QUANTITIES];       /* less what those had that lived at `since`: modulo 2^64 */
    unsigned long long live[QUANTITIES];        /* of the last pass over all tasks */
};

#endif
