"""What is asked of the machine is kept, and answered again without it, to each thread and in the same order."""
import errno
import fcntl
import os
import pwd
import select
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import cffi
import pytest

from colmet.node import compiled
from colmet.node.numbers import Firsts
from colmet.node.tape import player
from colmet.node.tape.calls import Installed
from colmet.node.tape.player import Player
from colmet.node.tape.recorder import Recorder
from colmet.node.tape.recording import Reader
from colmet.node.tape.tape import Diverged, Ended


@contextmanager
def on(tape):
    """This thread on the tape, all functions replaced."""
    tape.join(0)
    tape.source = "test"
    installed = Installed(tape)
    try:
        yield tape
    finally:
        installed.remove()
        tape.close()


def recorded(folder, work, most=10):
    """What `work()` gave while it was recorded into `folder`."""
    with on(Recorder(str(folder), most, ["-s", "1"])):
        return work()


def replayed(folder, work):
    """What it gives of the recording."""
    with on(Player(Reader(str(folder)))):
        return work()


def raised(work):
    """What `work` raises, as text."""
    try:
        work()
    except (OSError, LookupError, AttributeError, subprocess.SubprocessError) as error:
        return error.__class__, str(error)
    return None


@pytest.fixture(name="tree")
def _tree(tmp_path):
    """A few files."""
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "text").write_text("one\ntwo\n")
    (tree / "raw").write_bytes(bytes(range(256)))
    (tree / os.fsdecode(b"odd\xff")).write_text("")
    (tree / "link").symlink_to("inner")
    return tree


def of_descriptors(tree):
    """What can be asked by os.open."""
    fd = os.open(tree / "raw", os.O_RDONLY)
    found = [os.read(fd, 7), os.pread(fd, 9, 100), os.read(fd, 3), os.fstat(fd), fcntl.flock(fd, fcntl.LOCK_SH)]
    os.close(fd)
    return found + [raised(lambda: os.open(str(tree / "none"), os.O_RDONLY))]


def of_files(tree):
    """What can be asked by open() and pathlib."""
    with open(tree / "text") as file:
        lines = [file.readline()] + list(file)
    with open(str(tree / "raw"), "rb") as file:
        parts = [file.read(10), file.read(), file.read(), os.fstat(file.fileno()).st_size]
    with open(tree / "made", "w") as file:
        file.write("x")
    return [lines, parts, (tree / "text").read_text(), (tree / "raw").read_bytes(), (tree / "none").exists(),
            (tree / "inner").is_dir(), sorted(tree.iterdir()), sorted(tree.glob("t*")), (tree / "link").resolve(),
            (tree / "text").stat(), raised((tree / "none").read_text), raised(lambda: open(tree / "inner").read())]


def of_folders(tree):
    """What can be asked of directories."""
    with os.scandir(tree) as entries:
        seen = sorted((each.name, each.path, each.is_dir(), each.is_dir(follow_symlinks=False), each.is_symlink(),
                       each.inode(), each.stat().st_mode) for each in entries)
    return [seen, sorted(os.listdir(str(tree))), os.path.realpath(tree / "link"), os.path.isdir(str(tree)),
            os.readlink(tree / "link"), os.lstat(tree / "link"), sorted(map(str, os.walk(tree))), os.statvfs(tree),
            os.access(tree, os.W_OK), raised(lambda: os.listdir(tree / "none")), raised(lambda: os.stat(tree / "no"))]


def of_the_machine(tree):
    """What else can be asked."""
    words = [sys.executable, "-c", "print(4711)"]
    return [time.time_ns(), time.monotonic(), time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.thread_time_ns(),
            os.urandom(8), pwd.getpwuid(0), raised(lambda: pwd.getpwnam("no such user")), os.cpu_count(),
            os.sched_getaffinity(0), subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout,
            raised(lambda: subprocess.run([str(tree / "none")], check=False))]


def of_programs(tree):
    """What can be asked of other programs."""
    script = "import sys; print(sys.stdin.readline(), end=''); sys.exit(3)"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b"question\n")
    process.stdin.close()
    found = [process.pid, select.select([process.stdout], [], [], 60)[0] == [process.stdout]]
    with process.stdout as out:
        found.append(os.read(out.fileno(), 100))
    found += [os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT) is None, process.wait(), process.returncode]
    process = subprocess.Popen(["sleep", "1000"])
    os.kill(process.pid, 9)
    return found + [process.poll() in (None, -9), process.wait(), shutil.which("sh"), shutil.which(str(tree / "none")),
                    raised(lambda: subprocess.Popen([str(tree / "none")]))]


def of_libraries(tree):
    """What can be asked of a library that is opened."""
    ffi = cffi.FFI()
    lib = ffi.dlopen(None)
    ffi.cdef("""int gethostname(char *, size_t); int getloadavg(double *, int); char *strsignal(int);
                int no_such_function(void); int clock_gettime(int, struct timespec *);
                typedef struct file_st *file_t; file_t tmpfile(void); int fputs(char *, file_t); long ftell(file_t);
                int fclose(file_t);
                struct timespec { long s, ns; };
#define NUMBER 7
             """)
    name, load, now = ffi.new("char[]", 100), ffi.new("double[]", 3), ffi.new("struct timespec *")
    found = [lib.gethostname(name, 100), ffi.string(name), lib.getloadavg(load, 3), list(load), lib.NUMBER,
             lib.clock_gettime(time.CLOCK_MONOTONIC, now), now.s, now.ns, ffi.string(lib.strsignal(9))]
    file = lib.tmpfile()
    found += [lib.fputs(b"four", file), lib.ftell(file), lib.fclose(file), bool(file)]
    return found + [raised(lambda: lib.no_such_function), raised(lambda: ffi.dlopen(str(tree / "none.so")))]


