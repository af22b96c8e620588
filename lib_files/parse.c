/* Texts of the kernel to numbers: pure, no file. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "cells.h"
#include "files.h"

#define MOST (INT64_MAX - 9)
#define CASE 0x20                       /* by which small letters differ from great ones */

static const char *const process_names[FILES_PROCESS_CELLS] = {
    "rchar", "wchar", "syscr", "syscw", "read_bytes", "write_bytes", "cancelled_write_bytes",
    "VmRSS", "RssShmem", "VmSize",
};

static int is_digit(const char *text, const char *end)
{
    return text < end && *text >= '0' && *text <= '9';
}

/* `sum` with one more digit; stops at MOST, below which each step stays in range. */
static int64_t longer(int64_t sum, int digit)
{
    return sum > (MOST - 9) / 10 ? MOST : sum * 10 + digit;
}

/* The number at `text`, with `decimals` digits of its fraction, 0 where it has fewer; stops at INT64_MAX. */
static int64_t number(const char *text, const char *end, int decimals)
{
    int64_t sum = 0;

    for (; is_digit(text, end); text++)
        sum = longer(sum, *text - '0');
    if (text < end && *text == '.')
        text++;
    for (; decimals > 0; decimals--)
        sum = longer(sum, is_digit(text, end) ? *text++ - '0' : 0);
    return sum == MOST ? INT64_MAX : sum;
}

static const char *skip_blanks(const char *text, const char *end)
{
    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    return text;
}

static int process_cell(const char *name, size_t length)
{
    for (int cell = 0; cell < FILES_PROCESS_CELLS; cell++)
        if (*process_names[cell] == *name && strlen(process_names[cell]) == length
            && !memcmp(process_names[cell], name, length))
            return cell;
    return -1;
}

static int count_missing(const int64_t *cells)
{
    int count = 0;

    for (int cell = 0; cell < FILES_PROCESS_CELLS; cell++)
        count += cells[cell] == MISSING;
    return count;
}

void files_process_parse(const char *text, size_t length, int64_t *cells)
{
    const char *end = text + length;
    int missing = count_missing(cells);

    while (text < end && missing) {
        const char *newline = memchr(text, '\n', end - text);
        const char *stop = newline ? newline : end;
        const char *colon = memchr(text, ':', stop - text);
        int cell = colon ? process_cell(text, colon - text) : -1;
        const char *value = cell >= 0 ? skip_blanks(colon + 1, stop) : stop;

        if (is_digit(value, stop)) {
            missing -= cells[cell] == MISSING;
            cells[cell] = number(value, stop, 0);
        }
        text = newline ? newline + 1 : end;
    }
}

/* Whether `name` is the word of `length` at `word`; its first letter tells of most that it is not. */
static int is_word(const char *name, const char *word, size_t length)
{
    if (length && (*name ^ *word) & ~CASE)
        return 0;
    return strlen(name) == length && !strncasecmp(name, word, length);
}

/* The first of `fields` whose name is the word of `length` at `word`; `count` where there is none. */
static int first_field(const char *word, size_t length, const struct files_field *fields, int count)
{
    int field = 0;

    while (field < count && !is_word(fields[field].name, word, length))
        field++;
    return field;
}

/* A piece of the text. */
struct word {
    const char *start;
    size_t length;
};

static int is_in(const struct files_field *field, const struct word *line)
{
    return !field->line[0] || is_word(field->line, line->start, line->length);
}

/* Takes the number `word` for those fields of the name of the `first` that want the one at this place. */
static void add_number(const struct word *word, const struct word *line, int first, int place,
                       const struct files_field *fields, int count, int64_t *cells)
{
    for (int field = first; field < count; field++) {
        const struct files_field *wanted = &fields[field];

        if (wanted->place == place && !strcasecmp(wanted->name, fields[first].name) && is_in(wanted, line)) {
            int64_t value = number(word->start, word->start + word->length, wanted->decimals);
            int64_t sum = cells[field] == MISSING ? 0 : cells[field];
            cells[field] = value > INT64_MAX - sum ? INT64_MAX : sum + value;
        }
    }
}

static const char ends_word[256] = {[' '] = 1, ['\t'] = 1, [':'] = 1, ['='] = 1, ['/'] = 1, ['\n'] = 1};

/* The word at `text`, which may be of no length. */
static struct word next_word(const char *text, const char *end)
{
    struct word word = {text, 0};

    while (text < end && !ends_word[(unsigned char)*text])
        text++;
    word.length = text - word.start;
    return word;
}

void files_numbers_parse(const char *text, size_t length, const struct files_field *fields, int count,
                         int64_t *cells)
{
    const char *end = text + length;
    int current = first_field("", 0, fields, count), place = 0;
    struct word line = {text, 0};

    for (int field = 0; field < count; field++)
        cells[field] = MISSING;
    while (text < end) {
        struct word word = next_word(text, end);

        text += word.length;
        if (!line.length)
            line = word;
        if (is_digit(word.start, text)) {
            if (current < count)
                add_number(&word, &line, current, place++, fields, count, cells);
        } else if (word.length) {
            current = first_field(word.start, word.length, fields, count);
            place = 0;
        }
        if (text < end && *text++ == '\n') {
            current = count;
            line.length = 0;
        }
    }
}

static const char *skip_all_blanks(const char *text, const char *end)
{
    while (text < end && (*text == ' ' || (*text >= '\t' && *text <= '\r')))
        text++;
    return text;
}

int64_t files_first_parse(const char *text, size_t length, int alone)
{
    const char *end = text + length;
    int64_t value;
    int below;

    text = alone ? skip_all_blanks(text, end) : skip_blanks(text, end);
    below = alone && text < end && *text == '-';
    text += below;
    if (!is_digit(text, end))
        return MISSING;
    value = number(text, end, 0);
    while (is_digit(text, end))
        text++;
    if (value == INT64_MAX || (alone && skip_all_blanks(text, end) < end))
        return MISSING;
    return below ? -value : value;
}

const char *files_process_name(int cell)
{
    return cell >= 0 && cell < FILES_PROCESS_CELLS ? process_names[cell] : NULL;
}
