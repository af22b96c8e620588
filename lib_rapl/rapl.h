/* Energy counters of the PMU "power" (perf_event_open(2)): one event on one CPU, for all that runs there.
 *
 * A counter has 64 bits, is 0 when it is opened, and counts in steps that sysfs states beside the event
 * (/sys/bus/event_source/devices/power/events/NAME.scale). RAPL by powercap is read with lib_files.
 */

/* Opens the event `config` of the PMU `type` on `cpu`. Returns a descriptor, or -errno: -EACCES and -EPERM without
 * CAP_PERFMON where kernel.perf_event_paranoid is above 0, -ENOENT, -EINVAL and -EOPNOTSUPP where the PMU has no such
 * event, -ENODEV where the CPU is offline. */
int rapl_open(uint32_t type, uint64_t config, int32_t cpu);

/* Reads `count` counters into `cells`; one that cannot be read is INT64_MIN, and what is above INT64_MAX is that. Into
 * `answers` go 0 or -errno for each; -ENODEV: its CPU went offline. Returns how many could not be read. */
int rapl_read(const int32_t *fds, int32_t *answers, int count, int64_t *cells);
