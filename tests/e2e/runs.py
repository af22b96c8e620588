"""Running the real `colmet` for tests, and looking whether it left anything behind."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
from e2e.peers import batches
from programs import wait_for

CHECKOUT = Path(__file__).resolve().parents[2]
COLMET = [sys.executable, "-m", "colmet.view.main"]
# An ordinary user, who may read everything: this Python may lie where only root can go.
ORDINARY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+dac_read_search",
            "--ambient-caps=-all,+dac_read_search", "--bounding-set=-all,+dac_read_search"]


class Place:
    """A folder to run in and another for temporary files, both checked and removed at the end."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="colmet-test-", dir="/tmp"))
        self.before = set(own_cgroups())    # of others, or left by who was killed
        self.cwd, self.temporary = self.folder / "cwd", self.folder / "tmp"
        for path in (self.folder, self.cwd, self.temporary):
            path.mkdir(exist_ok=True)
            path.chmod(0o777)
        self.environ = dict(os.environ, TMPDIR=str(self.temporary), PYTHONPATH=str(CHECKOUT))
        self.environ.pop("NO_COLOR", None)

    def start(self, *words, prefix=(), **options):
        """Start ``colmet WORDS...`` under the command `prefix`."""
        pipes = dict({"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}, **options)
        return subprocess.Popen(list(prefix) + COLMET + list(map(str, words)), cwd=self.cwd, env=self.environ,
                                universal_newlines=True, **pipes)

    def colmet(self, *words, **options):
        """(exit code, stdout, stderr) of it, at its end."""
        with self.start(*words, **options) as process:
            out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def file(self):
        """The one HDF5 file that was written, by its path."""
        found = os.listdir(self.cwd)
        assert len(found) == 1 and found[0].startswith("colmet-") and found[0].endswith(".hdf5"), found
        return self.cwd / found[0]

    def daemon(self, name):
        """The pid of the running daemon `name` ("node", "collector") of a run here, once there is one."""
        return wait_for(lambda: next(iter(self.processes("colmet.%s.main" % name)), None), 60, name)

    def samples(self, job=None):
        """In how many batches that the collector of a run here has taken the job of this id has a row; None: any job,
        the node's own rows left out."""
        [journal] = self.temporary.glob("colmet-*/journal")
        sampled = [{batch.jobs[row[0]]["job"] for block in batch.blocks for row in block} for batch in batches(journal)]
        return sum(bool(jobs - {"0"}) if job is None else str(job) in jobs for jobs in sampled)

    def processes(self, *words):
        """Pids of processes whose command line names the temporary folder and each of `words`."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                line = Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if all(word in line for word in (str(self.temporary),) + words):
                found.append(int(pid))
        return found

    def check(self):
        """Nothing is left: no process, no temporary file, no cgroup of a process that has ended."""
        wait_for(lambda: not self.processes(), 30, "end of the daemons")
        assert os.listdir(self.temporary) == []
        wait_for(lambda: all(Path("/proc", path.name.split("_")[1]).exists()
                             for path in set(own_cgroups()) - self.before),
                 30, "end of cgroups whose process has ended")

    def remove(self):
        """Take the folders away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def own_cgroups():
    """Directories that `colmet run` made on the cgroup file systems of this machine."""
    return [Path(path) for place in ("*", "*/*/*") for path in glob.glob("/sys/fs/cgroup/%s/colmet_[0-9]*" % place)]


def job_row(path):
    """(id, row of table `job` as a dict) of the one job in the file."""
    with h5py.File(path, "r") as file:
        groups = [name for name in file if name.startswith("job_") and name != "job_0" and "job" in file[name]]
        assert len(groups) == 1, groups
        table = file[groups[0]]["job"][...]
    assert len(table) == 1
    return groups[0][4:], {name: table[name][0] for name in table.dtype.names}


def unfolded(err):
    """`err` as one line with single blanks."""
    return " ".join(err.split())


def line(err, label):
    """The line of the account under `label`; "" where there is none."""
    return next((text for text in err.splitlines() if text.startswith(label)), "")
