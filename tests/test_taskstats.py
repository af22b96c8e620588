"""taskstats against processes whose load is known, and its parser against replies of every layout there was."""
import errno
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from colmet.common.metrics.taskstats import TABLE
from colmet.common.schema import MISSING
from colmet.node import compiled
from colmet.node.backends import Unavailable, taskstats
from loads import Process, gone, load
from taskstats_replies import FIELDS, INSERTED, error_reply, offsets, reply, stats

NAMES = [metric.name for metric in TABLE.metrics]
OPTIONS = SimpleNamespace(tables=None, task_reader="netlink")
KIB = 1024          # the kernel gives read_char and its like in whole KiB of each task


@pytest.fixture(name="source")
def _source():
    backend = taskstats.Backend(Path("/"), OPTIONS)
    yield backend
    backend.close()


@pytest.fixture(name="helper")
def _helper():
    return compiled.load("_taskstats")


class Listed:
    """A job of these thread ids."""
    parts = ()

    def __init__(self, tids):
        self.tasks = lambda: tids


def sample(source, *jobs):
    """{metric: value} of each row, in the order of the jobs that have one."""
    rows = source.sample(jobs)[TABLE.name]
    assert [instance for _, instance, _ in rows] == [""] * len(rows)
    return [dict(zip(NAMES, values)) for _, _, values in rows]


@pytest.mark.root
def test_a_known_load_is_found_back_in_the_first_sample(source, tmp_path):
    with load(tmp_path, seconds=0.5, pages=3000, write=23 << 20, read=17 << 20) as process:
        found, io, status = sample(source, process)[0], process.fields("io"), process.fields("status")
        cpu = process.cpu()
    assert found["cpu_run_virtual_total"] == cpu
    assert 0.5e9 <= found["cpu_run_virtual_total"] <= (process.usage.ru_utime + process.usage.ru_stime) * 1e9 + 8e6
    assert 3000 <= found["ac_minflt"] <= process.usage.ru_minflt
    assert found["ac_majflt"] <= process.usage.ru_majflt
    assert found["write_char"] == int(io["wchar"]) // KIB * KIB >= 23 << 20
    assert found["read_char"] == int(io["rchar"]) // KIB * KIB >= 17 << 20
    assert found["write_bytes"] == int(io["write_bytes"])
    assert found["read_bytes"] == int(io["read_bytes"])
    assert found["nvcsw"] == int(status["voluntary_ctxt_switches"])
    assert None not in found.values()


@pytest.mark.root
def test_eight_threads_are_eight_tasks_and_one_job(source, tmp_path):
    with load(tmp_path, seconds=0.05, threads=8) as process:
        assert len(process.tasks()) == 8
        [found], cpu = sample(source, process), process.cpu()
    assert found["cpu_run_virtual_total"] == cpu >= 0.4e9


@pytest.mark.root
def test_tasks_are_added_and_the_oldest_gives_the_times(source, tmp_path):
    with load(tmp_path, pages=100) as first, load(tmp_path, pages=200) as second:
        one, two, both = sample(source, first, second, Process(second.pid, [first.pid]))
    assert both["ac_minflt"] == one["ac_minflt"] + two["ac_minflt"]
    assert both["ac_btime"] == min(one["ac_btime"], two["ac_btime"])
    assert both["ac_etime"] >= max(one["ac_etime"], two["ac_etime"])


@pytest.mark.root
def test_a_task_that_ended_is_no_error_and_counts_nothing(source, tmp_path):
    with load(tmp_path) as process:
        with_gone, without = sample(source, Process(process.pid, [gone()]), process)
    assert with_gone["cpu_run_virtual_total"] == without["cpu_run_virtual_total"]


@pytest.mark.root
def test_more_tasks_than_are_asked_for_at_once(source, tmp_path):
    with load(tmp_path, pages=100) as process:
        tids = ([process.pid] * 33 + [gone()]) * 3
        many, one = sample(source, Listed(tids), process)
    assert many["ac_minflt"] == 99 * one["ac_minflt"]
    assert many["cpu_run_virtual_total"] == 99 * one["cpu_run_virtual_total"]
    assert many["ac_btime"] == one["ac_btime"]


@pytest.mark.root
def test_a_job_without_live_tasks_has_no_row(source):
    ended = Listed([gone()])
    assert sample(source, Listed([]), ended) == []


