"""What the tasks of jobs did, those included that ended: by BPF, by netlink, or read from /proc."""
