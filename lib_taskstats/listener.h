/* What the tasks of jobs did, those that ended included: the kernel's record of each end is listened to, summed by job,
 * by a thread of its own. The jobs are cgroups of one hierarchy; each has a small number that the caller gives.
 */
#define LISTENER_LIVE_CELLS 31  /* number of live tasks, then their sums as in colmet.common.metrics.taskstats */
#define LISTENER_TOTAL_CELLS 30 /* since, then what is told in colmet.common.metrics.account by tasks, in its order */

struct listener;

/* Listens on the CPUs `cpus` ("0-7") with room for `buffer` bytes of records. `hierarchy` is the number of that of the
 * cgroups, as in /proc/self/cgroup, 0: cgroup v2. With `forks` 1 it is told which process begins which, and `forks`
 * set to 0, or to -errno where the kernel does not tell (CONFIG_PROC_EVENTS); without that, those that were never
 * listed are told by their parents.
 * Returns 0 or -errno, as taskstats_open; -EINVAL: not from within a container. */
int listener_open(struct listener **opened, const char *cpus, int hierarchy, int buffer, int timeout_ms, int *forks);

/* Makes the cgroup at `path` in its hierarchy, and all below it, part of `job`, which began at the Unix time (ns)
 * `start`: from then on it counts if this listened then, else from the next reading. Returns 0; -ENOSPC; -ENOMEM. */
int listener_follow(struct listener *listener, int job, const char *path, uint64_t start);

/* Forgets a job and its cgroups. */
void listener_forget(struct listener *listener, int job);

/* Reads jobs 0 to `jobs` - 1: of `tids`, the first counts[0] are the tasks of job 0 now, and so on. What lives goes
 * into `live`, all since the beginning into `total`, row after row; a counter of `total` never goes back. INT64_MIN
 * says that this kernel does not tell. Returns 0 or -errno. */
int listener_read(struct listener *listener, const int32_t *tids, const int32_t *counts, int jobs,
                  int64_t *live, int64_t *total);

/* Ends of tasks that were not heard for lack of room. */
int64_t listener_dropped(struct listener *listener);

/* Ends of tasks of which it is not known in which cgroup they were. */
int64_t listener_unattributed(struct listener *listener);

/* Stops and frees all; NULL is allowed. */
void listener_close(struct listener *listener);
