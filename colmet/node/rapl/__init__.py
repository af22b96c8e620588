"""Energy counters of RAPL: powercap, the PMU "power", and the zones that both give."""
