/* Reads many small files of the kernel at each sample: /proc/PID/io and /proc/PID/status of a job's processes
 * (proc(5)), summed. Units are the files' own: bytes, counts, kB.
 *
 * Or numbers by name of files that stay open, as /proc/meminfo, memory.stat or io.stat of a cgroup.
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

/* A number that is wanted of the file `file` of a set: that at `place`, 0 being the first, of those that follow the
 * word `name` on its line; "" is where the text begins. Words end at blanks and any of ":=/"; case makes no
 * difference. With `decimals` it is taken in tenths, hundredths, ... `line`, where it is not "", is the word with which
 * the line must begin. */
struct files_field {
    int32_t file, place, decimals;
    const char *name, *line;
};

/* Reads open files anew, each from its start: `sets` times `number` of them, `fds`, set after set. Of each set the same
 * `count` fields are wanted, which lie in the order of its files, into as many of `cells`; -1 leaves a file out. A
 * field that is not there is INT64_MIN; one that comes several times is the sum. Into `answers` go 0 or -errno for each
 * file. Returns the number of files that could not be read, or -ENOMEM. */
int files_numbers(struct files *files, const int32_t *fds, int32_t *answers, int sets, int number,
                  const struct files_field *fields, int count, int64_t *cells);

/* Closes the directory; NULL is allowed. */
void files_close(struct files *files);

/* Writes the fields that `text`, /proc/PID/io or /proc/PID/status, has into their cells; the others stay. */
void files_process_parse(const char *text, size_t length, int64_t *cells);

/* Sets the cells of `fields`, all of one file, from its `text`. */
void files_numbers_parse(const char *text, size_t length, const struct files_field *fields, int count,
                         int64_t *cells);

/* Name of the field that a cell of a process sums; NULL for a cell that does not exist. */
const char *files_process_name(int cell);
