"""What may be wrong with --hdf5-filepath: one line each that names the file and the remedy, and nothing is changed."""
import gzip
import os
import subprocess
import sys
from types import SimpleNamespace

import h5py
import pytest

from colmet.collector.hdf5 import writer as hdf5
from colmet.collector.hdf5 import target as hdf5_target
from colmet.collector.hdf5.target import Refused, check_target
from conftest import CHECKOUT
from hdf5_batches import batch, settings, store, write_journal

LEGACY = CHECKOUT / "tests" / "golden" / "0.6" / "legacy_z5.hdf5.gz"
BAD = (     # path, what makes it, part of the line
    ("x/colmet", lambda folder: None, "no directory {0}/x; make it, or give another path"),
    ("x/c.hdf5", lambda folder: None, "no directory {0}/x; make it, or give another path"),
    ("c.hdf5", lambda folder: (folder / "c.hdf5").mkdir(), "is a directory; give the name of a file in it"),
    ("sub/", lambda folder: (folder / "sub").mkdir(), "is a directory; give the name of a file in it"),
    ("c.hdf5", lambda folder: (folder / "c.hdf5").write_bytes(b"PK\3\4zip"),
     '{0}/c.hdf5 is not an HDF5 file (starts with "PK"); nothing was changed'),
    ("c.hdf5", lambda folder: (folder / "c.hdf5").write_bytes(b"\xff\xfe\0\1"), "(starts with bytes ff fe 00 01)"),
    ("c.hdf5", lambda folder: (folder / "c.hdf5").write_bytes(b""), "(it is empty); nothing was changed"),
    ("c.hdf5", lambda folder: os.mkfifo(folder / "c.hdf5"), "is no regular file; give another path"),
    ("c.hdf5", lambda folder: (folder / "c.hdf5").write_bytes(hdf5_target.SIGNATURE + b"x" * 900),
     "c.hdf5 is damaged: HDF5 cannot open it; move it away"),
)


@pytest.mark.parametrize("name,make,line", BAD, ids=[line for _, _, line in BAD])
def test_an_unusable_path_is_refused_and_left_as_it_is(tmp_path, name, make, line):
    make(tmp_path)
    before = {path: path.stat().st_size for path in tmp_path.iterdir()}
    with pytest.raises(Refused) as refusal:
        hdf5.open_store(settings("%s/%s" % (tmp_path, name)))
    assert line.format(tmp_path) in str(refusal.value) and "\n" not in str(refusal.value)
    after = {path: path.stat().st_size for path in tmp_path.iterdir() if not path.name.endswith(".lock")}
    assert after == before


def test_a_folder_without_right_to_write_is_refused(tmp_path):
    tmp_path.chmod(0o555)
    code = "import os, sys; from colmet.collector.hdf5.target import check_target; os.chdir(sys.argv[1]); " \
           "os.geteuid() == 0 and (os.setgroups([]), os.setgid(65534), os.setuid(65534)); check_target('c')"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, cwd=CHECKOUT)
    tmp_path.chmod(0o755)
    assert "no right to write in %s" % tmp_path in done.stderr


def test_a_path_without_a_folder_is_one_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_journal(tmp_path / "journal", [batch(1)])
    for path in ("colmet", "c.hdf5"):
        check_target(path)
        store(path, tmp_path / "journal")
    assert len(list(tmp_path.glob("colmet.*.hdf5"))) == 1 and (tmp_path / "c.hdf5").exists()


def test_a_file_that_a_collector_of_0_6_holds_is_refused(tmp_path):
    path = tmp_path / "c.hdf5"
    path.write_bytes(gzip.decompress(LEGACY.read_bytes()))
    code = "import sys, tables; file = tables.open_file(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"
    environ = {name: value for name, value in os.environ.items() if name != "HDF5_USE_FILE_LOCKING"}
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=environ) as holder:
        assert holder.stdout.readline() == b"open\n"
        before = path.read_bytes()
        with pytest.raises(Refused, match="held open for writing by process %d" % holder.pid):
            hdf5.open_store(settings(path))
        assert path.read_bytes() == before
        holder.stdin.close()


def test_two_writers_of_one_path_are_one_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "LOCK_LIMIT", 0.2)
    lock, _ = hdf5.open_store(settings(tmp_path / "w"))
    with pytest.raises(Refused, match="is being written by process %d" % os.getpid()):
        hdf5.open_store(settings(tmp_path / "w"))
    os.close(lock)


@pytest.mark.parametrize("name,line", [("blosc:nothing", "--hdf5-complib blosc:nothing: "),
                                       ("lzo", "--hdf5-complib lzo: this PyTables was built without it; use zlib")])
def test_a_compressor_that_is_not_there_is_refused(tmp_path, name, line):
    try:
        lock, _ = hdf5.open_store(settings(tmp_path / "w", hdf5_complib=name))
    except Refused as refusal:
        assert line in str(refusal)
    else:
        os.close(lock)
        pytest.skip("needs a PyTables without " + name)


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    for name in (".w.5.hdf5.tmp", ".w.hdf5.tmp", ".w.x.hdf5.tmp", ".v.5.hdf5.tmp", "w.5.hdf5.tmp", ".c.hdf5.tmp"):
        (tmp_path / name).write_bytes(b"")
    for path in ("w", "c.hdf5"):
        os.close(hdf5.open_store(settings(tmp_path / path))[0])
    left = {path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")}
    assert left == {".w.hdf5.tmp", ".w.x.hdf5.tmp", ".v.5.hdf5.tmp", "w.5.hdf5.tmp"}


def test_files_of_others_are_no_windows(tmp_path):
    for name in ("w.5.hdf5", "w.12.hdf5", "w.hdf5", "w.x.hdf5", "ww.3.hdf5", "w.5.hdf5.bak", "w.journal"):
        with h5py.File(tmp_path / name, "w"):
            pass
    assert [path.name for path in hdf5_target.timed(tmp_path / "w")] == ["w.5.hdf5", "w.12.hdf5"]
    assert [path.name for path in hdf5_target.timed(tmp_path / "w.hdf5")] == ["w.5.hdf5", "w.12.hdf5"]
    assert hdf5.open_store(settings(tmp_path / "w"))[1].position == 0


def test_the_check_needs_no_h5py():
    code = "import sys; import colmet.collector.hdf5.target; assert not {'h5py', 'numpy', 'tables'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=CHECKOUT)


def test_run_refuses_by_a_word_on_the_pipe(tmp_path):
    said = []
    hdf5.run(settings(tmp_path / "x" / "w"), tmp_path / "journal", SimpleNamespace(send=said.append))
    assert said[0][0] == "refused" and "no directory %s" % (tmp_path / "x") in said[0][1]
