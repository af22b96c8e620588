"""The news that a job lost its last task: by BPF in real cgroups of v1, by inotify in one of v2; and what it is for."""
import os
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

import cgroups
from colmet.node.clock import boottime
from colmet.node.jobs.emptied import Bpf, Emptied, Inotify
from colmet.node.jobs.job import Cgroup, directory_key
from colmet.node.jobs.jobs import Jobs
from e2e.programs import wait_for
from endings import HERE, Followed, account_row, burn, burner, finish, made_of


def test_what_was_told_at_once_is_read_before_the_directory_goes():
    with cgroups.v1("cpuset", "cpuacct") as tree:
        tree.make("alice_12")
        with closing(Jobs(HERE, [str(tree.root)])) as jobs, burner(tree, "alice_12") as process:
            [job] = jobs.present()
            followed, told = Followed(job), []
            with closing(Emptied(lambda new, empty: told.extend(empty.items()))) as emptied:
                if emptied.refused:
                    pytest.skip("needs BPF: %s" % emptied.refused)
                emptied.follow([job])
                burn(process)
                emptied.take()
                assert told == []
                most = finish(process)
                wait_for(lambda: emptied.take() or told, 30, "news of the end")
            followed.read(empty=told[0][1])
            tree.remove("alice_12")
            found = followed.end()
    assert (found["end_source"], found["cpu_source"]) == ("exact", "cgroup v1") and len(told) == 1
    assert found["wall"] == told[0][1] - job.start_boot
    assert found["cpu"] <= most


def test_a_directory_that_went_before_the_news_was_read_leaves_the_time_of_the_end(tmp_path):
    with cgroups.v1("cpuset", "cpuacct") as tree:
        tree.make("alice_12")
        with closing(Jobs(HERE, [str(tree.root)])) as jobs, burner(tree, "alice_12") as process:
            [job] = jobs.present()
            followed = Followed(job)
            burn(process)
            assert job.tasks()
            followed.read()
            finish(process)
            tree.remove("alice_12")
            when = boottime()
            followed.read(empty=when)
            records = [("account", account_row(runtime=10 ** 12, processes_started=7))]
            found = followed.end(records)
    assert (found["end_source"], found["cpu_source"], found["cpu"]) == ("records", "records", 10 ** 12)
    assert found["wall"] == when - job.start_boot and found["processes"] == 7


def test_what_runs_again_after_the_news_did_not_end(tmp_path):
    (tmp_path / "cpuacct.usage").write_text("100\n")
    (tmp_path / "tasks").write_text("1\n")
    followed = Followed(made_of(tmp_path))
    followed.read(empty=boottime())
    followed.job.ended()
    found = followed.end()
    assert (found["end_source"], found["end"], found["cpu"]) == ("last sample", followed.job.end, 100)


def test_a_job_that_was_never_seen_to_run_but_used_cpu_time_has_ended(tmp_path):
    (tmp_path / "cpuacct.usage").write_text("100\n")
    (tmp_path / "tasks").write_text("")
    found = Followed(made_of(tmp_path)).end()
    assert (found["end_source"], found["cpu"]) == ("exact", 100)


def test_by_netlink_the_cpu_time_of_a_job_is_what_was_read_last(tmp_path):
    (tmp_path / "cpuacct.usage").write_text("100\n")
    (tmp_path / "tasks").write_text("1\n")
    followed = Followed(made_of(tmp_path))
    records = [("account", account_row(runtime=10 ** 12, processes_started=7, reader="netlink"))]
    found = followed.end(records)
    assert (found["cpu"], found["cpu_source"], found["processes"]) == (100, "cgroup v1", 7)


@pytest.mark.parametrize("kind, tree", [(Bpf, "v1"), (Bpf, "v2"), (Inotify, "v2")])
def test_each_way_tells_when_the_last_process_ended_and_not_before(kind, tree):
    with cgroups.either(tree) as made:
        path = str(made.make("alice_12"))
        part = Cgroup(path, directory_key(path))
        with closing(kind()) as way:
            way.watch(part)
            for _ in range(3):
                both = [made.sleeper("alice_12") for _ in range(2)]
                way.take()
                before = boottime()
                both[0].kill()
                both[0].wait()
                assert way.take() == {}
                both[1].kill()
                both[1].wait()
                [(key, when)] = wait_for(way.take, 30, "news of the end").items()
                assert key == part.key and before < when <= boottime()
            way.drop(part)
            last = made.sleeper("alice_12")
            last.kill()
            last.wait()
            assert subprocess.run(["sleep", "0.2"]).returncode == 0 and way.take() == {}


@pytest.fixture(name="hierarchies")
def _hierarchies(tmp_path):
    """Two hierarchies of v1 of their own, without controllers: each numbers its cgroups from the same number on."""
    if os.geteuid():
        pytest.skip("needs root: to mount cgroups")
    names, made = ["colmet-test-%d-%s" % (os.getpid(), each) for each in "ab"], []

    def mount(name, path):
        return subprocess.run(["mount", "-t", "cgroup", "-o", "none,name=" + name, "cgroup", str(path)],
                              stderr=subprocess.DEVNULL).returncode == 0

    def unmounted(name, path):
        """Whether the kernel has let go of it: where a cgroup in it was not freed yet, it only does the next time."""
        subprocess.run(["umount", str(path)], stderr=subprocess.DEVNULL)    # whoever reads all hierarchies may be there
        end = time.monotonic() + 2
        while "name=%s:" % name in Path("/proc/self/cgroup").read_text():
            if time.monotonic() > end:
                return mount(name, path) and False
            time.sleep(0.01)
        return True
    for name in names:
        path = tmp_path / name
        path.mkdir()
        if not mount(name, path):
            pytest.skip("needs cgroup v1: it does not mount")
        made.append((name, path))
    yield [path for _, path in made]
    for name, path in made:
        wait_for(lambda: unmounted(name, path), 60, "end of " + name)


def test_cgroups_of_one_inode_in_two_hierarchies_are_two(hierarchies):
    jobs = [hierarchy / "job" for hierarchy in hierarchies]
    for job in jobs:
        job.mkdir()
    parts = [Cgroup(str(job), directory_key(str(job))) for job in jobs]
    assert parts[0].key[1] == parts[1].key[1] and parts[0].key != parts[1].key
    with closing(Bpf()) as way:
        way.watch(parts[0])
        for job, told in (jobs[1], []), (jobs[0], [parts[0].key]):
            with subprocess.Popen(["sleep", "1000"]) as process:
                (job / "tasks").write_text(str(process.pid))
                process.kill()
            cgroups.patiently(job.rmdir)        # which it can be once nothing is left in it
            assert list(way.take()) == told


def test_new_jobs_are_told_once_and_those_that_went_are_forgotten(tmp_path):
    told = []
    job = made_of(tmp_path)
    with closing(Emptied(lambda new, empty: told.append((list(new), empty)))) as emptied:
        emptied.follow([job])
        emptied.follow([job])
        job.parts += made_of(tmp_path).parts
        emptied.follow([job])
        emptied.follow([])
        emptied.follow([job])
    assert told == [([job], {}), ([job], {})]


def test_who_looks_at_a_new_job_does_not_cost_it_the_tick_that_its_first_task_asks_for():
    with cgroups.v1("cpuset") as tree, closing(Jobs(HERE, [str(tree.root)])) as jobs:
        tree.make("alice_12")
        [job] = jobs.present()
        tree.sleeper("alice_12")
        Followed(job).read()
        assert jobs.wait(cgroups.until(60))
