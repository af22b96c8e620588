/* What the files of this helper share. */
#ifndef COLMET_INTERNAL_H
#define COLMET_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "cells.h"

#define NO_JOB (-1)
#define NO_WALK (-1)
#define LINKS 4                 /* programs that run by themselves */

struct bpf_object;
struct bpf_link;
struct held;

/* Whose a cell is; what stands here counts while the cell still holds the cgroup `id`. */
struct owner {
    uint64_t id;
    int job;
};

/* Of one job. */
struct sums {
    uint64_t live[QUANTITIES], ended[QUANTITIES];
    uint64_t since;
    int64_t last[ACCOUNT_TOTAL_CELLS];  /* what was told before */
};

struct account {
    struct bpf_object *object;
    struct bpf_link *links[LINKS];
    int resumed;                        /* 1: programs and maps were there already */
    struct bpf_link *pass;              /* the iterator */
    struct bpf_object *walker;          /* what does better; or NULL */
    int walk;                           /* descriptor of its program; or NO_WALK */
    struct cell *cells;                 /* GROUPS of them, shared with the kernel */
    struct state *state;
    int groups, spare;                  /* descriptors of maps */
    struct owner owners[GROUPS];
    uint8_t fresh[GROUPS];              /* 1: what its tasks had when it was first followed must be taken off */
    int any_fresh;
    struct sums *sums;                  /* one for each job that was asked for */
    int jobs;                           /* how many */
};

/* The job of the cell at `place`, or NO_JOB. */
int owner_of(struct account *self, uint32_t place);

/* Frees the cells of cgroups that were removed and are nobody's. */
void release_unclaimed(struct account *self);

/* No cell from this place on is in use. */
uint32_t used(const struct account *self);

/* Sets `settings->subsystem` to the kernel's number of the `controller`. Returns 0 or -errno. */
int find_subsystem(const char *controller, struct settings *settings);

/* Opens the object in `file`, with these settings for its programs. Returns 0 or -errno. */
int open_object(struct bpf_object **opened, const char *file, const struct settings *settings);

/* Loads the program that visits only what is followed, if it is to be had. */
void walk_open(struct account *self, const char *file, const struct settings *settings);

/* Lets the kernel go through the tasks, so that the cells have their sums in `live`. Returns 0 or -errno. */
int pass(struct account *self);

/* Runs the program of this descriptor once. Returns 0 or -errno; -ESRCH where it says that it failed. */
int run(int program);

/* Keeps libbpf from writing on stderr. */
void be_silent(void);

/* Unix time in ns. */
uint64_t unix_time(void);

/* What a row is made of, besides sums. */
struct moment {
    uint64_t monotonic;         /* CLOCK_MONOTONIC, ns */
    uint64_t wall;              /* Unix time, ns */
    uint64_t page;              /* bytes */
};

/* Write the rows of one job; `total_row` keeps in `sums->last` what it told. */
void live_row(const struct sums *sums, int64_t *row, const struct moment *now);
void total_row(struct sums *sums, int64_t *row, const struct moment *now);

/* Writes the row of one job's processes; a `page` is so many bytes. */
void process_row(const struct held *job, int64_t *row, uint64_t page);

#endif
