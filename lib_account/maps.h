/* What the programs of both objects read: which cgroups are followed, and their cells. */
#ifndef COLMET_MAPS_H
#define COLMET_MAPS_H

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, GROUPS);
    __type(key, __u64);         /* id of a cgroup */
    __type(value, __u32);       /* place of its cell */
} groups SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, GROUPS);
    __type(key, __u32);
    __type(value, struct cell);
} cells SEC(".maps");

static __always_inline struct cell *cell_of(__u64 id)
{
    __u32 *place = bpf_map_lookup_elem(&groups, &id);

    return place ? bpf_map_lookup_elem(&cells, place) : 0;
}

#endif
