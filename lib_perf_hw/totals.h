/* From readings of a group on one CPU to its totals. */
#define HEAD 3                          /* words before the values: their number, time enabled, time running */

/* The reading before. */
struct reading {
    uint64_t enabled, running;
    uint64_t values[];
};

/* Adds to `count` `totals` what the `words` of read(2) say beyond the reading `before`, and makes them that. While the
 * group does not run nothing is added: the next time that it has run stands for all since. Returns 0, or -EIO when
 * `length` bytes are no reading of so many events, or go back. */
int totals_take(struct reading *before, const uint64_t *words, size_t length, int count, uint64_t *totals);

/* one + other, at most UINT64_MAX. */
uint64_t totals_sum(uint64_t one, uint64_t other);
