"""A machine for daemons that like to own one: namespaces (namespaces(7)) of their own for processes, network, names and
mounts, so that they find their default ports free on a loopback of their own, and files of /etc as they need them.
Users, kernel and cgroups are those of this machine.

All in it dies with its first process, and that one with us (PR_SET_PDEATHSIG, through setpriv(1)).
"""
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from namespaces import SHED
from programs import wait_for

NAMESPACES = ("--mount", "--pid", "--net", "--uts", "--ipc")
HOST = "head"
ADDRESS = "192.0.2.1"           # for documentation (RFC 5737); getaddrinfo(3) wants one that is no loopback's
USERS = ("games", "irc")        # who own jobs: of every Debian, and without processes
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FOLDERS = "/var/lib"             # where no scheduler takes files away, as from /tmp
PATIENCE = 60
# Ignored, ends of children whose parent went are taken by the kernel: nothing else here would.
INIT = """set -e
%s
hostname %s
ip link set lo up
ip address add %s dev lo
for each in /run /tmp /var/tmp /dev/shm; do mount -t tmpfs tmpfs $each; done
while read -r ours theirs; do mount --bind "$ours" "$theirs"; done < mounts
trap '' CHLD
echo ready
exec sleep infinity
""" % (SHED, HOST, ADDRESS)


def lacking(*programs, install):
    """What this machine lacks to be one for `programs`, which the command `install` brings; "" where nothing does."""
    if os.geteuid() != 0:
        return "needs root: to make namespaces and cgroups"
    missing = [program for program in programs if not shutil.which(program, path=PATH)]
    if missing:
        return "needs %s: %s" % (", ".join(missing), install)
    if not os.access("/sys/fs/cgroup/cpuset/tasks", os.W_OK):
        return "needs cgroup v1: no writable /sys/fs/cgroup/cpuset"
    if subprocess.run(("unshare",) + NAMESPACES + ("--fork", "true"), capture_output=True, check=False).returncode:
        return "needs namespaces: unshare %s is refused here" % " ".join(NAMESPACES)
    return ""


class Machine:
    """`folder` is its own, that every user may read; `mounts` are {path of this machine: Path that is there instead}.
    USERS have `home`, and a shell."""

    def __init__(self, mounts=None):
        self.folder = Path(tempfile.mkdtemp(prefix="colmet-test-", dir=FOLDERS))
        self.folder.chmod(0o755)
        self.home = self.folder / "home"
        self.home.mkdir()
        self.home.chmod(0o1777)
        self.processes = []
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n%s %s\n" % (ADDRESS, HOST))
        (self.folder / "passwd").write_text("".join(map(self._account, open("/etc/passwd"))))
        self.mounts = {"/etc/hosts": self.folder / "hosts", "/etc/passwd": self.folder / "passwd"}
        self._first = self._namespace = None

    def _account(self, line):
        fields = line.split(":")
        return ":".join(fields[:5] + [str(self.home), "/bin/bash\n"]) if fields[0] in USERS else line

    def copied(self, path):
        """A copy of the directory `path` of this machine, that will be there instead of it."""
        self.mounts[path] = self.folder / path.strip("/").replace("/", "-")
        subprocess.run(["cp", "-a", path, self.mounts[path]], check=True)
        return self.mounts[path]

    def start(self):
        """Begin; nothing runs in it yet."""
        (self.folder / "mounts").write_text("".join("%s %s\n" % (ours, path) for path, ours in self.mounts.items()))
        command = ("setpriv", "--pdeathsig", "KILL", "unshare") + NAMESPACES + (
            "--fork", "--kill-child", "--mount-proc", "sh", "-c", INIT)
        log = self._spawn(command, "init", {})
        self.wait_for(lambda: "ready" in log.read_text(), "machine")
        outer = self.processes[0].pid
        [self._first] = Path("/proc/%d/task/%d/children" % (outer, outer)).read_text().split()
        self._namespace = os.stat("/proc/%s/ns/pid" % self._first).st_ino

    def wait_for(self, condition, what):
        """Until `condition()` is true; fails with what the daemons said."""
        try:
            wait_for(condition, PATIENCE, what)
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, self.logs())) from None

    def inside(self, *command, user=None):
        """The words that run `command` in it, as `user` (root)."""
        enter = ("nsenter", "--target", self._first, "--mount", "--pid", "--net", "--uts", "--ipc",
                 "--wd=%s" % self.home)
        if user:
            entry = pwd.getpwnam(user)
            enter += ("setpriv", "--reuid=%d" % entry.pw_uid, "--regid=%d" % entry.pw_gid, "--clear-groups")
        return enter + tuple(map(str, command))

    def daemon(self, *command, name=None, user=None, **environ):
        """Start what goes on in the foreground; its output is in the file that is returned."""
        return self._spawn(self.inside(*command, user=user), name or os.path.basename(command[0]), environ)

    def run(self, *command, user=None, **environ):
        """stdout of `command`, text; fails with what it said."""
        done = self.attempt(*command, user=user, **environ)
        assert done.returncode == 0, "%s: %d\n%s%s" % (" ".join(map(str, command)), done.returncode, done.stdout,
                                                       done.stderr)
        return done.stdout

    def attempt(self, *command, user=None, **environ):
        """The CompletedProcess of `command`, texts."""
        return subprocess.run(self.inside(*command, user=user), env=self._environ(environ), cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, timeout=PATIENCE, check=False)

    def _spawn(self, command, name, environ):
        path = self.folder / (name + ".out")
        with open(path, "ab") as log:
            self.processes.append(subprocess.Popen(command, env=self._environ(environ), cwd=self.folder,
                                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                   start_new_session=True))
        return path

    def _environ(self, added):
        home = str(self.home)
        return dict({"PATH": PATH, "LANG": "C", "HOME": home, "PWD": home}, **added)

    def logs(self):
        """The end of all that its daemons wrote."""
        return "\n".join("%s:\n%s" % (path.name, path.read_text(errors="replace")[-500:])
                         for pattern in ("*.out", "*.log") for path in sorted(self.folder.glob(pattern)))

    def close(self):
        """End it with all that runs in it, and take its folder away."""
        for process in self.processes[:1]:
            process.kill()
        for process in self.processes:
            process.wait(PATIENCE)
        wait_for(lambda: not self.running(), PATIENCE, "end of all processes")
        shutil.rmtree(self.folder, ignore_errors=True)

    def running(self):
        """Pids of what runs in it."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                inside = os.stat("/proc/%s/ns/pid" % pid).st_ino == self._namespace
            except OSError:     # it has ended
                continue
            found += [int(pid)] * inside
        return found

    def left(self):
        """What is on this machine because of it: paths and pids."""
        return [path for path in (self.folder,) if path.exists()] + self.running()
