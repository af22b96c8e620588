/* bomb SECONDS WORKERS [RATE]: each worker begins processes that end at once, RATE of them a second all together (0: as
 * many as it can). They share all that processes can share, and nobody waits for them, so that each costs little more
 * than its begin and its end. Then says "PROCESSES SECONDS", workers and itself included. */
#define _GNU_SOURCE             /* clone */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACKS 4096             /* twice as many as there may be at one time */
#define STACK 2048              /* bytes */
#define SHARED (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND)

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* What a process does: says that it needs its stack no more, and ends without the exit handlers of the worker. */
static int process(void *ended)
{
    __atomic_fetch_add((long *)ended, 1, __ATOMIC_RELEASE);
    syscall(SYS_exit, 0);
    return 0;
}

/* Returns how many it began, all of which have ended. */
static long work(double seconds, double rate)
{
    static char stacks[STACKS][STACK] __attribute__((aligned(64)));
    double begin = now();
    long begun = 0, ended = 0;

    signal(SIGCHLD, SIG_IGN);
    syscall(SYS_getpid);        /* looked up by the linker now: there is no room for that on those stacks */
    while (now() - begin < seconds) {
        if ((rate && begun > (now() - begin) * rate)
            || begun - __atomic_load_n(&ended, __ATOMIC_ACQUIRE) > STACKS / 2) {
            usleep(500);
            continue;
        }
        if (clone(process, stacks[begun % STACKS] + STACK, SHARED | SIGCHLD, &ended) < 0)
            exit(1);
        begun++;
    }
    while (wait(NULL) > 0)
        ;
    return begun;
}

int main(int count, char **words)
{
    double seconds = count > 1 ? atof(words[1]) : 1, begin = now();
    int workers = count > 2 ? atoi(words[2]) : 2, told[2];
    long all = workers + 1, each;

    if (pipe(told))
        return 1;
    for (int i = 0; i < workers; i++)
        if (!fork()) {
            each = work(seconds, count > 3 ? atof(words[3]) / workers : 0);
            return write(told[1], &each, sizeof each) != sizeof each;
        }
    close(told[1]);
    for (int i = 0; i < workers; i++) {
        if (read(told[0], &each, sizeof each) != sizeof each)
            return 1;
        all += each;
    }
    while (wait(NULL) > 0)
        ;
    printf("%ld %.3f\n", all, now() - begin);
    return 0;
}
