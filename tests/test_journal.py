"""The journal: what was appended is read back, whatever happened to the process that wrote it."""
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from colmet.common.journal import LEGACY, NATIVE, SCHEMAS, Journal, Locked, read, segments, settle


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "x.journal"


def filled(directory, count, segment_bytes=2 ** 20):
    journal = Journal(directory, segment_bytes)
    for number in range(count):
        journal.append(NATIVE, b"entry %d" % number, arrival=number)
    return journal


def payloads(directory, position=0):
    return [entry.payload for entry in read(directory, position)]


def test_entries_come_back_as_they_were_appended(directory):
    journal = Journal(directory)
    ends = [journal.append(SCHEMAS, b"{}", 1), journal.append(NATIVE, b"", 2), journal.append(LEGACY, b"\0" * 999, 3)]
    entries = list(read(directory))
    assert [(e.kind, e.arrival, e.payload) for e in entries] == [(1, 1, b"{}"), (2, 2, b""), (3, 3, b"\0" * 999)]
    assert [entry.next for entry in entries] == ends and entries[0].position == 0
    assert journal.end == ends[-1]
    assert payloads(directory, ends[0]) == [b"", b"\0" * 999]
    assert payloads(directory, journal.end) == []


def test_arrival_is_the_wall_clock_where_none_is_given(directory):
    before = time.time_ns()
    Journal(directory).append(NATIVE, b"x")
    assert before <= next(read(directory)).arrival <= time.time_ns()


def test_there_is_nothing_to_read_before_the_first_entry(directory):
    assert payloads(directory) == []
    Journal(directory)
    assert payloads(directory) == []


def test_positions_grow_over_segments_and_none_is_lost_at_their_ends(directory):
    journal = filled(directory, 100, segment_bytes=200)
    assert len(segments(directory)) > 5
    entries = list(read(directory))
    assert [entry.payload for entry in entries] == [b"entry %d" % number for number in range(100)]
    assert all(a.next == b.position for a, b in zip(entries, entries[1:]))
    for entry in entries:
        assert next(read(directory, entry.position)) == entry
    assert journal.end == entries[-1].next


def test_segment_names_the_place_of_the_next_entry(directory):
    journal = Journal(directory, 100)
    for _ in range(20):
        foreseen = journal.segment
        position = journal.end
        journal.append(NATIVE, b"x" * 30)
        assert max(s for s in segments(directory) if s <= position) == foreseen


def test_opened_again_it_goes_on(directory):
    filled(directory, 3).close()
    journal = filled(directory, 2)
    assert payloads(directory) == [b"entry 0", b"entry 1", b"entry 2", b"entry 0", b"entry 1"]
    assert journal.cut == 0 and not journal.damaged


@pytest.mark.parametrize("lost", range(1, 24))
def test_an_unfinished_end_is_cut_at_opening(directory, lost):
    """Entries are 17 + 7 bytes here; any number of the last one's bytes may lack."""
    filled(directory, 3).close()
    path = next(directory.glob("*.journal"))
    os.truncate(path, path.stat().st_size - lost)
    journal = Journal(directory)
    assert journal.cut == 24 - lost
    journal.append(NATIVE, b"after")
    assert payloads(directory) == [b"entry 0", b"entry 1", b"after"]


def test_zeros_at_the_end_are_cut(directory):
    """A power failure can leave a file longer than what was written into it."""
    filled(directory, 2).close()
    with open(next(directory.glob("*.journal")), "ab") as file:
        file.write(b"\0" * 4096)
    assert Journal(directory).cut == 4096
    assert payloads(directory) == [b"entry 0", b"entry 1"]


def test_a_wrong_last_entry_is_cut(directory):
    filled(directory, 2).close()
    flip(next(directory.glob("*.journal")), -1)
    assert Journal(directory).cut == 24
    assert payloads(directory) == [b"entry 0"]


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 0xff
    path.write_bytes(data)


def test_damage_further_up_costs_the_rest_of_its_segment_and_is_told(directory):
    filled(directory, 30, segment_bytes=200).close()
    paths = sorted(directory.glob("*.journal"))
    flip(paths[1], 30)
    lost = []
    found = [entry.payload for entry in read(directory, 0, lambda *args: lost.append(args))]
    start = int(paths[1].name[:20])
    assert lost == [(start + 24, paths[1].stat().st_size - 24)]
    assert b"entry 0" in found and b"entry 29" in found and len(found) < 30


