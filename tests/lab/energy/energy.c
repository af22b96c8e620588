// SPDX-License-Identifier: GPL-2.0-or-later
/* A module for the kernel of a guest, whose processor counts no energy: two packages, each with core and dram, behind
 * the kernel's own powercap class ("intel-rapl", as on Intel's and AMD's processors) and its PMU "power".
 *
 * What they used since the module was loaded, in uJ, is written to /sys/module/energy/parameters/used by the test: six
 * numbers with commas between them, package after package. powercap shows them up to the ranges of a server, at which
 * they begin anew; the PMU in its steps of 2^-32 J, for the package of the CPU on which the event is opened.
 */
#include <linux/cpumask.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/perf_event.h>
#include <linux/powercap.h>
#include <linux/topology.h>

#define PACKAGES 2
#define PARTS 3
#define ZONES (PACKAGES * PARTS)
#define UJ 1000000
#define STEP "2.3283064365386962890625e-10"      /* 2^-32 */

static unsigned long long used[ZONES];
module_param_array(used, ullong, NULL, 0644);

static struct powercap_control_type *rapl;
static struct powercap_zone zones[ZONES];
static const char *const names[ZONES] = {"package-0", "core", "dram", "package-1", "core", "dram"};
static const u64 spans[PARTS] = {262143328850ULL, 262143328850ULL, 65712999613ULL};
static const int events[PARTS] = {2, 1, 3};      /* numbers of the PMU's events; its first is that of the cores */

static int energy_of(struct powercap_zone *zone, u64 *value)
{
    int place = zone - zones;

    div64_u64_rem(READ_ONCE(used[place]), spans[place % PARTS], value);
    return 0;
}

static int span_of(struct powercap_zone *zone, u64 *value)
{
    *value = spans[(zone - zones) % PARTS];
    return 0;
}

static int released(struct powercap_zone *zone)
{
    return 0;
}

static const struct powercap_zone_ops zone_ops = {
    .get_energy_uj = energy_of, .get_max_energy_range_uj = span_of, .release = released};

/* The limits of power that a server's zone has; powercap takes none without. They stay as they are. */
static int limit_of(struct powercap_zone *zone, int place, u64 *value)
{
    *value = 150 * UJ;
    return 0;
}

static int window_of(struct powercap_zone *zone, int place, u64 *value)
{
    *value = 999424;
    return 0;
}

static int set(struct powercap_zone *zone, int place, u64 value)
{
    return 0;
}

static const char *name_of(struct powercap_zone *zone, int place)
{
    return "long_term";
}

static const struct powercap_zone_constraint_ops limit_ops = {
    .get_power_limit_uw = limit_of, .set_power_limit_uw = set, .get_time_window_us = window_of,
    .set_time_window_us = set, .get_name = name_of};

static u64 steps(struct perf_event *event)
{
    int package = topology_physical_package_id(event->cpu) % PACKAGES, part = 0;

    while (events[part] != event->attr.config)
        part++;
    return mul_u64_u64_div_u64(READ_ONCE(used[package * PARTS + part]), 1ULL << 32, UJ);
}

static void take(struct perf_event *event)
{
    u64 now = steps(event);

    local64_add(now - local64_xchg(&event->hw.prev_count, now), &event->count);
}

static void start(struct perf_event *event, int flags)
{
    local64_set(&event->hw.prev_count, steps(event));
}

static void stop(struct perf_event *event, int flags)
{
    take(event);
}

static int add(struct perf_event *event, int flags)
{
    if (flags & PERF_EF_START)
        start(event, flags);
    return 0;
}

static struct pmu power;

static int begin(struct perf_event *event)
{
    if (event->attr.type != power.type)
        return -ENOENT;
    if (event->cpu < 0 || event->attr.config < 1 || event->attr.config > PARTS)
        return -EINVAL;
    return 0;
}

PMU_FORMAT_ATTR(event, "config:0-7");
#define EVENT(name, variable, number) \
    PMU_EVENT_ATTR_STRING(name, variable, number); \
    PMU_EVENT_ATTR_STRING(name.unit, variable##_unit, "Joules"); \
    PMU_EVENT_ATTR_STRING(name.scale, variable##_scale, STEP)
#define OF(variable) &variable.attr.attr, &variable##_unit.attr.attr, &variable##_scale.attr.attr
EVENT(energy-cores, cores, "event=0x01");
EVENT(energy-pkg, package, "event=0x02");
EVENT(energy-ram, dram, "event=0x03");

static ssize_t cpumask_show(struct device *device, struct device_attribute *attribute, char *text)
{
    struct cpumask first = {};
    int cpu, seen = 0;

    for_each_online_cpu(cpu) {
        int bit = 1 << topology_physical_package_id(cpu) % PACKAGES;

        if (!(seen & bit))
            cpumask_set_cpu(cpu, &first);
        seen |= bit;
    }
    return cpumap_print_to_pagebuf(true, text, &first);
}
static DEVICE_ATTR_RO(cpumask);

static struct attribute *format_attributes[] = {&format_attr_event.attr, NULL};
static struct attribute *event_attributes[] = {OF(cores), OF(package), OF(dram), NULL};
static struct attribute *mask_attributes[] = {&dev_attr_cpumask.attr, NULL};
static const struct attribute_group format_group = {.name = "format", .attrs = format_attributes};
static const struct attribute_group event_group = {.name = "events", .attrs = event_attributes};
static const struct attribute_group mask_group = {.attrs = mask_attributes};
static const struct attribute_group *groups[] = {&format_group, &event_group, &mask_group, NULL};
static struct pmu power = {
    .attr_groups = groups, .task_ctx_nr = perf_invalid_context, .event_init = begin, .add = add, .del = stop,
    .start = start, .stop = stop, .read = take, .capabilities = PERF_PMU_CAP_NO_EXCLUDE, .module = THIS_MODULE};

static void leave(int made)
{
    while (made--)
        powercap_unregister_zone(rapl, zones + made);
    powercap_unregister_control_type(rapl);
}

static int __init enter(void)
{
    int place, error;

    rapl = powercap_register_control_type(NULL, "intel-rapl", NULL);
    if (IS_ERR(rapl))
        return PTR_ERR(rapl);
    for (place = 0; place < ZONES; place++) {
        struct powercap_zone *above = place % PARTS ? zones + place / PARTS * PARTS : NULL;
        struct powercap_zone *zone = powercap_register_zone(zones + place, rapl, names[place], above, &zone_ops, 1,
                                                            &limit_ops);

        if (IS_ERR(zone)) {
            leave(place);
            return PTR_ERR(zone);
        }
    }
    error = perf_pmu_register(&power, "power", -1);
    if (error)
        leave(ZONES);
    return error;
}

static void __exit end(void)
{
    perf_pmu_unregister(&power);
    leave(ZONES);
}

module_init(enter);
module_exit(end);
MODULE_DESCRIPTION("Counters of energy that a test moves");
MODULE_LICENSE("GPL");
