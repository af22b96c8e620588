/* What the files of this helper share. */
#ifndef COLMET_INTERNAL_H
#define COLMET_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "cells.h"

#define NO_JOB (-1)

struct bpf_object;
struct bpf_link;

/* Whose a cell is; what stands here counts while the cell still holds the cgroup `id`. */
struct owner {
    uint64_t id;
    int job;
};

struct account {
    struct bpf_object *object;
    struct bpf_link *links[3];
    struct bpf_link *pass;              /* the iterator */
    struct cell *cells;                 /* GROUPS of them, shared with the kernel */
    struct state *state;
    int groups, spare;                  /* descriptors of maps */
    struct owner owners[GROUPS];
    uint64_t (*sums)[QUANTITIES];       /* one for each job asked for */
    int jobs;                           /* how many have room in `sums` */
};

/* The job of the cell at `place`, or NO_JOB. */
int owner_of(struct account *self, uint32_t place);

/* No cell from this place on is in use. */
uint32_t used(const struct account *self);

/* Writes one row from sums over live tasks, at these times of CLOCK_MONOTONIC (ns) and the wall clock (s). */
void live_row(const uint64_t *sums, int64_t *row, uint64_t monotonic, int64_t wall, uint64_t page_size);

#endif
