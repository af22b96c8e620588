"""Every option of colmet-collector 0.6.10, by its effect."""
import resource
import time

import h5py
import pytest
import zmq

from e2e.peers import Collector, push, record06
from elastic_stub import Stub, basic
from help06 import COMMON, flags
import stored
from programs import wait_for

pytest_plugins = ("harness",)
PATIENCE = 60
NEVER = "3600"          # s
ROWS = [record06(value=number) for number in range(40)]
FILTERS = {             # arguments: HDF5 filter ids of a table, from the registry of HDF5
    (): {"1", "2"}, ("--hdf5-complevel", "0"): set(), ("--hdf5-complevel", "9", "--hdf5-complib", "zlib"): {"1", "2"},
    ("--hdf5-complevel", "1", "--hdf5-complib", "blosc"): {"32001"},
    ("--hdf5-complevel", "5", "--hdf5-complib", "bzip2"): {"2", "307"},
}


def store(collector, uri, messages):
    """Send `messages` to a collector that was started with -vvv, and end it when all are taken."""
    push(uri, messages)
    wait_for(lambda: sum(int(line.split()[1]) for line in collector.errors().splitlines()
                         if "records received" in line) >= len(messages), PATIENCE, "all records")
    assert collector.stop() == 0, collector.errors()


def started(start, uri, *arguments):
    """A collector of ours that is ready."""
    collector = start("collector", "-vvv", "-s", "0.1", "--zeromq-bind-uri", uri, *arguments)
    wait_for(lambda: "limits" in collector.errors(), PATIENCE, "start of the collector")
    return collector


def test_stdout_backend_and_zeromq_bind_uri(start, tmp_path):
    uri = "ipc://%s/s" % tmp_path
    collector = started(start, uri, "--enable-stdout-backend", "--journal-dir", tmp_path / "j")
    store(collector, uri, ROWS)
    text = collector.out.read_text()
    assert text.count("Job(3)/ jobprocstats_default -> Host(node-6)") == len(ROWS) and "rchar : 39 (" in text


def test_buffer_size_forces_out_what_sample_period_would_hold(tmp_path):
    with Collector(tmp_path, "-s", NEVER, "--buffer-size", "3") as collector:
        push(collector.legacy, ROWS[:3])
        wait_for(lambda: collector.printed() == 3, PATIENCE, "three records")
        push(collector.legacy, ROWS[3:4])
        time.sleep(0.5)
        assert collector.printed() == 3
        assert collector.stop() == 0 and collector.printed() == 4


def test_sample_period_lets_go_of_few(tmp_path):
    with Collector(tmp_path, "--sample-period", "0.2", "--buffer-size", "1000000") as collector:
        push(collector.legacy, ROWS[:1])
        wait_for(lambda: collector.printed() == 1, PATIENCE, "one record")


@pytest.mark.parametrize("arguments, filters", FILTERS.items(), ids=lambda value: " ".join(sorted(value)))
def test_hdf5_filepath_complevel_and_complib(arguments, filters, uri, start, tmp_path):
    store(started(start, uri, "--hdf5-filepath", tmp_path / "new.hdf5", *arguments), uri, ROWS)
    import tables   # registers blosc with HDF5 for this process
    with tables.open_file(str(tmp_path / "new.hdf5")) as file:
        assert file.get_node("/job_3/jobprocstats_default").read(field="rchar").tolist() == list(range(40))
    with h5py.File(tmp_path / "new.hdf5", "r") as file:
        plist = file["job_3/jobprocstats_default"].id.get_create_plist()
        assert {str(plist.get_filter(place)[0]) for place in range(plist.get_nfilters())} == filters


def test_hdf5_filepath_without_the_suffix_is_the_beginning_of_each_window(uri, start, tmp_path):
    begin = int(time.time())
    store(started(start, uri, "--hdf5-filepath", tmp_path / "new"), uri, ROWS)
    [path] = stored.files(tmp_path)
    name, second, suffix = path.name.split(".")
    assert (name, suffix) == ("new", "hdf5") and begin <= int(second) <= time.time()
    assert len(stored.rows(path, "3", "jobprocstats_default")) == 40


