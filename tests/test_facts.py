"""What is known of a job beside its values: user, cluster, scheduler and steps, from a node's batches to each store."""
import json

import h5py
import pytest

from colmet.collector.elasticsearch.documents import Documents
from colmet.collector.entries import Entries
from colmet.collector.stdout import lines
from colmet.common import wire
from colmet.common.facts import MOST_STEPS, job_facts, joined_steps, named_steps, steps_text
from colmet.common.journal import NATIVE, Entry
from colmet.common.metrics import TABLES
from colmet.node.draft import Draft
from colmet.node.jobs.job import Job
from e2e.stored import files
from hdf5_batches import SECOND, T0, batch, store, write_journal

KNOWN = {table.fingerprint: table for table in TABLES.values()}
JOB = {"job": "7", "user": "alice", "scheduler": "slurm", "steps": ["batch", "0"]}
EVERYTHING = {"user": "alice", "scheduler": "slurm", "steps": "batch,0", "cluster": "dahu"}


def attributes(path):
    """Those of the job's group, texts, PyTables' own left out."""
    with h5py.File(path) as file:
        return {name: value.decode() for name, value in file["job_7@dahu"].attrs.items() if name.islower()}


def test_steps_are_words_then_numbers_and_not_too_many():
    assert named_steps({"10", "9", "extern", "batch", "9" * 30, "\u0662"}) == [
        "9" * 30, "batch", "extern", "\u0662", "9", "10"]
    assert named_steps(map(str, range(1000))) == [str(number) for number in range(MOST_STEPS)]


def test_steps_as_text_are_joined_each_once():
    assert steps_text(["a,b", "batch"]).count(",") == 1
    assert joined_steps("batch,0", "") == "batch,0" == joined_steps("batch,0", "batch,0")
    assert joined_steps("extern,1", "batch,0,1") == "batch,extern,0,1"


def test_what_is_not_known_is_no_fact():
    assert job_facts({"job": "7", "user": "", "steps": []}) == {}
    assert job_facts({"job": "7", "cluster": "own", "steps": ["0"] * 99}, "dahu") == {
        "cluster": "own", "steps": ["0"] * MOST_STEPS}


def test_steps_go_with_the_rows_of_a_node_whatever_they_are_called():
    job = Job("7", user="alice", scheduler="slurm")
    job.steps.update(["0", "batch", "\ufffd" * 250])
    table = TABLES["jobprocstats_default"]
    draft = Draft([job], {table.name})
    draft.add({table.name: [(job, "", [1] * len(table.metrics))]})
    back, faults = wire.unpack(wire.pack(draft.batch("n", "", 1, 1, 1, 1)), KNOWN)
    assert not faults and back.jobs[1] == dict(JOB, steps=["batch", "\ufffd" * 85, "0"])


def test_a_key_of_a_job_that_this_release_does_not_know_costs_nothing():
    sent = batch(1, [dict(JOB, colour=["red", 5])])
    back, faults = wire.unpack(wire.pack(sent), KNOWN)
    assert not faults and back == sent


@pytest.mark.parametrize("steps", ["batch", {"0": 1}, [5], ["x" * 256], 7, None])
def test_steps_that_are_none_make_the_header_malformed(steps):
    with pytest.raises(wire.Malformed):
        wire.unpack(wire.pack(batch(1, [dict(JOB, steps=steps)])), KNOWN)


def test_a_window_has_what_any_node_told_at_any_time(tmp_path):
    told = [batch(1, [{"job": "7"}], cluster="dahu"), batch(2, [JOB], cluster="dahu"),
            batch(1, [{"job": "7", "steps": ["extern", "0", "1"]}], "node-2", cluster="dahu")]
    write_journal(tmp_path / "journal", told, arrival=T0 * SECOND)
    store(tmp_path / "w", tmp_path / "journal")
    assert attributes(files(tmp_path)[0]) == dict(EVERYTHING, steps="batch,extern,0,1")


@pytest.mark.parametrize("library", ["zlib", "blosc"])
def test_a_file_that_is_continued_learns_more(tmp_path, library):
    path, journal = tmp_path / "c.hdf5", tmp_path / "journal"
    for place, job in enumerate(({"job": "7"}, JOB, dict(JOB, steps=["extern", "0"]), {"job": "7"})):
        write_journal(journal, [batch(place, [job], cluster="dahu")])
        store(path, journal, hdf5_complib=library)
    assert attributes(path) == dict(EVERYTHING, steps="batch,extern,0")
    with h5py.File(path) as file:
        assert len(file["job_7@dahu/taskstats_default"]) == 4


def test_documents_have_fields_of_their_own_for_it():
    maker = Documents("p_", Entries())
    for table in (TABLES["cgroup"], TABLES["taskstats_default"]):
        made = batch(1, [JOB, "8"], table=table, cluster="dahu")
        [part] = maker.of(Entry(0, 1, NATIVE, 1, wire.join(wire.pack(made))))
        one, two = [json.loads(each.data.splitlines()[1]) for each in part.split()]
        found = {"job_user": "alice", "job_scheduler": "slurm", "job_steps": ["batch", "0"], "cluster": "dahu"}
        assert {name: one[name] for name in found} == found
        assert set(one) - set(two) == set(found) - {"cluster"}
        assert set(found) < set(part.layout.properties())


def test_lines_of_new_tables_tell_it_and_those_of_0_6_stay():
    [text] = lines(batch(1, [JOB], table=TABLES["job"], cluster="dahu"))
    assert [line.split() for line in text.splitlines()[1:5]] == [
        ["cluster", ":", "dahu"], ["job_user", ":", "alice"], ["job_scheduler", ":", "slurm"],
        ["job_steps", ":", "batch,0"]]
    [old] = lines(batch(1, [JOB], cluster="dahu"))
    assert "alice" not in old
