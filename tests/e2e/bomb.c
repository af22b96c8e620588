/* bomb SECONDS WORKERS [RATE]: each worker begins processes that end at once, RATE of them a second (0: as many as it
 * can), with vfork, which costs less than the end of a process itself. Then says "PROCESSES SECONDS", workers and
 * itself included. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* Returns how many it began. */
static long work(double seconds, double rate)
{
    double begin = now();
    long begun = 0;

    while (now() - begin < seconds) {
        pid_t child;

        if (rate && begun > (now() - begin) * rate) {
            usleep(1000);
            continue;
        }
        child = vfork();
        if (!child)
            _exit(0);
        if (child < 0)
            exit(1);
        waitpid(child, NULL, 0);
        begun++;
    }
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