def test_damage_in_the_last_segment_is_not_taken_for_an_unfinished_end(directory):
    filled(directory, 5).close()
    path = next(directory.glob("*.journal"))
    flip(path, 30)
    size = path.stat().st_size
    journal = Journal(directory)
    assert journal.damaged and journal.cut == 0 and path.stat().st_size == size
    journal.append(NATIVE, b"after")
    assert payloads(directory) == [b"entry 0", b"after"]


def test_free_removes_whole_segments_and_reading_starts_at_the_oldest_left(directory):
    journal = filled(directory, 100, segment_bytes=200)
    wanted = list(read(directory))[50].position
    journal.free(wanted)
    first = next(read(directory, 0))
    assert 0 < first.position <= wanted < first.position + 300
    assert journal.start == first.position
    journal.free(journal.end)
    assert len(segments(directory)) == 1
    journal.append(NATIVE, b"last")
    assert payloads(directory)[-1] == b"last"


def test_advance_never_uses_a_position_again(directory):
    journal = filled(directory, 2)
    journal.advance(10)
    assert journal.end == 48
    journal.advance(10 ** 6)
    assert journal.append(NATIVE, b"far") == 10 ** 6 + 20
    journal.close()
    assert payloads(directory) == [b"entry 0", b"entry 1", b"far"]
    assert payloads(directory, 5 * 10 ** 5) == [b"far"]
    assert Journal(directory).end == 10 ** 6 + 20


def test_two_writers_never_share_a_journal(directory):
    journal = Journal(directory)
    with pytest.raises(Locked):
        Journal(directory)
    journal.close()
    Journal(directory).close()


def test_an_unusable_directory_is_an_error_of_the_system(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        Journal(tmp_path / "file")
    with pytest.raises(OSError):
        Journal("/proc/nothing/here")


def test_a_full_disk_leaves_the_journal_as_it_was(directory):
    """The limit on the size of files gives EFBIG in the middle of an entry, as a full disk gives ENOSPC."""
    journal = filled(directory, 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.end + 100, hard))
    try:
        with pytest.raises(OSError) as caught:
            journal.append(NATIVE, b"x" * 500)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.errno == errno.EFBIG
    assert next(directory.glob("*.journal")).stat().st_size == journal.end == 48
    journal.append(NATIVE, b"room again")
    assert payloads(directory) == [b"entry 0", b"entry 1", b"room again"]


WRITER = textwrap.dedent("""
    import sys
    from colmet.common.journal import Journal, NATIVE
    journal = Journal(sys.argv[1], 20000)
    number = 0
    while True:
        journal.append(NATIVE, b"%d " % number * 50)
        if number % 20 == 0:
            journal.sync()
            print(number, flush=True)
        number += 1
""")


def test_what_was_synced_is_there_after_kill_and_a_reader_follows_meanwhile(directory):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(directory)], stdout=subprocess.PIPE, text=True)
    durable, position, numbers = -1, 0, []
    try:
        while durable < 2000:
            durable = int(process.stdout.readline())
            for entry in read(directory, position):
                numbers.append(int(entry.payload.split()[0]))
                position = entry.next
    finally:
        process.kill()
        rest, _ = process.communicate()
    durable = int(rest.split()[-1]) if rest.endswith("\n") and rest.split() else durable
    numbers += [int(entry.payload.split()[0]) for entry in read(directory, position)]
    assert numbers == list(range(len(numbers))) and len(numbers) > durable
    journal = Journal(directory)
    assert len(payloads(directory)) >= durable and not journal.damaged


def test_a_reader_can_make_what_it_read_durable(directory):
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    filled(directory, 3).close()
    program = "import sys; from colmet.common.journal import settle; settle(sys.argv[1])"
    traced = subprocess.run(["strace", "-y", "-e", "trace=fdatasync", sys.executable, "-c", program, str(directory)],
                            capture_output=True, text=True, check=True)
    assert "%020d.journal>) = 0" % 0 in traced.stderr


def test_where_there_is_no_journal_nothing_is_to_be_made_durable(directory):
    settle(directory)
    assert not directory.exists()
