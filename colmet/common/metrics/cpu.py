"""Time of all CPUs of the node together by what they did, from the first line of /proc/stat (proc(5))."""
from colmet.common.schema import NODE, Table, counter

TABLE = Table("cpu", NODE, __doc__, (
    counter("user", "USER_HZ", "in user mode, guests included"),
    counter("nice", "USER_HZ", "in user mode at a low priority, guests included"),
    counter("system", "USER_HZ", "in the kernel"),
    counter("idle", "USER_HZ", "idle"),
    counter("iowait", "USER_HZ", "idle while I/O is under way"),
    counter("irq", "USER_HZ", "serving interrupts"),
    counter("softirq", "USER_HZ", "serving soft interrupts"),
    counter("steal", "USER_HZ", "taken by the hypervisor for other machines"),
    counter("guest", "USER_HZ", "of user, running guests"),
    counter("guest_nice", "USER_HZ", "of nice, running guests"),
    counter("since", "ns", "Unix time at which the counters began: the start of the node", fold="min"),
))
