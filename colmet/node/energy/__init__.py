"""Energy of jobs: meters are read (meters.py, metered.py), what ran meanwhile is read (use.py), the one is divided by
the other (division.py, with the sums in split.py), and idle power is learned (idle.py).
"""
