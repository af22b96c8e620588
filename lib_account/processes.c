/* The program of processes.bpf.c: loaded, run at each reading, its sums as rows. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "held.h"
#include "internal.h"
#include "processes.h"

_Static_assert(PROCESSES_JOBS == JOBS, "the map has a place for each job");

#define HELD_SIZE (sizeof(struct held) * JOBS)

struct processes {
    struct bpf_object *object;
    struct held *jobs;          /* JOBS of them, shared with the kernel */
    int groups;                 /* descriptor of the map */
    int program;                /* that of what reads */
};

static int program(struct processes *self, const char *name)
{
    return bpf_program__fd(bpf_object__find_program_by_name(self->object, name));
}

/* Writes HERE for all CPUs that there can be. Returns 0 or -errno. */
static int mark(struct processes *self)
{
    int cpus = libbpf_num_possible_cpus(), place = 0, error;
    uint64_t *values;

    if (cpus < 0)
        return cpus;
    values = malloc(cpus * sizeof *values);
    if (!values)
        return -ENOMEM;
    for (int cpu = 0; cpu < cpus; cpu++)
        values[cpu] = HERE;
    error = bpf_map_update_elem(bpf_object__find_map_fd_by_name(self->object, "everywhere"), &place, values, BPF_ANY);
    free(values);
    return error;
}

static int start(struct processes *self, const char *file, const struct settings *settings)
{
    int error = open_object(&self->object, file, settings);

    if (!error)
        error = bpf_object__load(self->object);
    if (!error)
        error = mark(self);
    if (!error)
        error = run(program(self, "on_open"));
    if (error)
        return error;
    self->groups = bpf_object__find_map_fd_by_name(self->object, "groups");
    self->program = program(self, "on_read");
    self->jobs = mmap(NULL, HELD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                      bpf_object__find_map_fd_by_name(self->object, "jobs"), 0);
    if (self->jobs != MAP_FAILED)
        return 0;
    self->jobs = NULL;
    return -errno;
}

int processes_open(struct processes **opened, const char *object, const char *controller, int hierarchy)
{
    struct settings settings = {.hierarchy = hierarchy};
    struct processes *self = calloc(1, sizeof *self);
    int error;

    if (!self)
        return -ENOMEM;
    be_silent();
    error = find_subsystem(controller, &settings);
    if (!error)
        error = start(self, object, &settings);
    if (error) {
        processes_close(self);
        return error;
    }
    *opened = self;
    return 0;
}

int processes_follow(struct processes *self, uint64_t id, int job)
{
    uint32_t number = job;
    int error;

    if (job >= PROCESSES_JOBS)
        return -ENOSPC;
    if (job >= 0) {
        error = bpf_map_update_elem(self->groups, &id, &number, BPF_ANY);
        return error == -E2BIG ? -ENOSPC : error;
    }
    error = bpf_map_delete_elem(self->groups, &id);
    return error == -ENOENT ? 0 : error;
}

int processes_read(struct processes *self, int64_t *cells, int jobs)
{
    uint64_t page = sysconf(_SC_PAGESIZE);
    int error;

    if (jobs > PROCESSES_JOBS)
        return -ENOSPC;
    memset(self->jobs, 0, sizeof *self->jobs * jobs);
    error = run(self->program);
    for (int job = 0; !error && job < jobs; job++)
        process_row(&self->jobs[job], cells + (size_t)job * PROCESSES_CELLS, page);
    return error;
}

void processes_close(struct processes *self)
{
    if (!self)
        return;
    if (self->jobs)
        munmap(self->jobs, HELD_SIZE);
    bpf_object__close(self->object);
    free(self);
}