def of_numbers(tree):
    """What can be asked of files of one number: of a device that sleeps, of what was removed."""
    for name, text in (("number", "-7\n"), ("words", "N/A\n"), ("state", "suspended\n")):
        with open(tree / name, "w") as file:
            file.write(text)
    fds = [os.open(tree / name, os.O_RDONLY) for name in ("number", "words", "state")]
    with closing(Firsts(compiled.load("_files"), alone=True)) as firsts:
        found = firsts.read(fds) + firsts.read(fds, [fds[2], fds[1], -1])
        os.unlink(tree / "number")
        found += firsts.read(fds) + firsts.read([fds[1], -1], [fds[0], fds[0]])
    for fd in fds:
        os.close(fd)
    return found


def test_numbers_that_are_recorded_are_those_of_the_files(tmp_path, tree):
    sleeps, removed = (None, errno.EAGAIN), (None, errno.ENODEV)
    found = recorded(tmp_path / "kept", lambda: of_numbers(tree))
    assert found == of_numbers(tree) == [(-7, 0), (None, 0), (None, 0), sleeps, (None, 0), (None, 0), removed,
                                         (None, 0), (None, 0), removed, (None, 0)]


@pytest.mark.parametrize("work", [of_descriptors, of_files, of_folders, of_the_machine, of_programs, of_libraries,
                                  of_numbers])
def test_the_same_answers_come_without_the_machine(tmp_path, tree, work):
    found = recorded(tmp_path / "kept", lambda: work(tree))
    shutil.rmtree(tree)
    assert replayed(tmp_path / "kept", lambda: work(tree)) == found
    assert not tree.exists()                        # what was written then went nowhere


def test_afterwards_all_is_as_before(tmp_path, tree):
    before = os.open, open, Path.exists, threading.Lock, select.poll, time.time
    recorded(tmp_path / "kept", lambda: of_files(tree))
    replayed(tmp_path / "kept", lambda: of_files(tree))
    assert before == (os.open, open, Path.exists, threading.Lock, select.poll, time.time)


def test_a_file_that_can_be_opened_and_not_read_fails_there_again(tmp_path):
    def work():
        fd = os.open("/proc/self/mem", os.O_RDONLY)
        try:
            return raised(lambda: os.pread(fd, 10, 0))
        finally:
            os.close(fd)
    found = recorded(tmp_path / "kept", work)
    assert found[0] is OSError and "[Errno %d]" % errno.EIO in found[1]
    assert replayed(tmp_path / "kept", work) == found


def test_poll_tells_of_the_same_descriptors(tmp_path):
    pipes = os.pipe(), os.pipe()
    os.write(pipes[1][1], b"x")

    def work():
        poll = select.poll()
        poll.register(pipes[0][0], select.POLLIN)
        poll.register(pipes[1][0], select.POLLIN)
        return poll.poll(0)
    found = recorded(tmp_path / "kept", work)
    os.read(pipes[1][0], 1)
    assert found == [(pipes[1][0], select.POLLIN)] == replayed(tmp_path / "kept", work)
    for fd in pipes[0] + pipes[1]:
        os.close(fd)


def test_another_order_is_answered_and_less_too(tmp_path, tree):
    recorded(tmp_path / "kept", lambda: [os.stat(tree), os.path.exists("/none"), (tree / "text").read_text()])
    shutil.rmtree(tree)
    assert replayed(tmp_path / "kept", lambda: [(tree / "text").read_text(), os.path.exists("/none")]) \
        == ["one\ntwo\n", False]


def test_what_was_not_asked_for_is_named(tmp_path):
    recorded(tmp_path / "kept", lambda: os.path.exists("/none"))
    with on(Player(Reader(tmp_path / "kept"))) as tape:
        tape.ticks = 3
        with pytest.raises(Diverged):
            os.stat("/proc/self")
        with pytest.raises(Ended):                  # nobody gets an answer any more
            os.path.exists("/none")
    assert tape.fault == ("test, tick 3: asks for os.stat of ('/proc/self',), which the recording does not have there; "
                          "next in it is posixpath.exists of ('/none',)")


def test_who_never_asks_does_not_hold_up_the_replay_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(player, "STANDS_STILL", 0.1)

    def work(names):
        threads = [threading.Thread(target=lambda: os.path.exists("/none")) for _ in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    recorded(tmp_path / "kept", lambda: work("ab"))
    with on(Player(Reader(tmp_path / "kept"))) as tape, pytest.raises(SystemExit):
        threading.Thread(target=list).start()
        time.time()
    assert "which the recording does not have" in tape.fault or "stands still" in tape.fault
