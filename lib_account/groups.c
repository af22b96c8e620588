/* Which cgroups are followed, and whose they are. */
#include "internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

uint32_t used(const struct account *self)
{
    uint64_t places = __atomic_load_n(&self->state->used, __ATOMIC_ACQUIRE);

    return places < GROUPS ? places : GROUPS;
}

static uint32_t place_of(struct account *self, uint64_t id)
{
    uint32_t place;

    return id && !bpf_map_lookup_elem(self->groups, &id, &place) && place < GROUPS ? place : NOWHERE;
}

/* Those made below a job's cgroup come without an owner, and belong to whom that belongs. */
int owner_of(struct account *self, uint32_t place)
{
    uint32_t at = place;

    for (int level = 0; level < GROUPS && at < GROUPS; level++) {
        struct cell *cell = &self->cells[at];

        if (!cell->id)
            return NO_JOB;
        if (self->owners[at].id == cell->id) {
            self->owners[place] = (struct owner){self->cells[place].id, self->owners[at].job};
            return self->owners[at].job;
        }
        if (cell->kind != STEP)
            return NO_JOB;
        at = cell->parent;
    }
    return NO_JOB;
}

static void raise_used(struct account *self, uint64_t places)
{
    uint64_t before = __atomic_load_n(&self->state->used, __ATOMIC_RELAXED);

    while (before < places && !__atomic_compare_exchange_n(&self->state->used, &before, places, 0,
                                                           __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
}

/* Takes a free cell for the cgroup `id`. Returns 0 or -errno. */
static int add_group(struct account *self, uint64_t id, uint32_t parent, enum kind kind, uint32_t *place)
{
    struct cell *cell;

    if (bpf_map_lookup_and_delete_elem(self->spare, NULL, place) || *place >= GROUPS)
        return -ENOSPC;
    cell = &self->cells[*place];
    memset(cell, 0, sizeof *cell);
    cell->parent = parent;
    cell->kind = kind;
    cell->id = id;
    raise_used(self, *place + 1);
    return bpf_map_update_elem(self->groups, &id, place, BPF_NOEXIST);
}

int account_follow(struct account *self, uint64_t id, uint64_t parent, int job, uint64_t start)
{
    uint32_t place = place_of(self, id), above = place_of(self, parent);
    enum kind kind = job < 0 ? ROOT : above != NOWHERE && self->cells[above].kind != ROOT ? STEP : TOP;
    int error = 0;

    if (place == NOWHERE) {
        error = add_group(self, id, above, kind, &place);
        if (!error)
            self->fresh[place] = self->any_fresh = 1;
    } else {
        self->cells[place].kind = kind;         /* on_mkdir did not know yet what the one above is */
    }
    if (!error)
        self->owners[place] = (struct owner){id, job};
    if (!error && !self->cells[place].since)
        self->cells[place].since = self->fresh[place] ? unix_time() : start;
    return error;
}

static void free_group(struct account *self, uint32_t place)
{
    uint64_t id = self->cells[place].id;

    bpf_map_delete_elem(self->groups, &id);
    memset(&self->cells[place], 0, sizeof *self->cells);
    memset(&self->owners[place], 0, sizeof *self->owners);
    self->fresh[place] = 0;
    bpf_map_update_elem(self->spare, NULL, &place, BPF_ANY);
}

void account_forget(struct account *self, int job)
{
    uint32_t places = used(self);

    for (uint32_t place = 0; place < places; place++)       /* steps too, before what they belong to is gone */
        owner_of(self, place);
    for (uint32_t place = 0; place < places; place++)
        if (self->cells[place].id && self->owners[place].id == self->cells[place].id
            && self->owners[place].job == job)
            free_group(self, place);
    if (job < self->jobs)
        memset(&self->sums[job], 0, sizeof *self->sums);
}

void release_unclaimed(struct account *self)
{
    uint32_t places = used(self);

    for (uint32_t place = 0; place < places; place++)
        if (self->cells[place].removed && owner_of(self, place) == NO_JOB)
            free_group(self, place);
}
