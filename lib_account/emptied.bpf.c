/* Tells of each cgroup that is watched when it lost its last task, those below it included: the tracepoint comes once
 * for each such change, in the hierarchies of version 1 too, so that tasks which end in a full cgroup cost nothing. */
#include "kernel.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
    __u64 id, when;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, __u64);
    __type(value, __u32);
} watched SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 16);
} told SEC(".maps");

SEC("tp_btf/cgroup_notify_populated")
int BPF_PROG(on_populated, struct cgroup *cgroup, const char *path, int populated)
{
    __u64 id = cgroup->kn->id;
    struct event event = {.id = id, .when = bpf_ktime_get_boot_ns()};

    if (!(populated & 1) && bpf_map_lookup_elem(&watched, &id))
        bpf_ringbuf_output(&told, &event, sizeof event, 0);
    return 0;
}
