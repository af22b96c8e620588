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

/* Reads `number` open files, `fds`, anew, each from its start; -1 leaves one out. `count` fields are wanted, which lie
 * in the order of their files, into as many of `cells`. A field that is not there is INT64_MIN; one that comes several
 * times is the sum. Into `answers` go 0 or -errno for each file. Returns the number of files that could not be read, or
 * -ENOMEM. */
int files_numbers(struct files *files, const int32_t *fds, int32_t *answers, int number,
                  const struct files_field *fields, int count, int64_t *cells);

/* Reads `number` open files, `fds`, each from its start, for the number with which it begins; with `alone` for the only
 * thing that it says, a number that may be below 0. -1 leaves one out. Those whose device sleeps, which to read would
 * wake it, are not read: where `states` is not NULL, it has for each the open file of its device's state
 * (power/runtime_status), which then says "suspended"; -1 where there is none. Into `cells` go the numbers, INT64_MIN
 * where there is none or one too great. Into `answers` go 0 or -errno for each file: -ENODEV of one that was removed,
 * -EAGAIN of one whose device sleeps, and what reading its state says. Returns 0 or -ENOMEM. */
int files_firsts(struct files *files, const int32_t *fds, const int32_t *states, int number, int alone,
                 int32_t *answers, int64_t *cells);

/* Many sets of the same `number` files, of each of which the same `count` fields are wanted. Where `after` is -1 for a
 * file, it is always read; else when it or the file of that place, itself or one before it, had other numbers at its
 * last reading than at the one before, or when it was not read for `patience`, in the units of `now`. */
struct files_sets {
    int32_t number, count, width;       /* `width` numbers make a row */
    int64_t patience;
    const struct files_field *fields;   /* `count` of them, in the order of their files */
    const int32_t *after;               /* for each file of a set */
    int32_t *fds;                       /* for each file of each set: -1 leaves it out, its numbers stay */
    char *changed;                      /* the same: whether its numbers changed when it was read last */
    int64_t *due;                       /* the same: when it is read whatever happened */
    int64_t *cells;                     /* for each set, `count` numbers, and INT64_MIN */
    int32_t *picks;                     /* for each set, which of these make its row */
    int64_t *scratch;                   /* `count` */
};

/* Reads `many` sets, those at the places `which`, and writes a row of `width` numbers for each; with `all`, all their
 * files. Into `answers` go, set after set, 0 or -errno for each file. Returns the number of files that could not be
 * read, whose numbers stay, or -ENOMEM. */
int files_rows(struct files *files, const struct files_sets *sets, const int32_t *which, int many, int64_t now, int all,
               int32_t *answers, int64_t *rows);

/* Gives the whole text of a file: that of `path` below the directory, or where it is NULL, of the open `fd`; -ENODEV
 * where that was removed. It is called twice: without room, when it reads and returns the length or -errno; and where
 * there is any text, for `size` bytes of what it read. */
typedef ssize_t files_reader(void *context, const char *path, int fd, char *text, size_t size);

/* From now on `reader` reads in place of this helper: whoever records what files say (colmet.node.tape). */
void files_tape(struct files *files, files_reader *reader, void *context);

/* Closes the directory; NULL is allowed. */
void files_close(struct files *files);

/* Writes the fields that `text`, /proc/PID/io or /proc/PID/status, has into their cells; the others stay. Once no cell
 * is INT64_MIN any more, it looks no further: of status, the greater part. */
void files_process_parse(const char *text, size_t length, int64_t *cells);

/* Sets the cells of `fields`, all of one file, from its `text`. */
void files_numbers_parse(const char *text, size_t length, const struct files_field *fields, int count,
                         int64_t *cells);

/* The number with which `text` begins, with `alone` the only thing in it; INT64_MIN where there is none. */
int64_t files_first_parse(const char *text, size_t length, int alone);

/* Name of the field that a cell of a process sums; NULL for a cell that does not exist. */
const char *files_process_name(int cell);
