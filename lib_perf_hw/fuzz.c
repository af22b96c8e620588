/* Gives readings to what makes totals of them: a few whose totals are known, then damaged ones, each in memory of just
 * its size, so that a sanitizer sees a word too far. fuzz [ROUNDS [SEED]]: prints one line; exit code 1 when a total is
 * another, or went back. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "totals.h"

enum { EVENTS = 5 };

static uint64_t state;

static uint32_t next_random(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
}

/* A reading a little after `before`, or one of its words anything. */
static void fill(uint64_t *words, const struct reading *before)
{
    words[0] = EVENTS;
    words[1] = before->enabled + next_random(1000);
    words[2] = before->running + next_random(1000);
    for (int event = 0; event < EVENTS; event++)
        words[HEAD + event] = before->values[event] + next_random(1000);
    if (!next_random(4))
        words[next_random(HEAD + EVENTS)] = (uint64_t)next_random(UINT32_MAX) << next_random(33);
}

/* Returns 0 when no total is below what it was. */
static int take_one(struct reading *before, uint64_t *totals)
{
    size_t whole = (HEAD + EVENTS) * sizeof(uint64_t), length = next_random(8) ? whole : next_random(whole);
    uint64_t was[EVENTS], all[HEAD + EVENTS], *words = malloc(length ? length : 1);
    int wrong = 0;

    if (!words)
        abort();
    fill(all, before);
    memcpy(words, all, length);
    memcpy(was, totals, sizeof was);
    totals_take(before, words, length, EVENTS, totals);
    for (int event = 0; event < EVENTS; event++)
        wrong |= totals[event] < was[event];
    free(words);
    return wrong;
}

/* A reading after another on one CPU, and what the total is then. */
static const struct {
    uint64_t enabled, running, value, total;
} known[] = {
    {0, 0, 0, 0},                       /* no task ran */
    {100, 100, 7, 7},                   /* counted all the time */
    {300, 200, 17, 27},                 /* half of it: 10 stand for 20 */
    {400, 200, 17, 27},                 /* not at all: nothing is known of it yet */
    {500, 250, 22, 47},                 /* a fourth of the time since it last was: 5 stand for 20 */
    {501, 251, 22 + (1ULL << 62), 47 + (1ULL << 62)},
    {509, 252, 22 + (1ULL << 63), UINT64_MAX},
};

/* Returns 0 when the totals are the known ones. */
static int take_known(void)
{
    static struct { struct reading before; uint64_t value; } last;
    uint64_t total = 0;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint64_t words[] = {1, known[i].enabled, known[i].running, known[i].value};

        if (totals_take(&last.before, words, sizeof words, 1, &total) || total != known[i].total)
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000, size;
    uint64_t totals[EVENTS] = {0};
    struct reading *before;

    size = sizeof *before + EVENTS * sizeof(uint64_t);
    before = calloc(1, size);
    if (!before)
        abort();
    if (take_known()) {
        printf("fuzz: a wrong total\n");
        return 1;
    }
    state = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    for (size_t round = 0; round < rounds; round++) {
        if (!next_random(50))           /* another group: else all would soon be at the most */
            memset(before, 0, size), memset(totals, 0, sizeof totals);
        if (take_one(before, totals)) {
            printf("fuzz: a total went back, at %zu\n", round);
            return 1;
        }
    }
    free(before);
    printf("fuzz: %zu damaged readings\n", rounds);
    return 0;
}
