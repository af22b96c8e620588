"""What /proc tells of one task, from texts of Linux 6.18, and what is not known of a job."""
from types import SimpleNamespace

import pytest

from colmet.common.metrics.taskstats import TABLE
from colmet.node.account.proc import Proc, parse_io, parse_schedstat, parse_stat, parse_status
from colmet.node.backends import Unavailable

STAT = ("4711 (a) b (c) S 1 4711 4711 0 -1 4194304 120 7 3 0 25 75 0 0 20 0 1 0 30000 9420800 700 "
        "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 6 0 0 0 0 0 0 0 0 0 0\n")
IO = "rchar: 5000\nwchar: 1024\nsyscr: 2050\nsyscw: 3\nread_bytes: 4096\nwrite_bytes: 0\ncancelled_write_bytes: 512\n"
STATUS = "Name:\ta\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n"
NAMES = [metric.name for metric in TABLE.metrics]


class Task:
    """A job of one task."""
    tasks = staticmethod(lambda: [4711])


@pytest.fixture(name="root")
def _root(tmp_path):
    """A file system with the task 4711 alone."""
    task = tmp_path / "proc" / "4711" / "task" / "4711"
    task.mkdir(parents=True)
    (tmp_path / "proc" / "self").mkdir()
    for name, text in (("stat", STAT), ("schedstat", "100 200 3\n"), ("io", IO), ("status", STATUS)):
        (task / name).write_text(text)
    return tmp_path


def test_the_command_s_name_may_hold_anything():
    found = parse_stat(STAT, 400 * 10 ** 9, 2000)
    assert (found["ac_minflt"], found["ac_majflt"]) == (120, 3)
    assert (found["ac_utime"], found["ac_stime"], found["cpu_run_real_total"]) == (250000, 750000, 10 ** 9)
    assert (found["ac_etime"], found["ac_btime"]) == (100 * 10 ** 6, 1900) and found["blkio_delay_total"] == 6 * 10 ** 7


def test_the_other_files():
    assert parse_schedstat("100 200 3\n") == {"cpu_run_virtual_total": 100, "cpu_delay_total": 200, "cpu_count": 3}
    assert parse_io(IO) == {"read_char": 4096, "write_char": 1024, "read_syscalls": 2048, "write_syscalls": 0,
                            "read_bytes": 4096, "write_bytes": 0, "cancelled_write_bytes": 512}
    assert parse_status(STATUS) == {"nvcsw": 12, "nivcsw": 3}


def test_a_file_that_lacks_leaves_its_values_unknown(root):
    job, reader = Task(), Proc(root, None)
    live, total = reader.read([job])[job]
    whole = dict(zip(NAMES, live[1:]))
    assert live[0] == 1 and total is None and whole["read_char"] == 4096 and whole["coremem"] is None
    (root / "proc/4711/task/4711/io").unlink()
    without = dict(zip(NAMES, reader.read([job])[job][0][1:]), ac_etime=whole["ac_etime"], ac_btime=whole["ac_btime"])
    assert without == dict(whole, **dict.fromkeys(parse_io(IO)))


def test_a_task_that_is_gone_counts_for_nothing(root):
    job, reader = Task(), Proc(root, SimpleNamespace())
    (root / "proc/4711/task/4711/stat").unlink()
    assert reader.read([job])[job][0] == [0] + [None] * len(NAMES)


def test_without_proc_it_says_so(tmp_path):
    with pytest.raises(Unavailable, match="no proc"):
        Proc(tmp_path, None)
