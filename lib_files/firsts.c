/* Files of one number each, of devices that may sleep. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "cells.h"
#include "files.h"

static const char asleep[] = "suspended";

/* Whether the file of a device's state lets its others be read. Returns 0 or -errno, -EAGAIN where it sleeps. */
static int is_asleep(struct files *files, int state)
{
    const char *text;
    ssize_t length = files_text_there(files, state, &text);

    if (length < 0)
        return length;
    return (size_t)length >= sizeof asleep - 1 && !memcmp(text, asleep, sizeof asleep - 1) ? -EAGAIN : 0;
}

static int read_first(struct files *files, int fd, int alone, int64_t *cell)
{
    const char *text;
    ssize_t length = files_text_there(files, fd, &text);

    if (length > 0)
        *cell = files_first_parse(text, length, alone);
    return length < 0 ? length : 0;
}

int files_firsts(struct files *files, const int32_t *fds, const int32_t *states, int number, int alone,
                 int32_t *answers, int64_t *cells)
{
    int last = -1, answer = 0;          /* the state that was read last, and its answer: files of one device follow */

    for (int file = 0; file < number; file++) {
        int state = states ? states[file] : -1;

        cells[file] = MISSING;
        answers[file] = 0;
        if (fds[file] < 0)
            continue;
        if (state != last)
            answer = state < 0 ? 0 : is_asleep(files, state);
        last = state;
        answers[file] = answer ? answer : read_first(files, fds[file], alone, &cells[file]);
        if (answers[file] == -ENOMEM)
            return -ENOMEM;
    }
    return 0;
}
