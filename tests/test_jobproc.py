"""jobproc against processes whose load is known, against copied files, and where it may not or cannot read."""
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from colmet.common.metrics.jobproc import TABLE
from colmet.common.schema import MISSING
from colmet.node import compiled
from colmet.node.backends import Unavailable, jobproc
from e2e.programs import wait_for
from loads import descriptors, gone, load

FILES = SimpleNamespace(tables=None, task_reader="proc")
VM = Path(__file__).parent / "fixtures" / "vm-x86_64-6.18"
NAMES = [metric.name for metric in TABLE.metrics]
LITTLE = "VmSize:\t9 kB\nVmRSS:\t7 kB\n"
MEMORY = ("VmRSS", "RssShmem", "VmSize")
IO = [name for name in NAMES if name not in MEMORY]


class job:
    """A job of these processes."""

    def __init__(self, *pids):
        self._pids = list(pids)

    def processes(self):
        """Their numbers."""
        return self._pids


def sample(root, *jobs):
    """{metric: value} of each row."""
    source = jobproc.Backend(Path(root), FILES)
    try:
        return [dict(zip(NAMES, values)) for _, _, values in source.sample(jobs)[TABLE.name]]
    finally:
        source.close()


def write_process(root, pid, **texts):
    """A process below `root`/proc with these files."""
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)


def test_a_process_of_eight_threads_is_counted_once(tmp_path):
    with load(tmp_path, write=23 << 20, read=17 << 20, threads=8) as process:
        assert len(process.tasks()) == 8
        [found] = sample("/", process)
        io, status = process.fields("io"), process.fields("status")
    assert {name: found[name] for name in IO} == {name: int(io[name]) for name in IO}
    assert {name: found[name] for name in MEMORY} == {name: int(status[name]) for name in MEMORY}
    assert 23 << 20 <= found["wchar"] < 24 << 20 and 17 << 20 <= found["rchar"] < 22 << 20


def test_the_processes_of_a_job_are_added(tmp_path):
    with load(tmp_path, write=1 << 20) as first, load(tmp_path, write=2 << 20) as second:
        one, two, both = sample("/", first, second, job(first.pid, second.pid))
    assert both == {name: one[name] + two[name] for name in NAMES}


def test_a_process_that_ended_is_no_error_and_counts_nothing(tmp_path):
    with load(tmp_path) as process:
        with_gone, without = sample("/", job(gone(), process.pid), process)
    assert with_gone == without


def test_a_job_without_live_processes_has_no_row():
    assert sample("/", job(), job(gone())) == []


def test_a_process_that_nobody_has_waited_for_holds_no_memory():
    child = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    try:
        wait_for(lambda: ") Z " in Path("/proc/%d/stat" % child.pid).read_text(), 30, "end of the child")
        [found] = sample("/", job(child.pid))
    finally:
        child.wait()
    assert [found[name] for name in MEMORY] == [0, 0, 0] and found["rchar"] > 0


def test_the_files_of_a_virtual_machine():
    [found] = sample(VM, job(13407, 13408, 2))
    assert found == {"rchar": 2040470, "wchar": 305012, "syscr": 178, "syscw": 8, "read_bytes": 0,
                     "write_bytes": 315392, "cancelled_write_bytes": 0, "VmRSS": 24288, "RssShmem": 0, "VmSize": 545732}


def test_a_kernel_without_io_accounting_leaves_only_the_memory(tmp_path):
    write_process(tmp_path, 23, status="Name:\tx\nVmSize:\t 30 kB\nVmRSS:\t 20 kB\nRssShmem:\t 4 kB\n")
    [found] = sample(tmp_path, job(23))
    assert [found[name] for name in MEMORY] == [20, 4, 30] and {found[name] for name in IO} == {None}


def test_a_kernel_without_rss_by_kind_leaves_only_that_unknown(tmp_path):
    write_process(tmp_path, 23, io="rchar: 1\n", status="VmSize:\t 30 kB\nVmRSS:\t 20 kB\n")
    [found] = sample(tmp_path, job(23))
    assert (found["VmRSS"], found["RssShmem"], found["VmSize"]) == (20, None, 30)


def test_a_status_longer_than_the_first_read(tmp_path):
    groups = " ".join(str(100000 + group) for group in range(60000))
    write_process(tmp_path, 23, io="rchar: 1\n", status="Groups:\t%s\nVmSize:\t 30 kB\nVmRSS:\t 20 kB\n" % groups)
    [found] = sample(tmp_path, job(23))
    assert (found["VmRSS"], found["VmSize"]) == (20, 30)


