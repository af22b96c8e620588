"""A real OAR 2, from Debian's packages, in a machine of its own: server, node and a PostgreSQL of its own."""
import os
import re
import shutil
import time
from pathlib import Path

from schedulers.leftovers import left, remove
from schedulers.machine import HOST, Machine

INSTALL = ("apt install --no-install-recommends oar-server oar-server-pgsql oar-node oar-user oar-user-pgsql postgresql"
           " openssh-server (make test SYSTEM=1 does)")
PROGRAMS = ("Almighty", "oarsub", "oarnodesetting", "sshd", "pg_ctlcluster")
ROOTS = ("oar",)
LINKS = (Path("/dev/cpuset"), Path("/dev/oar_cgroups_links"))     # that its job manager makes
SETTINGS = {
    "DB_BASE_PASSWD": "oar", "DB_BASE_PASSWD_RO": "oar_ro", "LOG_LEVEL": "3",
    "OPENSSH_CMD": "/usr/bin/ssh -p 6667 -e none -o StrictHostKeyChecking=no",
}


class Oar(Machine):
    """Its files are there; `begin` starts it."""

    def __init__(self):
        super().__init__()
        self._configure()

    def begin(self):
        """Start it; itself when it is ready."""
        self.start()
        self._start_database()
        self.run("mkdir", "/run/sshd", "/run/oar")
        self.run("chown", "oar", "/run/oar")
        self.run("oar-database", "-y", "--create", "--db-admin-user=postgres", "--db-admin-pass=none")
        self.daemon("/usr/sbin/sshd", "-D", "-e", "-f", "/etc/oar/sshd_config")
        self.daemon("Almighty")
        self.wait_for(lambda: self.attempt("oarstat").returncode == 0, "oarstat")
        for number in range(os.cpu_count()):
            self.run("oarnodesetting", "-a", "-h", HOST, "-p", "cpuset=%d" % number)
        self.wait_for(lambda: "Alive" in self.attempt("oarnodes", "-s").stdout, "node that is Alive")
        return self

    def _configure(self):
        self.copied("/var/lib/oar")
        path = self.copied("/etc/oar") / "oar.conf"
        text = path.read_text()
        for name, value in dict(SETTINGS, LOG_FILE=str(self.home / "oar.log")).items():
            text = re.sub("(?m)^%s=.*" % name, lambda _: '%s="%s"' % (name, value), text)
        path.write_text(text)       # owner and mode stay: the set-uid programs insist on them
        shadow = Path("/etc/shadow").read_text()
        # Without PAM sshd refuses who is locked ("!"), though it asks for no password.
        self.mounts["/etc/shadow"] = self.folder / "shadow"
        self.mounts["/etc/shadow"].write_text(re.sub("(?m)^oar:!*:", "oar:*:", shadow))
        self.mounts["/etc/shadow"].chmod(0o600)

    def _start_database(self):
        data = self.folder / "data"
        [*_, programs] = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        data.mkdir()
        self.run("chown", "postgres", data)
        self.run(programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", user="postgres")
        self.daemon(programs / "postgres", "-D", data, "-c", "unix_socket_directories=", "-c", "fsync=off",
                    user="postgres")
        self.wait_for(lambda: not self.attempt(programs / "pg_isready", "-h", "127.0.0.1").returncode, "database")

    def submit(self, script, *options, user):
        """Give `script`, text, to oarsub; the ids of its jobs, texts, one unless it is an array."""
        path = self.home / ("%s.sh" % time.monotonic_ns())
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        answer = self.run("oarsub", "-O", "%jobid%.log", "-E", "%jobid%.err", *options, path, user=user)
        return re.findall("(?m)^OAR_JOB_ID=([0-9]+)", answer)

    def over(self, job):
        """Whether `job` neither waits nor runs any more."""
        return re.search("(Terminated|Error)", self.attempt("oarstat", "-s", "-j", job).stdout)

    def close(self):
        super().close()
        remove(ROOTS)
        for link in LINKS:
            if link.is_symlink():
                link.unlink()
            elif link.exists():
                shutil.rmtree(link)

    def left(self):
        return super().left() + left(ROOTS) + [link for link in LINKS if os.path.lexists(link)]
