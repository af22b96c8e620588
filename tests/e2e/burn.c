/* burn MS: computes until this process has used that many ms of CPU time. */
#include <stdlib.h>
#include <time.h>

int main(int count, char **words)
{
    double wanted = count > 1 ? atof(words[1]) / 1000 : 0;
    struct timespec used;

    do
        if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used))
            return 1;
    while (used.tv_sec + used.tv_nsec / 1e9 < wanted);
    return 0;
}
