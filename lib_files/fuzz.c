/* Gives the parser damaged texts, each in memory of just its size, so that a sanitizer sees a byte too far.
 * fuzz [ROUNDS [SEED]]: prints one line; exit code 1 when a number came out negative. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Parses a damaged copy. Returns 0 when every cell is untouched or not negative. */
static int parse_copy(size_t length)
{
    int64_t cells[FILES_PROCESS_CELLS];
    char *copy = malloc(length ? length : 1);
    int wrong = 0;

    if (!copy)
        abort();
    memcpy(copy, text, length);
    for (uint32_t flips = next_random(12); length && flips; flips--)
        copy[next_random(length)] = alphabet[next_random(sizeof alphabet)];
    for (int cell = 0; cell < FILES_PROCESS_CELLS; cell++)
        cells[cell] = INT64_MIN;
    files_process_parse(copy, length, cells);
    for (int cell = 0; cell < FILES_PROCESS_CELLS; cell++)
        wrong |= cells[cell] < 0 && cells[cell] != INT64_MIN;
    free(copy);
    return wrong;
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;

    state = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    for (size_t round = 0; round < rounds; round++)
        if (parse_copy(round < sizeof text ? round : next_random(sizeof text))) {
            printf("fuzz: a negative number, at %zu\n", round);
            return 1;
        }
    printf("fuzz: %zu damaged texts\n", rounds);
    return 0;
}
