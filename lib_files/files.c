#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "cells.h"
#include "files.h"

#define PATH_SIZE 32                    /* "2147483647/status" and more */
#define FIRST_SIZE 16384                /* bytes; status grows with the groups of its user and the CPUs */
#define KEPT 256                        /* processes whose files stay open */
#define PIECE_LEAST (4096 - 128)        /* bytes of a piece of a file that goes on: a page less a line */

enum { IO, STATUS, PROCESS_FILES };

static const char *const file_names[PROCESS_FILES] = {"io", "status"};

/* Open files of a process, -1 where they are not. To open one costs as much as to read it. When the process is gone
 * they say so, for good: another one of its number has other files. */
struct process {
    int32_t pid;
    int32_t fds[PROCESS_FILES];
};

struct files {
    int proc;
    struct process kept[KEPT];          /* by the last digits of the pid */
    char *text;
    size_t size;
    ssize_t (*whole)(struct files *self, const char *path, int32_t *fd, size_t piece);
    files_reader *reader;               /* of `taped_whole` */
    void *context;
};

/* The cells of status, which a process without memory (a zombie, a kernel thread) does not have. */
enum { MEMORY_FIRST = 7, MEMORY_SIZE = 9 };

static int is_gone(int error)
{
    return error == -ENOENT || error == -ESRCH;
}

static int is_refused(int error)
{
    return error == -EACCES || error == -EPERM;
}

/* Makes room for as many bytes again. Returns 0 or -ENOMEM. */
static int grow(struct files *self)
{
    size_t size = self->size ? self->size * 2 : FIRST_SIZE;
    char *text = realloc(self->text, size);

    if (!text)
        return -ENOMEM;
    self->text = text;
    self->size = size;
    return 0;
}

/* Reads all of `fd`, from its start, into self->text. A file that the kernel writes in one piece is whole when a read
 * gives less than was asked for; one that it writes line by line, when a read gives less than a page less a line, here
 * `piece`. Returns its length or -errno. */
