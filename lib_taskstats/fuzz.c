/* Gives the parser damaged replies, each in memory of just its size, so that a sanitizer sees a byte too far.
 * fuzz [ROUNDS [SEED]]: prints one line; exit code 1 when something wrong was taken for right. */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "taskstats.h"

#define SEQUENCE 7
#define STATS_AT 36             /* headers, the nest, the pid and the head of its statistics */
#define STATS_SIZE 560
#define SIZE (STATS_AT + STATS_SIZE)

static uint64_t state;

static uint32_t next_random(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
}

/* A reply of `size` bytes as a kernel writes it, all its counters 1. */
static void write_reply(uint8_t *reply, size_t size)
{
    struct nlmsghdr header = {.nlmsg_len = size, .nlmsg_type = 30, .nlmsg_seq = SEQUENCE};
    struct nlattr nest = {.nla_len = size - 20, .nla_type = TASKSTATS_TYPE_AGGR_PID};
    struct nlattr pid = {.nla_len = 8, .nla_type = TASKSTATS_TYPE_PID};
    struct nlattr stats = {.nla_len = size - 32, .nla_type = TASKSTATS_TYPE_STATS};
    uint16_t version = 16;
    uint64_t one = 1;

    memset(reply, 0, SIZE);
    memcpy(reply, &header, sizeof header);
    memcpy(reply + 20, &nest, sizeof nest);
    memcpy(reply + 24, &pid, sizeof pid);
    memcpy(reply + 32, &stats, sizeof stats);
    for (size_t at = 16; at + sizeof one <= STATS_SIZE; at += sizeof one)
        memcpy(reply + STATS_AT + at, &one, sizeof one);
    memcpy(reply + STATS_AT, &version, sizeof version);
}

/* Adds a copy of `length` bytes. Returns what taskstats_add does, or 1 when it changed cells and refused. */
static int add_copy(const uint8_t *reply, size_t length)
{
    int64_t cells[TASKSTATS_CELLS], before[TASKSTATS_CELLS];
    uint8_t *copy = malloc(length ? length : 1);
    int result;

    if (!copy)
        abort();
    memcpy(copy, reply, length);
    taskstats_clear(cells);
    memcpy(before, cells, sizeof cells);
    result = taskstats_add(copy, length, SEQUENCE, cells);
    free(copy);
    return result && memcmp(cells, before, sizeof cells) ? 1 : result;
}

static int fail(const char *what, size_t number)
{
    printf("fuzz: %s, at %zu\n", what, number);
    return 1;
}

static int cut_everywhere(void)
{
    uint8_t reply[SIZE];

    write_reply(reply, SIZE);
    if (add_copy(reply, SIZE))
        return fail("a good reply was refused", SIZE);
    for (size_t length = 0; length < SIZE; length++)
        if (add_copy(reply, length) != -EBADMSG)
            return fail("a cut reply was not refused", length);
    return 0;
}

/* Structures of older kernels, and such as never were: fields that lie behind the end are not read. */
static int shorten(void)
{
    uint8_t reply[SIZE];

    for (size_t size = STATS_AT + sizeof(uint16_t); size <= SIZE; size++) {
        write_reply(reply, size);
        if (add_copy(reply, size))
            return fail("a short structure was refused", size);
    }
    return 0;
}

static int damage_at_random(size_t rounds)
{
    uint8_t reply[SIZE];

    for (size_t round = 0; round < rounds; round++) {
        size_t length = next_random(4) ? SIZE : next_random(SIZE + 1);
        size_t head = next_random(3) ? STATS_AT : SIZE;

        write_reply(reply, SIZE);
        for (uint32_t flips = 1 + next_random(8); flips; flips--)
            reply[next_random(head)] = next_random(256);
        if (!next_random(8))
            for (size_t at = 0; at < SIZE; at++)
                reply[at] = next_random(256);
        if (add_copy(reply, length) > 0)
            return fail("a refused reply changed the sum", round);
    }
    return 0;
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;

    state = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    if (cut_everywhere() || shorten() || damage_at_random(rounds))
        return 1;
    printf("fuzz: %zu damaged replies, each refused or taken whole\n", rounds);
    return 0;
}
