/* What the tasks of cgroups did, added up in the kernel by BPF programs (account.bpf.c): those that live at each
 * reading, those that ended as they end. One `struct account` is for one hierarchy of cgroups. A cgroup is named by the
 * inode number of its directory, a job by a small number that the caller gives.
 */
#define ACCOUNT_LIVE_CELLS 31   /* number of live tasks, then their sums as in colmet.common.metrics.taskstats */
#define ACCOUNT_TOTAL_CELLS 30  /* since, then what is told in colmet.common.metrics.account by tasks, in its order */

struct account;

/* Loads the programs from the file `object` and lets them run. `controller` is one of the hierarchy's, "cpuset", and
 * `hierarchy` its number as in /proc/self/cgroup; "" and 0 for cgroup v2. `pins`, where it is not "", is a directory in
 * a bpf file system: programs and sums stay there when this process ends, until the files in it are removed; those that
 * another left there are taken over. `walk` is the file of a program with which a reading visits only the tasks of
 * cgroups that are followed; where that is "" or does not load (before Linux 6.8), it visits all there are.
 * Returns 0 or -errno; -EPERM: no CAP_BPF or CAP_PERFMON; -EOPNOTSUPP: the kernel has no such controller. */
int account_open(struct account **opened, const char *object, const char *controller, int hierarchy,
                 const char *pins, const char *walk);

/* Follows the cgroup `id`, of which the one above is `parent` (0: not followed), as part of `job`; all that will be
 * made below it is followed too. `job` -1: those made in it stand for jobs, and it for none. `start` is the Unix time
 * (ns) at which it was made: from then on it counts if it was followed from that moment, as part of what is above it;
 * else from now on.
 * Returns 0; -ENOSPC: too many are followed already; -errno. */
int account_follow(struct account *account, uint64_t id, uint64_t parent, int job, uint64_t start);

/* Forgets a job and all its cgroups, removed ones included. */
void account_forget(struct account *account, int job);

/* Reads jobs 0 to `jobs` - 1: what lives into `live`, all since the beginning into `total`, row after row. A counter
 * of `total` never goes back. Returns 0 or -errno. */
int account_read(struct account *account, int64_t *live, int64_t *total, int jobs);

/* Cgroups that were made below those followed when there was no room for them. */
uint64_t account_left_out(const struct account *account);

/* Stops the programs, unless they are pinned, and frees all; NULL is allowed. */
void account_close(struct account *account);