static ssize_t read_whole(struct files *self, int fd, size_t piece)
{
    size_t length = 0;

    for (;;) {
        ssize_t got;

        if (length == self->size && grow(self))
            return -ENOMEM;
        got = pread(fd, self->text + length, self->size - length, length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        length += got;
        if (length < self->size && (size_t)got < piece)
            return length;
    }
}

static void shut(int32_t *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void forget(struct process *process)
{
    for (int file = 0; file < PROCESS_FILES; file++)
        shut(&process->fds[file]);
}

/* Opens `path` below the directory; where no more files can be open, without those that are kept. Returns 0 or
 * -errno. */
static int open_below(struct files *self, const char *path, int32_t *fd)
{
    *fd = openat(self->proc, path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        for (int place = 0; place < KEPT; place++)
            forget(&self->kept[place]);
        *fd = openat(self->proc, path, O_RDONLY | O_CLOEXEC);
    }
    return *fd < 0 ? -errno : 0;
}

/* The same of `path` below the directory, where that is not NULL: `fd` is open, or will be. */
static ssize_t file_whole(struct files *self, const char *path, int32_t *fd, size_t piece)
{
    ssize_t length = *fd < 0 ? -ESRCH : read_whole(self, *fd, piece);

    if (!path || length >= 0)
        return length;
    shut(fd);
    length = open_below(self, path, fd);
    if (!length)
        length = read_whole(self, *fd, piece);
    if (length < 0)
        shut(fd);
    return length;
}

/* What the reader gives in place of the file. */
static ssize_t taped_whole(struct files *self, const char *path, int32_t *fd, size_t piece)
{
    ssize_t length = self->reader(self->context, path, *fd, NULL, 0);

    (void)piece;
    while (length > 0 && (size_t)length > self->size)
        if (grow(self))
            return -ENOMEM;
    return length > 0 ? self->reader(self->context, path, *fd, self->text, length) : length;
}

/* Reads one file of a process into the cells. Returns 0 or -errno. */
static int read_fields(struct files *self, struct process *process, int file, int64_t *cells)
{
    char path[PATH_SIZE];
    ssize_t length;

    snprintf(path, sizeof path, "%d/%s", (int)process->pid, file_names[file]);
    length = self->whole(self, path, &process->fds[file], SIZE_MAX);
    if (length < 0)
        return length;
    files_process_parse(self->text, length, cells);
    return 0;
}

static void clear(int64_t *cells, int64_t value)
{
    for (int cell = 0; cell < FILES_PROCESS_CELLS; cell++)
        cells[cell] = value;
}

/* Reads one process. io comes first: where it alone is not there, the kernel does not have it (no
 * CONFIG_TASK_IO_ACCOUNTING) and the process is alive. Returns 0 or -errno. */
static int read_process(struct files *self, int32_t pid, int64_t *cells)
{
    struct process *process = &self->kept[(uint32_t)pid % KEPT];
    int error;

    if (process->pid != pid)
        forget(process);
    process->pid = pid;
    clear(cells, MISSING);
    error = read_fields(self, process, IO, cells);
    if (error && !is_gone(error) && !is_refused(error))
        return error;
    error = read_fields(self, process, STATUS, cells);
    if (is_refused(error))
        return 0;
    if (!error && cells[MEMORY_SIZE] == MISSING)
        for (int cell = MEMORY_FIRST; cell <= MEMORY_SIZE; cell++)
            cells[cell] = 0;
    return error;
}

static int64_t joined(int64_t sum, int64_t value)
{
    if (sum == MISSING || value == MISSING)
        return MISSING;
    return value > INT64_MAX - sum ? INT64_MAX : sum + value;
}

int files_processes(struct files *self, const int32_t *pids, int count, int64_t *cells)
{
    int64_t process[FILES_PROCESS_CELLS];
    int summed = 0;

    clear(cells, 0);
    for (int i = 0; i < count; i++) {
        int error = read_process(self, pids[i], process);
        if (is_gone(error))
            continue;
        if (error)
            return error;
        for (int cell = 0; cell < FILES_PROCESS_CELLS; cell++)
            cells[cell] = joined(cells[cell], process[cell]);
        summed++;
    }
    return summed;
}

ssize_t files_text(struct files *self, int fd, const char **text)
{
    int32_t open = fd;
    ssize_t length = self->whole(self, NULL, &open, PIECE_LEAST);

    *text = self->text;
    return length;
}

ssize_t files_text_there(struct files *self, int fd, const char **text)
{
    struct stat now;

    if (!self->reader && fstat(fd, &now))
        return -errno;
    return !self->reader && !now.st_nlink ? -ENODEV : files_text(self, fd, text);
}

int files_numbers(struct files *self, const int32_t *fds, int32_t *answers, int number,
                  const struct files_field *fields, int count, int64_t *cells)
{
    int first = 0, failed = 0;

    for (int file = 0; file < number; file++) {
        int32_t fd = fds[file];
        ssize_t length = fd < 0 ? 0 : self->whole(self, NULL, &fd, PIECE_LEAST);
        int next = first;

        if (length == -ENOMEM)
            return length;
        while (next < count && fields[next].file == file)
            next++;
        answers[file] = length < 0 ? length : 0;
        failed += length < 0;
        files_numbers_parse(length > 0 ? self->text : "", length > 0 ? length : 0, fields + first, next - first,
                            cells + first);
        first = next;
    }
    return failed;
}

int files_open(struct files **opened, const char *proc)
{
    struct files *self = calloc(1, sizeof *self);

    if (!self)
        return -ENOMEM;
    self->proc = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->proc < 0) {
        int error = -errno;
        free(self);
        return error;
    }
    for (int place = 0; place < KEPT; place++)
        for (int file = 0; file < PROCESS_FILES; file++)
            self->kept[place].fds[file] = -1;
    self->whole = file_whole;
    *opened = self;
    return 0;
}

void files_tape(struct files *self, files_reader *reader, void *context)
{
    self->reader = reader;
    self->context = context;
    self->whole = taped_whole;
}

void files_close(struct files *self)
{
    if (!self)
        return;
    for (int place = 0; place < KEPT; place++)
        forget(&self->kept[place]);
    close(self->proc);
    free(self->text);
    free(self);
}
