/* Tells of each cgroup that is watched when it lost its last task, those below it included: the tracepoint comes once
 * for each such change, in the hierarchies of version 1 too, so that tasks which end in a full cgroup cost nothing. */
#include "kernel.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct key {
    __u64 id, hierarchy;        /* those of version 1 number their cgroups each for itself */
};

struct event {
    struct key of;
    __u64 when;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, struct key);
    __type(value, __u32);
} watched SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 16);
} told SEC(".maps");

SEC("tp_btf/cgroup_notify_populated")
int BPF_PROG(on_populated, struct cgroup *cgroup, const char *path, int populated)
{
    struct event event = {.of = {cgroup->kn->id, cgroup->root->hierarchy_id}, .when = bpf_ktime_get_boot_ns()};

    if (!(populated & 1) && bpf_map_lookup_elem(&watched, &event.of))
        bpf_ringbuf_output(&told, &event, sizeof event, 0);
    return 0;
}
