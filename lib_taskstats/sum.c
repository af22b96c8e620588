/* Adds replies of the kernel to a sum: pure, no socket. */
#include <errno.h>
#include <linux/taskstats.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "netlink.h"
#include "taskstats.h"

#define MISSING INT64_MIN

enum fold { ADD, MIN, MAX };

/* Where a field lies in struct taskstats. Not taken from the header of the machine that compiles: its version
 * may be another than that of the kernel that runs, and the fields used here keep their place (but see below). */
struct field {
    const char *name;
    uint16_t offset;
    uint8_t width;
    uint8_t fold;
};

static const struct field fields[TASKSTATS_CELLS] = {
    {"cpu_count", 16, 8, ADD},
    {"cpu_delay_total", 24, 8, ADD},
    {"blkio_count", 32, 8, ADD},
    {"blkio_delay_total", 40, 8, ADD},
    {"swapin_count", 48, 8, ADD},
    {"swapin_delay_total", 56, 8, ADD},
    {"cpu_run_real_total", 64, 8, ADD},
    {"cpu_run_virtual_total", 72, 8, ADD},
    {"ac_btime", 136, 4, MIN},
    {"ac_etime", 144, 8, MAX},
    {"ac_utime", 152, 8, ADD},
    {"ac_stime", 160, 8, ADD},
    {"ac_minflt", 168, 8, ADD},
    {"ac_majflt", 176, 8, ADD},
    {"coremem", 184, 8, ADD},
    {"virtmem", 192, 8, ADD},
    {"read_char", 216, 8, ADD},
    {"write_char", 224, 8, ADD},
    {"read_syscalls", 232, 8, ADD},
    {"write_syscalls", 240, 8, ADD},
    {"read_bytes", 248, 8, ADD},
    {"write_bytes", 256, 8, ADD},
    {"cancelled_write_bytes", 264, 8, ADD},
    {"nvcsw", 272, 8, ADD},
    {"nivcsw", 280, 8, ADD},
    {"ac_utimescaled", 288, 8, ADD},
    {"ac_stimescaled", 296, 8, ADD},
    {"cpu_scaled_run_real_total", 304, 8, ADD},
    {"freepages_count", 312, 8, ADD},
    {"freepages_delay_total", 320, 8, ADD},
};

/* Linux 6.14 and 6.15 put the greatest and least delay (two u64) behind each total; version 16 moved all of them
 * to the end. Only that layout has this size below version 16. */
#define INSERTED_SIZE 560
#define INSERTED_BEFORE 16

static size_t place(size_t offset, unsigned version, size_t size)
{
    if (version >= INSERTED_BEFORE || size != INSERTED_SIZE)
        return offset;
    if (offset < 32)
        return offset;
    if (offset < 48)
        return offset + 16;
    if (offset < 64)
        return offset + 32;
    return offset + 48;
}

static int64_t value_at(const uint8_t *stats, const struct field *field, size_t offset)
{
    uint32_t narrow;
    uint64_t wide;

    if (field->width == sizeof narrow) {
        memcpy(&narrow, stats + offset, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, stats + offset, sizeof wide);
    return wide > INT64_MAX ? INT64_MAX : (int64_t)wide;
}

static int64_t joined(int64_t sum, int64_t value, uint8_t fold)
{
    if (sum == MISSING)
        return value;
    if (fold == MIN)
        return value < sum ? value : sum;
    if (fold == MAX)
        return value > sum ? value : sum;
    return value > INT64_MAX - sum ? INT64_MAX : sum + value;
}

void taskstats_clear(int64_t *cells)
{
    for (int cell = 0; cell < TASKSTATS_CELLS; cell++)
        cells[cell] = MISSING;
}

int taskstats_add(const uint8_t *reply, size_t length, uint32_t sequence, int64_t *cells)
{
    const uint8_t *attributes, *task, *stats;
    size_t size;
    uint16_t version;
    int error = netlink_reply(reply, length, sequence, &attributes, &size);

    if (error)
        return error;
    task = netlink_attribute(attributes, size, TASKSTATS_TYPE_AGGR_PID, &size);
    stats = task ? netlink_attribute(task, size, TASKSTATS_TYPE_STATS, &size) : NULL;
    if (!stats || size < sizeof version)
        return -EBADMSG;
    memcpy(&version, stats, sizeof version);
    for (int cell = 0; cell < TASKSTATS_CELLS; cell++) {
        const struct field *field = &fields[cell];
        size_t offset = place(field->offset, version, size);
        if (offset + field->width <= size)
            cells[cell] = joined(cells[cell], value_at(stats, field, offset), field->fold);
    }
    return 0;
}

const char *taskstats_name(int cell)
{
    return cell >= 0 && cell < TASKSTATS_CELLS ? fields[cell].name : NULL;
}

const char *taskstats_fold(int cell)
{
    static const char *const words[] = {[ADD] = "add", [MIN] = "min", [MAX] = "max"};

    return cell >= 0 && cell < TASKSTATS_CELLS ? words[fields[cell].fold] : NULL;
}
