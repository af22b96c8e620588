"""What the benchmarks share: where Colmet 0.6.10 is, CPU time and memory of processes, tables of figures."""
import os
import platform
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
# jobs, programs, made-up machines: the benchmarks run what the tests run
sys.path[:0] = [str(CHECKOUT / "tests" / "e2e"), str(CHECKOUT / "tests")]
OLD = Path(os.environ.get("COLMET_06") or CHECKOUT / ".cache" / "colmet-0.6.10" / "bin")


def old_programs():
    """The folder of the programs of 0.6.10; ends the benchmark where there is none."""
    if not (OLD / "colmet-node").exists():
        sys.exit("no Colmet 0.6.10 to compare with: scripts/peer.sh installs it, or set COLMET_06 to the folder of its "
                 "programs")
    return OLD


def cpu(pid):
    """CPU time in ns of the threads of `pid` and of its live descendants, by the scheduler."""
    total = 0
    for task in Path("/proc/%d/task" % pid).iterdir():
        total += int((task / "schedstat").read_text().split()[0])
        total += sum(cpu(int(child)) for child in (task / "children").read_text().split())
    return total


def resident(pid):
    """Resident memory of `pid` in MiB."""
    for line in Path("/proc/%d/status" % pid).read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def say(text):
    """One line of progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def slowness():
    """CPU time in s of a fixed loop: other work on the machine makes everything slower, this loop too."""
    best = float("inf")
    for _ in range(5):
        begin = time.thread_time()
        sum(number & 7 for number in range(1000000))
        best = min(best, time.thread_time() - begin)
    return best


def machine():
    """One line on where, when and how fast this ran."""
    return "%s, kernel %s, %d CPUs, Python %s, %s UTC; a loop of a million steps took %.0f ms" % (
        platform.machine(), platform.release(), os.cpu_count(), platform.python_version(),
        time.strftime("%Y-%m-%d %H:%M", time.gmtime()), slowness() * 1000)


def show(title, heads, rows):
    """Print a table that is also reStructuredText."""
    cells = [heads] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    rule = "  ".join("=" * width for width in widths)
    print("\n%s\n\n%s" % (title, rule))
    for place, row in enumerate(cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if place == 0:
            print(rule)
    print(rule, flush=True)
