/* What the tasks of cgroups did, added up in the kernel by BPF programs (account.bpf.c): those that live at each
 * reading, those that ended as they end. One `struct account` is for one hierarchy of cgroups. A cgroup is named by the
 * inode number of its directory, a job by a small number that the caller gives.
 *
 * A row has ACCOUNT_LIVE_CELLS cells: the number of live tasks, then their sums in the order of
 * colmet.common.metrics.taskstats and in its units.
 */
#define ACCOUNT_LIVE_CELLS 31

struct account;

/* Loads the programs from the file `object` and lets them run. `controller` is one of the hierarchy's, "cpuset", and
 * `hierarchy` its number as in /proc/self/cgroup; "" and 0 for cgroup v2.
 * Returns 0 or -errno; -EPERM: no CAP_BPF or CAP_PERFMON; -EOPNOTSUPP: the kernel has no such controller. */
int account_open(struct account **opened, const char *object, const char *controller, int hierarchy);

/* Follows the cgroup `id`, of which the one above is `parent` (0: not followed), as part of `job`; all that will be
 * made below it is followed too. `job` -1: those made in it stand for jobs, and it for none.
 * Returns 0; -ENOSPC: too many are followed already; -errno. */
int account_follow(struct account *account, uint64_t id, uint64_t parent, int job);

/* Forgets a job and all its cgroups, removed ones included. */
void account_forget(struct account *account, int job);

/* Reads the live tasks of jobs 0 to `jobs` - 1 into `rows`, one after the other. Returns 0 or -errno. */
int account_live(struct account *account, int64_t *rows, int jobs);

/* Cgroups that were made below those followed when there was no room for them. */
uint64_t account_left_out(const struct account *account);

/* Stops the programs and frees all; NULL is allowed. */
void account_close(struct account *account);
