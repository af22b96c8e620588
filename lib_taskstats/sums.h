/* What the kernel says of one task (struct taskstats), and sums of it. */
#ifndef COLMET_SUMS_H
#define COLMET_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "taskstats.h"

#define MISSING INT64_MIN

/* Its bytes, somewhere in a message. */
struct record {
    const uint8_t *stats;
    size_t size;
    unsigned version;
};

/* Whose it is; ids that this kernel does not tell are 0. */
struct who {
    int32_t tid, process, parent;       /* the last is the process that it is the child of */
    uint64_t age;                       /* us since it began */
};

/* A number that this kernel does not tell is MISSING. */
struct sums {
    int64_t cells[TASKSTATS_CELLS];
    int64_t tasks, processes;
    int64_t peak;                       /* bytes, the most that any one of them had resident */
};

/* Finds the record of one task among the attributes of a message. Returns 0 or -EBADMSG. */
int record_find(const uint8_t *attributes, size_t size, struct record *record);

void record_who(const struct record *record, struct who *who);

/* Adds a record to TASKSTATS_CELLS cells. */
void cells_add(int64_t *cells, const struct record *record);

/* Nothing yet: no task, all else MISSING. */
void sums_clear(struct sums *sums);

void sums_add(struct sums *sums, const struct record *record);
void sums_join(struct sums *sums, const struct sums *others);

#endif
