/* What the living processes of cgroups did and hold, added up in the kernel by a BPF program at each reading
 * (processes.bpf.c): what /proc/PID/io and /proc/PID/status tell of them (proc(5)). One `struct processes` is for one
 * hierarchy of cgroups. A cgroup is named by the inode number of its directory, a job by a small number that the caller
 * gives. */
#define PROCESSES_JOBS 4096     /* that can be read at one time */
#define PROCESSES_CELLS 11      /* number of processes, then their sums as in colmet.common.metrics.jobproc; -1: they
                                 * could not be read, for something in one of them ended all the time */

struct processes;

/* Loads the program from the file `object`. `controller` and `hierarchy` as in account_open. Returns 0 or -errno;
 * -EPERM: no CAP_BPF or CAP_PERFMON; before Linux 6.8 the kernel refuses it. */
int processes_open(struct processes **opened, const char *object, const char *controller, int hierarchy);

/* Takes the cgroup `id`, without those below it, as part of `job`; -1: of none any more.
 * Returns 0; -ENOSPC: of too many jobs, or too many cgroups; -errno. */
int processes_follow(struct processes *processes, uint64_t id, int job);

/* Reads jobs 0 to `jobs` - 1 into `cells`, row after row. Returns 0 or -errno. */
int processes_read(struct processes *processes, int64_t *cells, int jobs);

/* Frees all; NULL is allowed. */
void processes_close(struct processes *processes);
