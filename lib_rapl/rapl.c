#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rapl.h"

#define ALL_TASKS (-1)
#define NO_GROUP (-1)

int rapl_open(uint32_t type, uint64_t config, int32_t cpu)
{
    struct perf_event_attr event;
    long fd;

    memset(&event, 0, sizeof event);
    event.size = sizeof event;
    event.type = type;
    event.config = config;
    fd = syscall(SYS_perf_event_open, &event, ALL_TASKS, cpu, NO_GROUP, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

/* Reads one counter. Returns 0 or -errno. */
static int read_one(int fd, int64_t *cell)
{
    uint64_t value;
    ssize_t got;

    do
        got = read(fd, &value, sizeof value);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (got != sizeof value)
        return -ENODEV;
    *cell = value > INT64_MAX ? INT64_MAX : (int64_t)value;
    return 0;
}

int rapl_read(const int32_t *fds, int32_t *answers, int count, int64_t *cells)
{
    int failed = 0;

    for (int i = 0; i < count; i++) {
        cells[i] = INT64_MIN;
        answers[i] = read_one(fds[i], &cells[i]);
        failed += answers[i] != 0;
    }
    return failed;
}
