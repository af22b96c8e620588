/* Texts of the kernel to numbers: pure, no file. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "files.h"

static const char *const process_names[FILES_PROCESS_CELLS] = {
    "rchar", "wchar", "syscr", "syscw", "read_bytes", "write_bytes", "cancelled_write_bytes",
    "VmRSS", "RssShmem", "VmSize",
};

/* Reads the decimal number that follows blanks. Returns 0 where there is none; stops at INT64_MAX. */
static int number(const char *text, const char *end, int64_t *value)
{
    int64_t sum = 0;
    const char *digit;

    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    for (digit = text; digit < end && *digit >= '0' && *digit <= '9'; digit++)
        sum = sum > (INT64_MAX - 9) / 10 ? INT64_MAX - 9 : sum * 10 + (*digit - '0');
    *value = sum >= INT64_MAX - 9 ? INT64_MAX : sum;
    return digit > text;
}

static int process_cell(const char *name, size_t length)
{
    for (int cell = 0; cell < FILES_PROCESS_CELLS; cell++)
        if (strlen(process_names[cell]) == length && !memcmp(process_names[cell], name, length))
            return cell;
    return -1;
}

void files_process_parse(const char *text, size_t length, int64_t *cells)
{
    const char *end = text + length;

    while (text < end) {
        const char *newline = memchr(text, '\n', end - text);
        const char *stop = newline ? newline : end;
        const char *colon = memchr(text, ':', stop - text);
        int cell = colon ? process_cell(text, colon - text) : -1;
        int64_t value;

        if (cell >= 0 && number(colon + 1, stop, &value))
            cells[cell] = value;
        text = newline ? newline + 1 : end;
    }
}

const char *files_process_name(int cell)
{
    return cell >= 0 && cell < FILES_PROCESS_CELLS ? process_names[cell] : NULL;
}
