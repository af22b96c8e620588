/* Opens events that no PMU has, and reads answers that are too short, wrong or none, under sanitizers.
 * fuzz [ROUNDS [SEED]]: prints one line; exit code 1 when an event opened, or a cell does not follow its answer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rapl.h"

#define NO_PMU (1u << 30)               /* the kernel numbers its PMUs from 0 on */
enum { COUNTERS = 3 };

static uint64_t state;

static uint32_t next_random(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
}

/* Writes up to 8 bytes to a pipe whose other end becomes the descriptor of a counter. Returns their number. */
static uint32_t answer(int32_t *fd)
{
    uint64_t value = (uint64_t)next_random(UINT32_MAX) << 32 | next_random(UINT32_MAX);
    uint32_t length = next_random(sizeof value + 1);
    int ends[2];

    if (pipe(ends) || (length && write(ends[1], &value, length) != length))
        abort();
    close(ends[1]);
    *fd = ends[0];
    return length;
}

/* Returns whether what was read is what the counters answered. */
static int reads(void)
{
    int32_t fds[COUNTERS], answers[COUNTERS];
    int64_t cells[COUNTERS];
    uint32_t lengths[COUNTERS];
    int expected = 0, right;

    for (int i = 0; i < COUNTERS; i++)
        lengths[i] = answer(&fds[i]);
    fds[0] = next_random(2) ? fds[0] : (close(fds[0]), -1);
    for (int i = 0; i < COUNTERS; i++)
        expected += fds[i] < 0 || lengths[i] != 8;
    right = rapl_read(fds, answers, COUNTERS, cells) == expected;
    for (int i = 0; i < COUNTERS; i++) {
        right &= (cells[i] == INT64_MIN) == (answers[i] < 0) && (cells[i] >= 0 || answers[i] < 0);
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return right;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 200000;

    state = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    for (long round = 0; round < rounds; round++)
        if (rapl_open(NO_PMU + next_random(NO_PMU), next_random(UINT32_MAX), (int32_t)next_random(64) - 1) >= 0
            || !reads()) {
            printf("fuzz: wrong, at %ld\n", round);
            return 1;
        }
    printf("fuzz: %ld damaged answers\n", rounds);
    return 0;
}
