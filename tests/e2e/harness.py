"""What end-to-end tests share, as a plugin of pytest: jobs in cgroups of their own, and programs on free ports."""
import pytest

import jobs
from old import OldProgram
from programs import ALONE, Program, free_port
from runs import Place


@pytest.fixture(name="root")
def _root():
    """A private directory of jobs; needs root and cgroup v1."""
    reason = jobs.lacking()
    if reason:
        pytest.skip(reason)
    with jobs.Root() as root:
        yield root


@pytest.fixture(name="port")
def _port():
    """A free port on loopback, the one above it free too."""
    return free_port()


@pytest.fixture(name="uri")
def _uri(port):
    """The address of the 0.6 wire on that port."""
    return "tcp://127.0.0.1:%d" % port


@pytest.fixture(name="running")
def _running():
    """Programs that are killed at the end of the test if they still run then."""
    running = []
    yield running
    for program in running:
        program.__exit__()


@pytest.fixture(name="start")
def _start(tmp_path, running):
    """start("node", arguments...) and start("collector", ...) start our programs."""
    def start(name, *arguments, **options):
        alone = ALONE if name == "node" else ()
        running.append(Program("colmet.%s.main" % name, alone + arguments, tmp_path, **options))
        return running[-1]
    return start


@pytest.fixture(name="start_old")
def _start_old(tmp_path, running, old_colmet):
    """The same for the programs of Colmet 0.6.10."""
    def start(name, *arguments, **options):
        running.append(OldProgram(old_colmet, "colmet-" + name, arguments, tmp_path, **options))
        return running[-1]
    return start


@pytest.fixture(name="place")
def _place():
    """A `Place`; nothing may be left behind when the test ends."""
    here = Place()
    yield here
    try:
        here.check()
    finally:
        here.remove()