@pytest.mark.root
def test_what_may_not_be_read_of_one_process_is_not_known_of_the_job(tmp_path):
    """A child without rights reads its own process and one of root."""
    reading, writing = os.pipe()
    with load(tmp_path) as process:
        child = os.fork()
        if child == 0:
            os.setgid(65534)
            os.setuid(65534)
            os.write(writing, json.dumps(sample("/", process)).encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as said:
            [found] = json.loads(said.read())
    assert {found[name] for name in IO} == {None} and found["VmRSS"] > 0


def test_a_machine_without_proc_is_told(tmp_path):
    with pytest.raises(Unavailable, match="proc: no such file or directory"):
        sample(tmp_path)


def test_a_process_whose_files_are_open_may_end_meanwhile(tmp_path):
    before, source = descriptors(), jobproc.Backend(Path("/"), FILES)
    with load(tmp_path) as kept:
        with load(tmp_path) as ending:
            loaded = descriptors()
            [(_, _, both)] = source.sample([job(kept.pid, ending.pid)])[TABLE.name]
            assert descriptors() == loaded + 4
        [(_, _, one)] = source.sample([job(kept.pid, ending.pid)])[TABLE.name]
        [(_, _, alone)] = source.sample([kept])[TABLE.name]
        assert source.sample([job(ending.pid)]) == {TABLE.name: []}
    assert one == alone and one[NAMES.index("VmSize")] < both[NAMES.index("VmSize")]
    source.close()
    assert descriptors() == before


def test_more_processes_than_stay_open_are_all_read(tmp_path):
    for pid in range(1, 601):
        write_process(tmp_path, pid, io="rchar: %d\n" % pid, status=LITTLE)
    source = jobproc.Backend(tmp_path, FILES)
    for _ in range(2):
        [(_, _, values)] = source.sample([job(*range(1, 601))])[TABLE.name]
        assert (values[NAMES.index("rchar")], values[NAMES.index("VmRSS")]) == (600 * 601 // 2, 600 * 7)
    source.close()


def test_where_no_more_files_can_be_open_those_that_stay_so_are_closed(tmp_path):
    for pid in range(1, 257):
        write_process(tmp_path, pid, io="rchar: %d\n" % pid, status=LITTLE)
    source, limit = jobproc.Backend(tmp_path, FILES), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 20, limit[1]))
    try:
        [(_, _, values)] = source.sample([job(*range(1, 257))])[TABLE.name]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        source.close()
    assert (values[NAMES.index("rchar")], values[NAMES.index("VmRSS")]) == (256 * 257 // 2, 256 * 7)


def test_closing_gives_the_folder_back():
    before = descriptors()
    sample(VM)
    assert descriptors() == before


@pytest.fixture(name="helper")
def _helper():
    return compiled.load("_files")


def test_the_cells_are_those_of_the_table(helper):
    lib = helper.lib
    told = [helper.ffi.string(lib.files_process_name(cell)).decode() for cell in range(lib.FILES_PROCESS_CELLS)]
    assert told == NAMES and lib.files_process_name(-1) == lib.files_process_name(len(NAMES)) == helper.ffi.NULL


@pytest.mark.parametrize("text, found", [
    (b"rchar: 23", {"rchar": 23}),
    (b"rchar:\t  23 kB\nwchar: 5\n", {"rchar": 23, "wchar": 5}),
    (b"rchar: 9223372036854775807\nwchar: 18446744073709551615\n", {"rchar": 2 ** 63 - 1, "wchar": 2 ** 63 - 1}),
    (b"rchar: \nwchar: x\nsyscr 5\nxsyscw: 1\n: 5\n\n:\n", {}),
    (b"cancelled_write_bytes: -5\nVmRSSx: 1\nVmRS: 1\n", {}),
    (b"rchar: 12\0\nread_bytes: 1", {"rchar": 12, "read_bytes": 1}),
])
def test_lines_are_found_by_their_whole_name(helper, text, found):
    cells = helper.ffi.new("int64_t[]", [MISSING] * len(NAMES))
    helper.lib.files_process_parse(text, len(text), cells)
    assert dict(zip(NAMES, cells)) == {name: found.get(name, MISSING) for name in NAMES}
