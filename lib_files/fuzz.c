/* Gives the parser damaged texts, each in memory of just its size, so that a sanitizer sees a byte too far.
 * fuzz [ROUNDS [SEED]]: prints one line; exit code 1 when a number came out negative, or otherwise the
 * second time. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "files.h"

static const char text[] =
    "Name:\tsim_a\nState:\tS (sleeping)\nVmSize:\t  271900 kB\nVmRSS:\t   13552 kB\nRssShmem:\t       4 kB\n"
    "rchar: 23\nwchar: 99999999999999999999999999\nsyscr: 1\nsyscw: 2\nread_bytes: 4096\nwrite_bytes: 0\n"
    "cancelled_write_bytes: 9223372036854775807\n";
static const char alphabet[] = "\n:\t 0123456789kBVmRSharw_\xff";

static uint64_t state;

static uint32_t next_random(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
}

static const char numbers[] =
    "MemTotal:       24682416 kB\nActive(anon):   1 kB\npgfault 4711\ncpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2\n"
    "8:0 rbytes=90 wbytes=9223372036854775807\n8:16 rbytes=5 wbytes=9\n0.35 0.29 0.21 3/347 12345\n"
    "some avg10=0.06 total=8537362\nfull avg10=0.00 total=8\n";
static const struct files_field fields[] = {
    {0, 0, 0, "memtotal", ""}, {0, 0, 9, "pgfault", ""}, {0, 7, 0, "cpu", ""}, {0, 0, 0, "cpu", ""},
    {0, 0, 2, "wbytes", ""}, {0, 3, 2, "", ""}, {0, 0, 3, "total", "some"}, {0, 0, 3, "total", "full"},
};
enum { FIELDS = sizeof fields / sizeof *fields };

/* A copy of the first `length` bytes, damaged. */
static char *damaged(const char *whole, size_t length)
{
    char *copy = malloc(length ? length : 1);

    if (!copy)
        abort();
    memcpy(copy, whole, length);
    for (uint32_t flips = next_random(12); length && flips; flips--)
        copy[next_random(length)] = alphabet[next_random(sizeof alphabet)];
    return copy;
}

/* Parses a damaged copy. Returns 0 when every cell is untouched or not negative. */
static int parse_copy(size_t length)
{
    int64_t cells[FILES_PROCESS_CELLS];
    char *copy = damaged(text, length);
    int wrong = 0;

    for (int cell = 0; cell < FILES_PROCESS_CELLS; cell++)
        cells[cell] = INT64_MIN;
    files_process_parse(copy, length, cells);
    for (int cell = 0; cell < FILES_PROCESS_CELLS; cell++)
        wrong |= cells[cell] < 0 && cells[cell] != INT64_MIN;
    free(copy);
    return wrong;
}

/* The same for numbers by name. */
static int parse_numbers(size_t length)
{
    int64_t cells[FIELDS];
    char *copy = damaged(numbers, length);
    int wrong = 0;

    files_numbers_parse(copy, length, fields, FIELDS, cells);
    for (int cell = 0; cell < FIELDS; cell++)
        wrong |= cells[cell] < 0 && cells[cell] != INT64_MIN;
    free(copy);
    return wrong;
}

static const char single[] = "\t -9223372036854775808 \n";

/* The same for the number with which a text begins, and the one that is all of it: where both are known, they are
 * one. */
static int parse_first(size_t length)
{
    char *copy = damaged(single, length);
    int64_t begins = files_first_parse(copy, length, 0), whole = files_first_parse(copy, length, 1);

    free(copy);
    if (begins == INT64_MIN)
        return 0;
    return begins < 0 || (whole != INT64_MIN && whole != begins);
}

enum { SETS = 3, FILES = 2 };

/* An open file with the first `length` bytes of the numbers, damaged. */
static FILE *damaged_file(size_t length)
{
    char *copy = damaged(numbers, length);
    FILE *file = tmpfile();

    if (!file || fwrite(copy, 1, length, file) != length || fflush(file))
        abort();
    free(copy);
    return file;
}

/* Reads sets of a file that is there, and one that is not, twice. Returns 0 when the second row is as the first. */
static int read_sets(struct files *helper, size_t length)
{
    int64_t cells[SETS * (FIELDS + 1)], due[SETS * FILES] = {0}, scratch[FIELDS], rows[2][SETS * FIELDS];
    int32_t fds[SETS * FILES], picks[SETS * FIELDS], answers[SETS * FILES], after[FILES] = {-1, 0};
    int32_t which[SETS] = {2, 0, 1};
    char changed[SETS * FILES] = {0};
    struct files_sets sets = {FILES, FIELDS, FIELDS, 1, fields, after, fds, changed, due, cells, picks, scratch};
    FILE *file = damaged_file(length);
    int failed = 0;

    for (int set = 0; set < SETS; set++) {
        fds[FILES * set] = set ? fileno(file) : -1;
        fds[FILES * set + 1] = -1;
        for (int cell = 0; cell <= FIELDS; cell++)
            cells[set * (FIELDS + 1) + cell] = INT64_MIN;
        for (int cell = 0; cell < FIELDS; cell++)
            picks[set * FIELDS + cell] = FIELDS - cell;
    }
    for (int time = 0; time < 2; time++)
        failed |= files_rows(helper, &sets, which, SETS, time, time, answers, rows[time]);
    fclose(file);
    return failed || memcmp(rows[0], rows[1], sizeof rows[0]);
}

/* Reads the number of a file that has no name any more, as only a reader of `files_tape` can, with and without the file
 * of a state, and leaves one out. Returns 0 when each has its answer. */
static int read_firsts(struct files *helper, size_t length, int taped)
{
    FILE *file = damaged_file(length);
    int32_t fds[] = {fileno(file), -1, fileno(file)}, states[] = {-1, fileno(file), fileno(file)}, answers[3];
    int64_t cells[3];
    int failed = files_firsts(helper, fds, states, 3, length & 1, answers, cells), answer = taped ? 0 : -ENODEV;

    fclose(file);
    return failed || answers[0] != answer || answers[1] || answers[2] != answer || cells[0] != cells[2]
        || cells[1] != INT64_MIN;
}

/* A reader of `files_tape`: gives what the open file has. */
static ssize_t read_taped(void *context, const char *path, int fd, char *text, size_t size)
{
    (void)context;
    return path ? -ENOENT : text ? pread(fd, text, size, 0) : lseek(fd, 0, SEEK_END);
}

static size_t length_of(size_t round, size_t size)
{
    return round < size ? round : next_random(size);
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
    struct files *helper;

    state = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    if (files_open(&helper, "/"))
        return 1;
    for (size_t round = 0; round < rounds / 100; round++) {
        if (round == rounds / 200)
            files_tape(helper, read_taped, NULL);
        if (read_sets(helper, length_of(round, sizeof numbers))
            || read_firsts(helper, length_of(round, sizeof numbers), round >= rounds / 200)) {
            printf("fuzz: sets or numbers that were read otherwise, at %zu\n", round);
            return 1;
        }
    }
    files_close(helper);
    for (size_t round = 0; round < rounds; round++)
        if (parse_copy(length_of(round, sizeof text)) || parse_numbers(length_of(round, sizeof numbers))
            || parse_first(length_of(round, sizeof single))) {
            printf("fuzz: a negative number, at %zu\n", round);
            return 1;
        }
    printf("fuzz: %zu damaged texts\n", rounds);
    return 0;
}
