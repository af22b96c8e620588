/* Sums of the kernel's taskstats over the live tasks of a job, asked task by task over generic netlink
 * (Documentation/accounting/taskstats.rst). Units are the kernel's: ns, us, bytes, counts.
 *
 * A sum is TASKSTATS_CELLS cells in the order of colmet.common.metrics.taskstats. INT64_MIN in a
 * cell says that this kernel does not tell; sums stop at INT64_MAX.
 */
#define TASKSTATS_CELLS 30

struct taskstats_socket;

/* Opens the socket, finds the family and asks for one task, to see that it is allowed. A reply that does not
 * come within `timeout_ms` milliseconds fails the call that waits for it with -ETIMEDOUT.
 * Returns 0, or -ENOENT: no taskstats in this kernel or network namespace; -EPERM: no CAP_NET_ADMIN; -errno. */
int taskstats_open(struct taskstats_socket **opened, int timeout_ms);

/* Sums `count` tasks into `cells`, which it clears first. A task that has ended is left out.
 * Returns the number of tasks summed, or -errno. */
int taskstats_read(struct taskstats_socket *socket, const int32_t *tids, int count, int64_t *cells);

/* Closes the socket; NULL is allowed. */
void taskstats_close(struct taskstats_socket *socket);

/* Sets all cells to "missing", as at the start of a sum. */
void taskstats_clear(int64_t *cells);

/* Adds one reply of `length` bytes, which answers the request numbered `sequence`, to the sum.
 * Returns 0; the kernel's answer where it is an error, as -ESRCH; -EAGAIN: the reply to another request;
 * -EBADMSG: not a reply. `cells` change only with 0. */
int taskstats_add(const uint8_t *reply, size_t length, uint32_t sequence, int64_t *cells);

/* Name of the field that a cell sums; NULL for a cell that does not exist. */
const char *taskstats_name(int cell);

/* How the tasks of a cell are joined: "add", "min" or "max"; NULL for a cell that does not exist. */
const char *taskstats_fold(int cell);
