/* Forks, ends, lists and damaged messages in any order, numbers used again and again: each end is counted once.
 * fuzz_ends [ROUNDS [SEED]]: prints one line; exit code 1 when something is wrong. No kernel in it: nothing is found in
 * the /proc that it is given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ends.h"

#define NUMBERS 5000            /* thread ids */
#define JOBS 4
#define STATS 432               /* bytes of a record */

static uint8_t stats[STATS];

static void put(size_t offset, uint64_t value, size_t width)
{
    memcpy(stats + offset, &value, width);
}

/* A record of any task, as old as it likes to be. */
static struct record record_of_any(void)
{
    put(0, 16, 2);
    put(128, rand() % NUMBERS, 4);
    put(132, rand() % NUMBERS, 4);
    put(144, (uint64_t)rand() % 3000000, 8);
    put(368, rand() % NUMBERS, 4);
    return (struct record){stats, rand() % 8 ? STATS : 16 + rand() % (STATS - 16), 16};
}

static void follow(struct ends *ends, int job)
{
    char path[32];

    snprintf(path, sizeof path, rand() % 2 ? "/jobs/%d" : "/jobs/%d/step", rand() % (2 * JOBS));
    ends_follow(ends, job, path, rand() % 2);
}

/* Returns how many ends there were. */
static int step(struct ends *ends, uint64_t now)
{
    struct fork fork = {rand() % 8 == 0, rand() % NUMBERS, rand() % NUMBERS, rand() % NUMBERS, rand() % NUMBERS, now};
    int kind = rand() % 64, job = rand() % JOBS;
    struct record record;

    if (kind < 30) {
        if (rand() % 2)
            fork.process = fork.tid;
        ends_forked(ends, &fork);
    } else if (kind < 60) {
        record = record_of_any();
        ends_ended(ends, &record, now);
        return 1;
    } else if (kind < 62 && job < ends->job_count && ends->jobs[job].used) {
        ends_listed(ends, rand() % NUMBERS, job);
    } else if (kind == 62) {
        follow(ends, job);
    } else {
        ends_read(ends);
        ends->drainings++;
    }
    return 0;
}

/* Whether the table finds each of its tasks, and the groups that these name are there. */
static int whole(const struct ends *ends)
{
    uint32_t count = 0;

    for (uint32_t at = 0; at < ends->tasks.size; at++) {
        const struct task *task = &ends->tasks.slots[at];

        if (!task->tid)
            continue;
        count++;
        if (tasks_find(&ends->tasks, task->tid) != task
            || (task->group != NOWHERE && !ends->groups.all[task->group].path)
            || (task->before != NOWHERE && !ends->groups.all[task->before].path))
            return 0;
    }
    return count == ends->tasks.count;
}

/* A record of the task `tid`, a process of `parent`, of that age. */
static struct record record_of(int32_t tid, int32_t parent, uint64_t age)
{
    put(0, 16, 2);
    put(128, tid, 4);
    put(132, parent, 4);
    put(144, age, 8);
    put(368, tid, 4);
    return (struct record){stats, STATS, 16};
}

/* Whether two processes of one number are counted where each was, though both began before the first end was told:
 * 1 and 2 are parents in two jobs, 9 the number. */
static int in_order(void)
{
    struct ends ends = {0};
    struct sums sums[2];
    int right;

    if (ends_open(&ends, "/nothing", 1) || ends_follow(&ends, 0, "/0", 1) || ends_follow(&ends, 1, "/1", 1))
        return 0;
    ends_listed(&ends, 1, 0);
    ends_listed(&ends, 2, 1);
    ends.heard = 900000;
    for (int32_t parent = 1; parent <= 2; parent++)
        ends_forked(&ends, &(struct fork){0, 9, 9, parent, parent, parent * 1000000});
    for (int32_t parent = 1; parent <= 2; parent++) {
        struct record record = record_of(9, parent, 100);

        ends_ended(&ends, &record, 2500000);
    }
    for (int job = 0; job < 2; job++)
        ends_sum(&ends, job, &sums[job]);
    right = sums[0].tasks == 1 && sums[1].tasks == 1 && !ends.unattributed;
    ends_close(&ends);
    return right;
}

/* Text like that of /proc/PID/cgroup, and messages like those of the connector, in memory of just their size. */
static void damage(void)
{
    static const char letters[] = "012:\n/ab-";
    size_t size = rand() % 100, length;
    char *text = malloc(size + 1);
    struct fork found;

    if (!text)
        abort();
    for (size_t at = 0; at < size; at++)
        text[at] = letters[rand() % (sizeof letters - 1)];
    text[size] = 0;
    if (groups_path(text, rand() % 3, &length) && length > size)
        abort();
    for (size_t at = 0; at < size; at++)
        text[at] = rand();
    fork_parse((const uint8_t *)text, size, &found);
    free(text);
}

int main(int count, char **words)
{
    long rounds = count > 1 ? atol(words[1]) : 200000, all = 0, counted = 0;
    struct ends ends = {0};

    srand(count > 2 ? atoi(words[2]) : 1);
    if (!in_order()) {
        printf("fuzz: processes of one number are mixed up\n");
        return 1;
    }
    if (ends_open(&ends, "/nothing", 1))
        return 1;
    for (int job = 0; job < JOBS; job++)
        follow(&ends, job);
    for (long round = 0; round < rounds; round++) {
        all += step(&ends, 1000000 + round * 100);
        damage();
        if (round % 1000 == 0 && !whole(&ends)) {
            printf("fuzz: the table is damaged, at %ld\n", round);
            return 1;
        }
    }
    for (int number = 0; number < ends.groups.count; number++)
        counted += ends.groups.all[number].path ? ends.groups.all[number].ended.tasks : 0;
    for (int job = 0; job < JOBS; job++)
        ends_forget(&ends, job);
    if (!whole(&ends) || (uint64_t)all != counted + ends.unattributed)
        return 1;
    ends_close(&ends);
    printf("fuzz: %ld damaged messages, %ld ends each counted once\n", rounds, all);
    return 0;
}
