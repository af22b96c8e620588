/* The program of emptied.bpf.c: loaded, attached, its events taken. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emptied.h"
#include "internal.h"

#define EVENTS 4096             /* more than the ring holds */

struct emptied {
    struct bpf_object *object;
    struct bpf_link *link;
    struct ring_buffer *ring;
    int watched;                /* descriptor of the map */
    int count;
    struct emptied_event events[EVENTS];
};

static int note(void *context, void *data, size_t size)
{
    struct emptied *self = context;

    if (size >= sizeof *self->events && self->count < EVENTS)
        memcpy(&self->events[self->count++], data, sizeof *self->events);
    return 0;
}

static int start(struct emptied *self, const char *file)
{
    int error;

    self->object = bpf_object__open_file(file, NULL);
    if (!self->object)
        return -errno;
    error = bpf_object__load(self->object);
    if (error)
        return error;
    self->watched = bpf_object__find_map_fd_by_name(self->object, "watched");
    self->ring = ring_buffer__new(bpf_object__find_map_fd_by_name(self->object, "told"), note, self, NULL);
    if (!self->ring)
        return -errno;
    self->link = bpf_program__attach(bpf_object__find_program_by_name(self->object, "on_populated"));
    return self->link ? 0 : -errno;
}

int emptied_open(struct emptied **opened, const char *object)
{
    struct emptied *self = calloc(1, sizeof *self);
    int error;

    if (!self)
        return -ENOMEM;
    be_silent();
    error = start(self, object);
    if (error) {
        emptied_close(self);
        return error;
    }
    *opened = self;
    return 0;
}

int emptied_fd(const struct emptied *self)
{
    return ring_buffer__epoll_fd(self->ring);
}

int emptied_watch(struct emptied *self, uint64_t id, uint64_t hierarchy, int on)
{
    uint64_t key[] = {id, hierarchy};
    uint32_t value = 1;
    int error = on ? bpf_map_update_elem(self->watched, key, &value, BPF_ANY) : bpf_map_delete_elem(self->watched, key);

    return error == -ENOENT ? 0 : error;
}

int emptied_take(struct emptied *self, const struct emptied_event **events)
{
    int error;

    self->count = 0;
    error = ring_buffer__consume(self->ring);
    *events = self->events;
    return error < 0 ? error : self->count;
}

void emptied_close(struct emptied *self)
{
    if (!self)
        return;
    bpf_link__destroy(self->link);
    ring_buffer__free(self->ring);
    bpf_object__close(self->object);
    free(self);
}
