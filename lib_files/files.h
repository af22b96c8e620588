/* Reads many small files of the kernel at each sample: /proc/PID/io and /proc/PID/status of a job's processes
 * (proc(5)), summed. Units are the files' own: bytes, counts, kB.
 *
 * A sum is FILES_PROCESS_CELLS cells in the order of colmet.common.metrics.jobproc. INT64_MIN in a cell says
 * that it is not known of at least one of the processes; sums stop at INT64_MAX.
 */
#define FILES_PROCESS_CELLS 10

struct files;

/* Opens the directory `proc`, "/proc" on a live machine. Returns 0 or -errno. */
int files_open(struct files **opened, const char *proc);

/* Sums `count` processes into `cells`, which it clears first. A process that has ended is left out; what may not
 * be read is not known. Returns the number of processes summed, or -errno. */
int files_processes(struct files *files, const int32_t *pids, int count, int64_t *cells);

/* Closes the directory; NULL is allowed. */
void files_close(struct files *files);

/* Writes the fields that `text`, /proc/PID/io or /proc/PID/status, has into their cells; the others stay. */
void files_process_parse(const char *text, size_t length, int64_t *cells);

/* Name of the field that a cell of a process sums; NULL for a cell that does not exist. */
const char *files_process_name(int cell);
