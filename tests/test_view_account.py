"""The account: read back from a file as the collector writes it, and printed."""
import io

import h5py
import numpy
import pytest

from colmet.common.metrics import jobproc, taskstats
from colmet.common.metrics.job import CPU_SOURCES, TABLE
from colmet.common.schema import MISSING
from colmet.view import account

BEGAN = 1_700_000_000 * 10 ** 9
MIB = 2 ** 20
HEAD = [("time", "i8"), ("hostname", "S255"), ("job", "S200"), ("session", "i8"), ("sequence", "i8"), ("row", "i8")]
JOB_DTYPE = numpy.dtype(HEAD + [(metric.name, "i8") for metric in TABLE.metrics])
FULL = {"start": BEGAN, "end": BEGAN + 72_400_000_000, "wall": 72_400_000_000, "cpu": 242_100_000_000,
        "cpu_source": CPU_SOURCES.index("cgroup v1"), "peak_memory": 1204 * MIB,
        "peak_memory_source": CPU_SOURCES.index("cgroup v1"), "read_bytes": 23 * MIB, "write_bytes": 412 * MIB,
        "io_source": CPU_SOURCES.index("cgroup v1"), "samples": 15, "rows_taskstats_default": 15,
        "rows_jobprocstats_default": 15, "time": BEGAN + 73 * 10 ** 9}


def write(path, rows, stamps=range(15), job="4217", mode="w"):
    """An HDF5 file with `rows` (dicts) of table `job` and a row of taskstats at each second after BEGAN of `stamps`."""
    table = numpy.zeros(len(rows), JOB_DTYPE)
    for place, row in enumerate(rows):
        for name in (metric.name for metric in TABLE.metrics):
            table[name][place] = row.get(name, MISSING)
        table["time"][place] = row["time"]
    tasks = numpy.zeros(len(stamps), [("cpu_count", "i8"), ("timestamp", "i8")])
    tasks["timestamp"] = [BEGAN // 10 ** 9 + stamp for stamp in stamps]
    with h5py.File(path, mode) as file:
        file.create_dataset("job_%s/%s" % (job, TABLE.name), data=table)
        file.create_dataset("job_%s/%s" % (job, taskstats.TABLE.name), data=tasks)


def printed(found, **circumstances):
    """The lines of the account."""
    about = account.Circumstances(**dict({"title": "make -j4", "end": "exit 0", "output": "x.hdf5"}, **circumstances))
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    return account.lines(found, about, stream)


def test_a_whole_account(tmp_path):
    write(tmp_path / "x.hdf5", [FULL])
    assert printed(account.read(tmp_path / "x.hdf5", "4217", BEGAN), cores=4) == [
        "── colmet ────────────────────────────────────────────────────────── make -j4 ──",
        "wall       1 min 12.4 s       exit 0",
        "CPU        4 min 02.1 s       84 % of 4 cores",
        "memory     1 204 MiB peak",
        "I/O        read 23.0 MiB      written 412.0 MiB",
        "complete   15 of 15 samples",
        "saved in   x.hdf5",
    ]


def test_what_is_not_known_has_no_line_and_a_reason(tmp_path):
    row = dict(FULL, cpu_source=CPU_SOURCES.index("wait4"), peak_memory_source=CPU_SOURCES.index("wait4"),
               read_bytes=MISSING, write_bytes=MISSING)
    write(tmp_path / "x.hdf5", [row])
    lines = printed(account.read(tmp_path / "x.hdf5", "4217", BEGAN), notes=("no writable cgroup",))
    assert not [line for line in lines if line.startswith("I/O")]
    assert lines[-3:] == ["note       CPU and memory from wait4 (memory: of its largest process)",
                          "           no writable cgroup", "saved in   x.hdf5"]


def test_a_peak_that_wait4_cannot_tell_is_told_as_a_bound(tmp_path):
    write(tmp_path / "x.hdf5", [dict(FULL, peak_memory=MISSING)])
    assert "memory     under 9.0 MiB" in printed(account.read(tmp_path / "x.hdf5", "4217", BEGAN), floor=9 * MIB)


def test_lost_samples_show(tmp_path):
    write(tmp_path / "x.hdf5", [FULL], stamps=range(12))
    assert "incomplete 12 of 15 samples" in printed(account.read(tmp_path / "x.hdf5", "4217", BEGAN))


def test_samples_of_a_source_that_is_off_are_not_missed(tmp_path):
    write(tmp_path / "x.hdf5", [dict(FULL, rows_taskstats_default=0, rows_jobprocstats_default=15)])
    found = account.read(tmp_path / "x.hdf5", "4217", BEGAN)
    assert (found.stored, found.made) == (0, 15)        # the file has no table of the other source
    assert jobproc.TABLE.name in account.COUNTED


def test_of_a_continued_file_only_this_run_counts(tmp_path):
    before = dict(FULL, time=BEGAN - 10 ** 12, cpu=1)
    write(tmp_path / "x.hdf5", [before, FULL], stamps=[-1000, -999] + list(range(15)))
    found = account.read(tmp_path / "x.hdf5", "4217", BEGAN)
    assert found.values["cpu"] == FULL["cpu"] and (found.stored, found.made) == (15, 15)


def test_no_account_is_a_reason_and_no_traceback(tmp_path):
    write(tmp_path / "x.hdf5", [dict(FULL, time=BEGAN - 1)])
    (tmp_path / "y.hdf5").write_bytes(b"PK")
    for name, job, reason in (("x.hdf5", "4217", "no account of this run"), ("x.hdf5", "1", "no account of the job"),
                              ("y.hdf5", "1", "y.hdf5"), ("none.hdf5", "1", "none.hdf5")):
        with pytest.raises(account.Unreadable, match=reason):
            account.read(tmp_path / name, job, BEGAN)
