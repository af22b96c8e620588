/* Tells when cgroups that are watched lost their last task (emptied.bpf.c), those of version 1 too, in which no file
 * does. A cgroup is named by the inode number of its directory and that of its hierarchy as in /proc/self/cgroup, 0 for
 * version 2. */
struct emptied;

struct emptied_event {
    uint64_t id, hierarchy; /* of the cgroup */
    uint64_t when;          /* CLOCK_BOOTTIME, ns */
};

/* Loads the program from the file `object` and lets it run. Returns 0 or -errno; -EPERM: no CAP_BPF or CAP_PERFMON. */
int emptied_open(struct emptied **opened, const char *object);

/* A descriptor that can be read (poll(2)) when there is something to take. */
int emptied_fd(const struct emptied *emptied);

/* Watches the cgroup `id`, or with `on` 0 no more. Returns 0 or -errno; -E2BIG: too many are watched. */
int emptied_watch(struct emptied *emptied, uint64_t id, uint64_t hierarchy, int on);

/* Points `events` at what happened since the last call, in order, until the next one. Returns how many, or -errno. */
int emptied_take(struct emptied *emptied, const struct emptied_event **events);

/* Stops the program and frees all; NULL is allowed. */
void emptied_close(struct emptied *emptied);
