/* Many sets of the same files: what has changed is read, and rows are made of it. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "cells.h"
#include "files.h"

static int is_wanted(const struct files_sets *sets, int file, size_t first, int64_t now, int all)
{
    int after = sets->after[file];

    return all || after < 0 || sets->changed[first + after] || sets->changed[first + file]
        || now >= sets->due[first + file];
}

/* Reads one file into its cells, and notes whether they changed. Returns 0, or -errno, on which they stay. */
static int read_file(struct files *files, const struct files_sets *sets, int fd, const struct files_field *fields,
                     int count, int64_t *cells, char *changed)
{
    const char *text;
    ssize_t length = files_text(files, fd, &text);

    *changed = 0;
    if (length < 0)
        return length;
    files_numbers_parse(text, length, fields, count, sets->scratch);
    *changed = memcmp(cells, sets->scratch, count * sizeof *cells) != 0;
    if (*changed)
        memcpy(cells, sets->scratch, count * sizeof *cells);
    return 0;
}

/* Reads what is wanted of one set. Returns how many files could not be read, or -ENOMEM. */
static int read_set(struct files *files, const struct files_sets *sets, int set, int64_t now, int all, int32_t *answers)
{
    size_t first = (size_t)set * sets->number;
    int64_t *cells = sets->cells + (size_t)set * (sets->count + 1);
    int field = 0, failed = 0;

    for (int file = 0; file < sets->number; file++) {
        int fd = sets->fds[first + file], start = field;

        while (field < sets->count && sets->fields[field].file == file)
            field++;
        answers[file] = 0;
        if (fd < 0 || !is_wanted(sets, file, first, now, all))
            continue;
        answers[file] = read_file(files, sets, fd, sets->fields + start, field - start, cells + start,
                                  &sets->changed[first + file]);
        if (answers[file] == -ENOMEM)
            return -ENOMEM;
        failed += answers[file] < 0;
        sets->due[first + file] = now + sets->patience;
    }
    return failed;
}

int files_rows(struct files *files, const struct files_sets *sets, const int32_t *which, int many, int64_t now, int all,
               int32_t *answers, int64_t *rows)
{
    int failed = 0;

    for (int place = 0; place < many; place++) {
        const int32_t *picks = sets->picks + (size_t)which[place] * sets->width;
        const int64_t *cells = sets->cells + (size_t)which[place] * (sets->count + 1);
        int64_t *row = rows + (size_t)place * sets->width;
        int code = read_set(files, sets, which[place], now, all, answers + (size_t)place * sets->number);

        if (code < 0)
            return code;
        failed += code;
        for (int cell = 0; cell < sets->width; cell++)
            row[cell] = cells[picks[cell]];
    }
    return failed;
}