@pytest.mark.root
def test_without_the_capability_it_says_what_is_needed():
    """The child drops its rights and sends back what the source said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            taskstats.Backend(Path("/"), OPTIONS)
        except Unavailable as reason:
            os.write(writing, str(reason).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as said:
        assert "CAP_NET_ADMIN" in said.read()


def test_the_layout_of_linux_6_15_has_the_size_by_which_it_is_known():
    assert len(stats(INSERTED, {})) == 560 > len(stats(FIELDS, {})) == 416


def test_the_cells_are_those_of_the_table(helper):
    declared = [(metric.name, metric.fold) for metric in TABLE.metrics]
    text = helper.ffi.string
    assert [(text(helper.lib.taskstats_name(cell)).decode(), text(helper.lib.taskstats_fold(cell)).decode())
            for cell in range(helper.lib.TASKSTATS_CELLS)] == declared
    assert helper.lib.taskstats_name(len(declared)) == helper.lib.taskstats_fold(-1) == helper.ffi.NULL


def add(helper, *messages, sequence=7):
    """The cells after these replies, and what the last call returned."""
    cells = helper.ffi.new("int64_t[]", len(NAMES))
    helper.lib.taskstats_clear(cells)
    for message in messages:
        code = helper.lib.taskstats_add(message, len(message), sequence, cells)
    return dict(zip(NAMES, helper.ffi.unpack(cells, len(cells)))), code


@pytest.mark.parametrize("version, fields", [(9, FIELDS[:44]), (13, FIELDS), (15, INSERTED), (14, INSERTED)])
def test_each_layout_of_the_kernel_is_read(helper, version, fields):
    values = {name: (1000 + place) % 256 ** width for place, (name, width) in enumerate(fields)}
    found, code = add(helper, reply(stats(fields, dict(values, version=version))))
    assert (code, found) == (0, {name: values[name] for name in NAMES})


def test_a_newer_and_longer_structure_is_read_as_far_as_it_is_known(helper):
    values = {name: 7 for name in NAMES}
    found, code = add(helper, reply(stats(FIELDS, dict(values, version=40)) + bytes(4000)))
    assert (code, found) == (0, values)


def test_fields_that_an_old_kernel_does_not_send_are_missing(helper):
    whole = stats(FIELDS, {name: 5 for name in NAMES})
    cut = offsets(FIELDS)["nvcsw"] + 4      # half of the field
    found, code = add(helper, reply(whole[:cut]))
    known = set(NAMES[:NAMES.index("nvcsw")])
    assert (code, found) == (0, {name: 5 if name in known else MISSING for name in NAMES})


def test_sums_stop_at_the_greatest_number(helper):
    huge = reply(stats(FIELDS, {name: 2 ** 64 - 1 if name != "ac_btime" else 2 ** 32 - 1 for name in NAMES}))
    found, _ = add(helper, huge, huge)
    assert found["read_bytes"] == found["ac_etime"] == 2 ** 63 - 1 and found["ac_btime"] == 2 ** 32 - 1


@pytest.mark.parametrize("message, code", [
    (b"", "EBADMSG"), (error_reply(0), "EBADMSG"), (error_reply(5), "EBADMSG"), (error_reply(-2 ** 31), "EBADMSG"),
    (error_reply(-3), "ESRCH"), (error_reply(-1), "EPERM"), (error_reply(-3, sequence=6), "EAGAIN"),
    (reply(b""), "EBADMSG"), (reply(b"\x10"), "EBADMSG"), (reply(bytes(560))[:-1], "EBADMSG"),
])
def test_replies_that_hold_no_numbers_change_nothing(helper, message, code):
    found, returned = add(helper, message)
    assert errno.errorcode[-returned] == code and set(found.values()) == {MISSING}


def test_the_places_of_the_fields_are_those_of_this_machines_header(helper, tmp_path):
    compiler = shutil.which("cc")
    header = Path("/usr/include/linux/taskstats.h")
    if not compiler or not header.exists():
        pytest.skip("needs cc and linux/taskstats.h: install gcc and libc's headers")
    lines = "".join('printf("%s %%zu\\n", offsetof(struct taskstats, %s));' % (name, name) for name in NAMES)
    program = "#include <linux/taskstats.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {%s}\n" % lines
    (tmp_path / "places.c").write_text(program)
    subprocess.run([compiler, "-o", str(tmp_path / "places"), str(tmp_path / "places.c")], check=True)
    told = subprocess.run([str(tmp_path / "places")], check=True, stdout=subprocess.PIPE).stdout.decode()
    known = (offsets(FIELDS), offsets(INSERTED))
    assert {line.split()[0]: int(line.split()[1]) for line in told.splitlines()} in [
        {name: places[name] for name in NAMES} for places in known]
