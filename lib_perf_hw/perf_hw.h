/* Counts events of processors and of the kernel, for all tasks of a cgroup, on each CPU (perf_event_open(2)).
 *
 * Of a group of events either all count or none does, so that they can be compared; one read gives them all. When there
 * are more groups than the processor has counters for, each counts for a part of the time, and what it counted between
 * two readings is taken to stand for the whole time between them. So a total never goes back.
 */
#define PERF_HW_CELLS 3

struct perf_hw_group;

/* What is counted: fields of struct perf_event_attr. */
struct perf_hw_event {
    uint32_t type;
    uint64_t config, config1, config2;
};

/* Begins to count `count` events as one group on each of `number` CPUs, those that are offline left out: for the tasks
 * of the cgroup whose directory is open as `cgroup` and of those below it, or for all tasks with -1. The directory need
 * not stay open, nor exist. Returns 0 or -errno: -ENODEV when no CPU is online. `refused` is then the place of the
 * event that the kernel did not take. */
int perf_hw_open(struct perf_hw_group **opened, int cgroup, const struct perf_hw_event *events, int count,
                 const int32_t *cpus, int number, int32_t *refused);

/* Reads `number` groups. Of each event, group after group, PERF_HW_CELLS go into `cells`: what it counted, the ns for
 * which it was to count (tasks of the cgroup ran), the ns for which it did. The first is INT64_MIN, not known, when it
 * never did though it was to; all stop at INT64_MAX. Returns on how many CPUs a group could not be read, as after one
 * went offline: what was read there before stands. */
int perf_hw_read(struct perf_hw_group *const *groups, int number, int64_t *cells);

/* The descriptors that a group holds. */
int perf_hw_files(const struct perf_hw_group *group);

/* Ends counting; NULL is allowed. */
void perf_hw_close(struct perf_hw_group *group);
