"""Counters of perf_event_open(2): events by name, groups of them, and those of each job."""
