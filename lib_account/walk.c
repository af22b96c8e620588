/* The program that visits only the tasks of followed cgroups (walk.bpf.c): it works on the maps of the others. */
#include "internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int reuse(struct account *self, const char *name)
{
    return bpf_map__reuse_fd(bpf_object__find_map_by_name(self->walker, name),
                             bpf_object__find_map_fd_by_name(self->object, name));
}

void walk_open(struct account *self, const char *file, const struct settings *settings)
{
    if (!file[0] || open_object(&self->walker, file, settings))
        return;
    if (!reuse(self, "groups") && !reuse(self, "cells") && !bpf_object__load(self->walker))
        self->walk = bpf_program__fd(bpf_object__find_program_by_name(self->walker, "on_walk"));
}
