#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "totals.h"

uint64_t totals_sum(uint64_t one, uint64_t other)
{
    return other > UINT64_MAX - one ? UINT64_MAX : one + other;
}

/* `counted` in `running` ns, as it would be in `enabled`, to the nearest. */
static uint64_t scaled(uint64_t counted, uint64_t enabled, uint64_t running)
{
    unsigned __int128 whole;

    if (enabled <= running)
        return counted;
    whole = ((unsigned __int128)counted * enabled + running / 2) / running;
    return whole > UINT64_MAX ? UINT64_MAX : whole;
}

static int goes_back(const struct reading *before, const uint64_t *words, int count)
{
    int back = words[1] < before->enabled || words[2] < before->running;

    for (int event = 0; event < count; event++)
        back |= words[HEAD + event] < before->values[event];
    return back;
}

int totals_take(struct reading *before, const uint64_t *words, size_t length, int count, uint64_t *totals)
{
    size_t size = (HEAD + (size_t)count) * sizeof *words;
    uint64_t enabled, running;

    if (length != size || words[0] != (uint64_t)count || goes_back(before, words, count))
        return -EIO;
    enabled = words[1] - before->enabled;
    running = words[2] - before->running;
    if (!running)
        return 0;
    for (int event = 0; event < count; event++)
        totals[event] = totals_sum(totals[event], scaled(words[HEAD + event] - before->values[event], enabled,
                                                         running));
    memcpy(before, words + 1, size - sizeof *words);
    return 0;
}
