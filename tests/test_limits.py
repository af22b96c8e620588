"""A node that may open few files: it takes as many as it may, and finds its jobs later where they do not suffice."""
import logging
import os
import resource
import subprocess
import sys
from contextlib import contextmanager

from cgroups import names, until, watch
from colmet.node.log import log

RAISED = "import resource as r; from colmet.common.limits import raise_file_limit as f; " \
         "print(f(), *r.getrlimit(r.RLIMIT_NOFILE))"


@contextmanager
def no_more_files():
    """Nothing can be opened within."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_of_open_files_is_raised_to_what_is_allowed():
    limited = ["sh", "-c", 'ulimit -S -n 100 && ulimit -H -n 200 && exec "$@"', "sh", sys.executable, "-c", RAISED]
    assert subprocess.run(limited, check=True, stdout=subprocess.PIPE).stdout.split() == [b"200"] * 3


def test_a_job_that_comes_when_no_file_can_be_opened_is_found_when_one_can(tmp_path):
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    log.addHandler(handler)
    (tmp_path / "root").mkdir()
    for name in ("alice_12", "bob_13"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tasks").write_text("4217\n")
    try:
        with watch(tmp_path / "root") as jobs:
            with no_more_files():
                for name in ("alice_12", "bob_13"):
                    (tmp_path / name).rename(tmp_path / "root" / name)
                    assert jobs.wait(until(0.2)) is False
            assert jobs.wait(until(60)) is True
            assert names(jobs) == ["alice_12", "bob_13"]
            assert [list(job.tasks()) for job in jobs.present()] == [[4217]] * 2
    finally:
        log.removeHandler(handler)
    assert len(told) == 1 and "no more files can be opened" in told[0] and "ulimit -n" in told[0]
