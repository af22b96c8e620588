/* The programs and their maps: loaded, attached, mapped into memory. */
#include "internal.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CELLS_SIZE (sizeof(struct cell) * GROUPS)

static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level;
    (void)format;
    (void)arguments;
    return 0;
}

void be_silent(void)
{
    libbpf_set_print(silent);
}

int find_subsystem(const char *controller, struct settings *settings)
{
    struct btf *btf;
    char name[64];
    int id, result = -EOPNOTSUPP;

    settings->subsystem = -1;
    if (!controller[0])
        return 0;
    btf = btf__load_vmlinux_btf();
    if (!btf)
        return -errno;
    snprintf(name, sizeof name, "%s_cgrp_id", strcmp(controller, "blkio") ? controller : "io");
    id = btf__find_by_name_kind(btf, "cgroup_subsys_id", BTF_KIND_ENUM);
    if (id > 0) {
        const struct btf_type *type = btf__type_by_id(btf, id);
        const struct btf_enum *value = btf_enum(type);

        for (int i = 0; i < btf_vlen(type); i++, value++)
            if (!strcmp(btf__name_by_offset(btf, value->name_off), name)) {
                settings->subsystem = value->val;
                result = 0;
            }
    }
    btf__free(btf);
    return result;
}

static const char *const links[] = {"on_mkdir", "on_rmdir", "on_attach", "on_exit"};     /* attached in this order */

/* Where `name` is, or shall be, pinned. Returns 0 or -errno. */
static int pin_path(char *path, size_t size, const char *pins, const char *name)
{
    return snprintf(path, size, "%s/%s", pins, name) < (int)size ? 0 : -ENAMETOOLONG;
}

/* Lets the maps be taken from `pins`, or be pinned there. Returns 0 or -errno. */
static int pin_maps(struct account *self, const char *pins)
{
    static const struct {
        const char *map, *file;
    } shared[] = {{"groups", "groups"}, {"spare", "spare"}, {"cells", "cells"}, {".bss", "state"}};
    char path[PATH_MAX];
    int error = 0;

    for (size_t i = 0; !error && i < sizeof shared / sizeof *shared; i++) {
        error = pin_path(path, sizeof path, pins, shared[i].file);
        if (!error)
            error = bpf_map__set_pin_path(bpf_object__find_map_by_name(self->object, shared[i].map), path);
    }
    return error;
}

/* Whether the last of the links is pinned, so that all else is too. Not by access(2), for which capabilities of an
   ordinary user do not count. */
static int is_pinned(const char *pins)
{
    char path[PATH_MAX];
    struct stat found;

    return pins[0] && !pin_path(path, sizeof path, pins, links[LINKS - 1]) && !stat(path, &found);
}

int open_object(struct bpf_object **opened, const char *file, const struct settings *settings)
{
    struct bpf_object *object = bpf_object__open_file(file, NULL);
    struct bpf_map *map;
    void *initial;
    size_t size;

    if (!object)
        return -errno;
    map = bpf_object__find_map_by_name(object, ".rodata");
    initial = map ? (void *)bpf_map__initial_value(map, &size) : NULL;     /* const in older ones */
    if (!initial || size < sizeof *settings) {
        bpf_object__close(object);
        return -EINVAL;
    }
    memcpy(initial, settings, sizeof *settings);
    *opened = object;
    return 0;
}

/* Loads programs and maps. Returns 0 or -errno. */
static int load(struct account *self, const char *file, const struct settings *settings, const char *pins)
{
    int error = open_object(&self->object, file, settings);

    if (!error && pins[0])
        error = pin_maps(self, pins);
    for (size_t i = 0; !error && i < LINKS; i++)
        error = bpf_program__set_autoload(bpf_object__find_program_by_name(self->object, links[i]), !self->resumed);
    return error ? error : bpf_object__load(self->object);
}

/* Maps the values of the map `name` into memory. Returns 0 or -errno. */
static int share(struct account *self, const char *name, size_t size, void **values)
{
    struct bpf_map *map = bpf_object__find_map_by_name(self->object, name);

    if (!map || (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map) < size)
        return -EINVAL;
    *values = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
    if (*values != MAP_FAILED)
        return 0;
    *values = NULL;
    return -errno;
}

static int find_maps(struct account *self)
{
    int error = share(self, "cells", CELLS_SIZE, (void **)&self->cells);

    if (!error)
        error = share(self, ".bss", sizeof *self->state, (void **)&self->state);
    self->groups = bpf_object__find_map_fd_by_name(self->object, "groups");
    self->spare = bpf_object__find_map_fd_by_name(self->object, "spare");
    for (uint32_t place = GROUPS; !error && !self->resumed && place-- > 0;)
        error = bpf_map_update_elem(self->spare, NULL, &place, BPF_ANY);
    return error;
}

/* Attaches one program, or takes over its link. Returns 0 or -errno. */
static int attach_one(struct account *self, int which, const char *pins)
{
    struct bpf_program *program = bpf_object__find_program_by_name(self->object, links[which]);
    char path[PATH_MAX];
    int error = pins[0] ? pin_path(path, sizeof path, pins, links[which]) : 0;

    if (error)
        return error;
    self->links[which] = self->resumed ? bpf_link__open(path) : bpf_program__attach(program);
    if (!self->links[which])
        return -errno;
    return pins[0] && !self->resumed ? bpf_link__pin(self->links[which], path) : 0;
}

static int attach(struct account *self, const char *pins)
{
    int error = 0;

    for (int which = 0; !error && which < LINKS; which++)
        error = attach_one(self, which, pins);
    if (error)
        return error;
    self->pass = bpf_program__attach_iter(bpf_object__find_program_by_name(self->object, "on_live"), NULL);
    return self->pass ? 0 : -errno;
}

int account_open(struct account **opened, const char *object, const char *controller, int hierarchy,
                 const char *pins, const char *walk)
{
    struct settings settings = {.hierarchy = hierarchy};
    struct account *self = calloc(1, sizeof *self);
    int error;

    if (!self)
        return -ENOMEM;
    be_silent();
    self->walk = NO_WALK;
    self->resumed = is_pinned(pins);
    error = find_subsystem(controller, &settings);
    if (!error)
        error = load(self, object, &settings, pins);
    if (!error)
        error = find_maps(self);
    if (!error)
        error = attach(self, pins);
    if (!error)
        walk_open(self, walk, &settings);
    if (error) {
        account_close(self);
        return error;
    }
    *opened = self;
    return 0;
}

uint64_t account_left_out(const struct account *self)
{
    return __atomic_load_n(&self->state->left_out, __ATOMIC_RELAXED);
}

void account_close(struct account *self)
{
    if (!self)
        return;
    for (int i = 0; i < LINKS; i++)
        bpf_link__destroy(self->links[i]);
    bpf_link__destroy(self->pass);
    if (self->cells)
        munmap(self->cells, CELLS_SIZE);
    if (self->state)
        munmap(self->state, sizeof *self->state);
    bpf_object__close(self->walker);
    bpf_object__close(self->object);
    free(self->sums);
    free(self);
}