def test_zeromq_hwm_is_how_many_messages_wait_in_memory(tmp_path):
    """While the journal is full nothing is taken: the sender is held when that many wait, and what the system holds."""
    taken = {}
    for most in (1, 60):
        (tmp_path / str(most)).mkdir()
        with Collector(tmp_path / str(most), "-s", "0.1", "--zeromq-hwm", most) as collector:
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (4096, hard))
            taken[most] = offered(collector.legacy)
            resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (hard, hard))
            wait_for(lambda c=collector: "room again" in c.errors(), PATIENCE, "recovery")
            assert collector.stop() == 0
    assert taken[60] - taken[1] >= 30


def offered(uri, seconds=3):
    """How many messages of 1 MiB a sender that queues none itself is rid of, before it is held for some seconds."""
    message, context = ROWS[0] * (2 ** 20 // len(ROWS[0])), zmq.Context()
    channel = context.socket(zmq.PUSH)
    channel.sndhwm = 1
    channel.connect(uri)
    count = 0
    while channel.poll(seconds * 1000, zmq.POLLOUT):
        channel.send(message)
        count += 1
    context.destroy(linger=0)
    return count


def test_zeromq_linger_does_not_hold_the_end_up_where_all_is_sent(tmp_path):
    with Collector(tmp_path, "-s", "0.1", "--zeromq-linger", "-1") as collector:
        push(collector.legacy, ROWS)
        assert collector.stop() == 0 and collector.printed() == len(ROWS)


def test_verbose_tells_of_records(tmp_path):
    for words, told in (((), False), (("-v", "-v", "--verbose"), True)):
        folder = tmp_path / str(told)
        folder.mkdir()
        with Collector(folder, "-s", "0.1", *words) as collector:
            push(collector.legacy, ROWS)
            wait_for(lambda c=collector: c.printed() == len(ROWS), PATIENCE, "records")
            assert collector.stop() == 0
            assert ("records received" in collector.errors()) == told


def test_elastic_options_reach_the_server(uri, start, tmp_path):
    (tmp_path / "p").write_text("alice:pa:ss\n")
    with Stub(login=basic("alice", "pa:ss")) as stub:
        collector = started(start, uri, "--journal-dir", tmp_path / "j", "--elastic-host", stub.url + "/",
                            "--elastic-index-prefix", "x_", "--no-check-certificates", "--http-credentials",
                            tmp_path / "p")
        store(collector, uri, ROWS)
        assert sorted(each["rchar"] for each in stub.documents("x_jobprocstats_default")) == list(range(40))
        assert "pa:ss" not in collector.errors()


TESTED = {
    test_stdout_backend_and_zeromq_bind_uri: ["--enable-stdout-backend", "--zeromq-bind-uri"],
    test_buffer_size_forces_out_what_sample_period_would_hold: ["--buffer-size", "-s"],
    test_sample_period_lets_go_of_few: ["--sample-period"],
    test_hdf5_filepath_complevel_and_complib: ["--hdf5-filepath", "--hdf5-complevel", "--hdf5-complib"],
    test_zeromq_hwm_is_how_many_messages_wait_in_memory: ["--zeromq-hwm"],
    test_zeromq_linger_does_not_hold_the_end_up_where_all_is_sent: ["--zeromq-linger"],
    test_verbose_tells_of_records: ["-v", "--verbose"],
    test_elastic_options_reach_the_server: ["--elastic-host", "--elastic-index-prefix", "-P", "--http-credentials",
                                            "--no-check-certificates"],
}


def test_every_option_of_0_6_is_among_them(old_colmet):
    tested = [flag for each in TESTED.values() for flag in each]
    assert sorted(tested) == sorted(flags(old_colmet, "colmet-collector") - COMMON)
