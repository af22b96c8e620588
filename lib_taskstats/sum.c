/* Adds what the kernel says of tasks to a sum: pure, no socket. */
#include <errno.h>
#include <linux/taskstats.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "netlink.h"
#include "sums.h"

#define TID_AT 128              /* __u32 ac_pid */
#define PARENT_AT 132           /* __u32 ac_ppid */
#define AGE_AT 144              /* __u64 ac_etime, us */
#define PEAK_AT 200             /* __u64 hiwater_rss, KiB */
#define PROCESS_AT 368          /* __u32 ac_tgid, from version 12 on */

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
    if (offset < 328)
        return offset + 48;
    return offset + 96;         /* behind what freepages, thrashing and compact have too */
}

/* The number at `offset` of version 13; MISSING where this record does not reach as far. */
static int64_t value_at(const struct record *record, size_t offset, size_t width)
{
    uint32_t narrow;
    uint64_t wide;

    offset = place(offset, record->version, record->size);
    if (offset + width > record->size)
        return MISSING;
    if (width == sizeof narrow) {
        memcpy(&narrow, record->stats + offset, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, record->stats + offset, sizeof wide);
    return wide > INT64_MAX ? INT64_MAX : (int64_t)wide;
}

static int64_t joined(int64_t sum, int64_t value, uint8_t fold)
{
    if (sum == MISSING || value == MISSING)
        return sum == MISSING ? value : sum;
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

int record_find(const uint8_t *attributes, size_t size, struct record *record)
{
    uint16_t version;
    const uint8_t *task = netlink_attribute(attributes, size, TASKSTATS_TYPE_AGGR_PID, &size);

    record->stats = task ? netlink_attribute(task, size, TASKSTATS_TYPE_STATS, &record->size) : NULL;
    if (!record->stats || record->size < sizeof version)
        return -EBADMSG;
    memcpy(&version, record->stats, sizeof version);
    record->version = version;
    return 0;
}

void record_who(const struct record *record, struct who *who)
{
    int64_t age = value_at(record, AGE_AT, 8);

    who->tid = (int32_t)value_at(record, TID_AT, 4);
    who->parent = (int32_t)value_at(record, PARENT_AT, 4);
    who->process = (int32_t)value_at(record, PROCESS_AT, 4);
    who->age = age == MISSING ? 0 : (uint64_t)age;
}

void cells_add(int64_t *cells, const struct record *record)
{
    for (int cell = 0; cell < TASKSTATS_CELLS; cell++)
        cells[cell] = joined(cells[cell], value_at(record, fields[cell].offset, fields[cell].width),
                             fields[cell].fold);
}

void sums_clear(struct sums *sums)
{
    taskstats_clear(sums->cells);
    sums->tasks = 0;
    sums->processes = sums->peak = MISSING;
}

void sums_add(struct sums *sums, const struct record *record)
{
    int64_t peak = value_at(record, PEAK_AT, 8), process = value_at(record, PROCESS_AT, 4);

    cells_add(sums->cells, record);
    sums->tasks++;
    if (process != MISSING)
        process = process == value_at(record, TID_AT, 4);
    sums->processes = joined(sums->processes, process, ADD);
    if (peak != MISSING)
        peak = peak > INT64_MAX >> 10 ? INT64_MAX : peak << 10;
    sums->peak = joined(sums->peak, peak, MAX);
}

void sums_join(struct sums *sums, const struct sums *others)
{
    for (int cell = 0; cell < TASKSTATS_CELLS; cell++)
        sums->cells[cell] = joined(sums->cells[cell], others->cells[cell], fields[cell].fold);
    sums->tasks += others->tasks;
    sums->processes = joined(sums->processes, others->processes, ADD);
    sums->peak = joined(sums->peak, others->peak, MAX);
}

int taskstats_add(const uint8_t *reply, size_t length, uint32_t sequence, int64_t *cells)
{
    const uint8_t *attributes;
    struct record record;
    size_t size;
    int error = netlink_reply(reply, length, sequence, &attributes, &size);

    if (!error)
        error = record_find(attributes, size, &record);
    if (!error)
        cells_add(cells, &record);
    return error;
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
