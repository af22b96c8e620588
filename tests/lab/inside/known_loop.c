/* The first process of an ARM guest, alone in it: counts cycles and instructions of a loop of known length in a cgroup,
 * by lib_perf_hw, says what it found in lines "NAME NUMBER..." and switches the machine off.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "perf_hw.h"

#define TOP "/cgroups"
#define JOB TOP "/job"
#define LOOPS 50000000ULL               /* of 2 instructions */
#define GROUPS 3
#define MOST 8

static const struct perf_hw_event CYCLES = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, 0, 0};
static const struct perf_hw_event INSTRUCTIONS = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, 0, 0};
static const struct perf_hw_event NODE_MISSES = {
    PERF_TYPE_HW_CACHE, PERF_COUNT_HW_CACHE_NODE | PERF_COUNT_HW_CACHE_RESULT_MISS << 16, 0, 0};

static void check(int wrong, const char *what)
{
    if (!wrong)
        return;
    perror(what);
    reboot(RB_POWER_OFF);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    check(!file || fputs(text, file) < 0 || fclose(file), path);
}

/* Two instructions, again and again. */
static void loop(uint64_t times)
{
    __asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(times) : : "cc");
}

/* A process in the cgroup does the loop so many times and ends. */
static void work(uint64_t times)
{
    int status;
    pid_t pid = fork();

    check(pid < 0, "fork");
    if (pid == 0) {
        put(JOB "/cgroup.procs", "0");
        loop(times);
        _exit(0);
    }
    check(waitpid(pid, &status, 0) != pid || status, "the loop");
}

static int begin(struct perf_hw_group **group, const struct perf_hw_event *events, int count)
{
    const int32_t cpu = 0;
    int32_t refused = -1;
    int cgroup = open(JOB, O_RDONLY | O_DIRECTORY), code;

    check(cgroup < 0, JOB);
    code = perf_hw_open(group, cgroup, events, count, &cpu, 1, &refused);
    close(cgroup);
    return code;
}

/* The loop, with `number` groups of `count` events counting: for each of these a line of its cells. */
static void counted(const char *name, uint64_t times, const struct perf_hw_event *events, int count, int number)
{
    struct perf_hw_group *groups[GROUPS] = {NULL};
    int64_t cells[GROUPS * MOST * PERF_HW_CELLS];

    for (int group = 0; group < number; group++)
        check((errno = -begin(groups + group, events, count)), name);
    work(times);
    check((errno = perf_hw_read(groups, number, cells)), name);
    for (int64_t *cell = cells; cell < cells + number * count * PERF_HW_CELLS; cell += PERF_HW_CELLS)
        printf("%s %lld %lld %lld\n", name, (long long)cell[0], (long long)cell[1], (long long)cell[2]);
    for (int group = 0; group < number; group++)
        perf_hw_close(groups[group]);
}

int main(void)
{
    const struct perf_hw_event both[] = {CYCLES, INSTRUCTIONS};
    const struct perf_hw_event many[MOST] = {INSTRUCTIONS, INSTRUCTIONS, INSTRUCTIONS, INSTRUCTIONS,
                                             INSTRUCTIONS, INSTRUCTIONS, INSTRUCTIONS, INSTRUCTIONS};
    struct perf_hw_group *none = NULL;

    setvbuf(stdout, NULL, _IOLBF, 0);
    check(mkdir(TOP, 0755) || mount("cgroup2", TOP, "cgroup2", 0, NULL) || mkdir(JOB, 0755), TOP);
    put(TOP "/cgroup.subtree_control", "+cpu");         /* without a controller there, perf_event knows no cgroup */
    printf("loops %llu\n", (unsigned long long)LOOPS);
    counted("nothing", 1, both, 2, 1);
    counted("once", LOOPS, both, 2, 1);
    counted("twice", 2 * LOOPS, both, 2, 1);
    counted("shared", LOOPS, many, 4, GROUPS);
    printf("unknown %d\n", -begin(&none, &NODE_MISSES, 1));
    printf("too-many %d\n", -begin(&none, many, MOST));
    printf("end 0\n");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 0;
}
