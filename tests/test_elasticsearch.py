"""The writer against a server that errs as told: nothing is lost, nothing stored twice, and each fault is one line."""
import json

import pytest

import elastic_stub as stubs
from colmet.collector.elasticsearch import state as states
from colmet.collector.elasticsearch.documents import Documents
from colmet.collector.entries import Entries
from colmet.common.journal import read
from e2e.programs import wait_for
from elastic_writer import end, go_on, journal, open_writer
from hdf5_batches import batch, write_journal

INDEX = "p_taskstats_default"
UNREAD = {      # a fault after which nobody knows what was stored
    "html_stored": stubs.page(stored=True), "html": stubs.page(502), "half": stubs.cut(), "nothing": stubs.cut(0),
    "503": stubs.status(503), "504_stored": stubs.page(504, stored=True),
    "strange": lambda h, _: h.answer(200, {"a": 1}),
    "fewer": lambda h, _: h.answer(200, {"errors": False, "items": []}), "list": lambda h, _: h.answer(200, [1]),
}


@pytest.fixture(name="stub")
def _stub():
    with stubs.Stub() as stub:
        yield stub


def expected(directory):
    """{id: document} that the journal in `directory` stands for."""
    maker, found = Documents("p_", Entries()), {}
    for entry in read(directory):
        for part in maker.of(entry):
            for each in part.split():
                found[each.id] = json.loads(each.data.splitlines()[1])
    return found


def all_stored(stub, directory):
    """Whether exactly the documents of the journal are stored, each once."""
    found = [(name, document) for kept in stub.indices.values() for name, document in kept.items()]
    return len(found) == len(dict(found)) and dict(found) == expected(directory) and stub.doubles == 0


def test_all_is_stored_and_the_position_says_so(stub, tmp_path):
    directory = journal(tmp_path)
    state = go_on(open_writer(directory, stub.url))
    assert all_stored(stub, directory) and len(stub.documents(INDEX)) == 8
    assert (state.position, state.stored, state.rejected, state.error) == (end(directory), 8, 0, "")
    assert states.load(directory) == state
    assert len(stub.bulks) == 1


def test_what_is_stored_is_not_sent_again_by_the_next_writer(stub, tmp_path):
    directory = journal(tmp_path)
    go_on(open_writer(directory, stub.url))
    write_journal(directory, [batch(9)])
    state = go_on(open_writer(directory, stub.url))
    assert [len(items) for items in stub.bulks] == [8, 1] and all_stored(stub, directory) and state.stored == 9


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("fault", UNREAD.values(), ids=UNREAD)
def test_an_answer_that_was_not_read_costs_and_doubles_nothing(fault, rolled, stub, tmp_path, caplog, capsys):
    directory = journal(tmp_path)
    stub.script = [fault]
    writer = open_writer(directory, stub.url)
    state = go_on(writer)
    assert state.position == 0 and state.error.startswith(stub.url)
    if rolled:
        stub.roll(INDEX)
    state = go_on(writer)
    assert all_stored(stub, directory) and state.position == end(directory) and state.error == ""
    [told] = caplog.messages
    assert told.endswith("until then the journal keeps what comes") and "\n" not in told
    assert capsys.readouterr().err == "colmet-collector: %s: stores again; nothing was lost\n" % stub.url


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("stored", [False, True])
def test_a_writer_killed_before_the_answer_doubles_nothing(stored, rolled, stub, tmp_path):
    directory = journal(tmp_path)
    stub.script = [stubs.cut() if stored else stubs.status(503)]
    go_on(open_writer(directory, stub.url))           # and it is killed now
    if rolled:
        stub.roll(INDEX)
    state = go_on(open_writer(directory, stub.url))
    assert all_stored(stub, directory) and state.position == end(directory)


def test_a_state_that_cannot_be_read_doubles_nothing(stub, tmp_path, caplog):
    directory = journal(tmp_path)
    go_on(open_writer(directory, stub.url))
    stub.roll(INDEX)
    (directory / states.STATE).write_text("{")
    go_on(open_writer(directory, stub.url))
    assert all_stored(stub, directory) and "cannot be read" in caplog.text


def test_an_answer_that_takes_too_long_was_not_read(stub, tmp_path):
    directory = journal(tmp_path)
    stub.script = [stubs.silent(3)]
    writer = open_writer(directory, stub.url, timeout=(5.0, 0.3))
    wait_for(lambda: go_on(writer).error and not stub.script, 60, "bulk that nobody answers in time")
    assert "no answer within" in writer.state.error
    stub.roll(INDEX)
    wait_for(lambda: not go_on(writer).error, 60, "answers that are in time")
    assert all_stored(stub, directory)


def test_items_that_the_server_had_no_room_for_are_sent_again_alone(stub, tmp_path):
    directory = journal(tmp_path)
    stub.script = [stubs.per_item([429, 201, 503, 409, 403, 404])]
    writer = open_writer(directory, stub.url)
    state = go_on(writer)
    assert (state.position, state.retried) == (0, 4)
    go_on(writer)
    assert [len(items) for items in stub.bulks] == [8, 4] and state.position == end(directory)
    again = {name for _, name, _ in stub.bulks[1]}
    assert again == {stub.bulks[0][place][1] for place in (0, 2, 4, 5)}
    assert (state.stored, state.rejected) == (8, 0)


def test_items_that_it_will_never_take_are_kept_with_the_reason(stub, tmp_path, caplog):
    directory = journal(tmp_path)
    why = {"type": "document_parsing_exception", "reason": "failed to parse", "caused_by": {"reason": "no number\n"}}
    stub.script = [stubs.per_item([400, 400], why)]
    state = go_on(open_writer(directory, stub.url))
    assert (state.stored, state.rejected, state.position) == (6, 2, end(directory))
    lines = [json.loads(line) for line in (directory / states.REJECTED).read_text().splitlines()]
    assert [line["id"] for line in lines] == [name for _, name, _ in stub.bulks[0][:2]]
    assert lines[0]["document"] == expected(directory)[lines[0]["id"]] and lines[0]["index"] == INDEX
    assert (lines[0]["status"], lines[0]["reason"]) == (
        400, "document_parsing_exception: failed to parse: no number")
    [said] = caplog.messages
    assert str(directory / states.REJECTED) in said and "\n" not in said


def test_the_file_of_rejected_documents_is_bounded(stub, tmp_path, monkeypatch):
    monkeypatch.setattr(states, "REJECTED_BYTES", 10)
    directory = journal(tmp_path)
    for tick in range(10, 13):
        write_journal(directory, [batch(tick)])
        stub.script = [stubs.per_item([400] * 20)]
        go_on(open_writer(directory, stub.url))
    names = sorted(path.name for path in directory.glob("elasticsearch.rejected*"))
    assert names == [states.REJECTED, states.REJECTED + ".1"]
    assert len((directory / states.REJECTED).read_text().splitlines()) == 1
    assert states.load(directory).rejected == 8 + 3


def test_a_server_that_is_busy_is_no_error(stub, tmp_path, caplog):
    directory = journal(tmp_path)
    stub.script = [stubs.status(429), stubs.per_item([429])]
    go_on(open_writer(directory, stub.url), 3)
    assert all_stored(stub, directory) and all(each.levelname == "WARNING" for each in caplog.records)


def test_requests_are_as_large_as_told(stub, tmp_path):
    directory = journal(tmp_path, ticks=40)
    go_on(open_writer(directory, stub.url, elastic_bulk_size=5000))
    assert len(stub.sizes) > 10 and max(plain for _, plain in stub.sizes) <= 8000 and all_stored(stub, directory)


def test_a_server_that_takes_small_requests_only_gets_small_ones(stub, tmp_path):
    directory = journal(tmp_path, ticks=40)

    def small(handler, items):
        stub.script.append(small)
        if len(items) > 9:
            handler.answer(413, b"<html>413 Request Entity Too Large</html>", "text/html")    # nginx, at 1 MB
        else:
            handler.store(items)
    stub.script = [small]
    state = go_on(open_writer(directory, stub.url), 6)
    assert all_stored(stub, directory) and (state.position, state.rejected) == (end(directory), 0)


def test_a_document_too_large_by_itself_is_rejected(stub, tmp_path):
    directory = journal(tmp_path, ticks=1, jobs=("7",))
    stub.script = [stubs.status(413)]
    state = go_on(open_writer(directory, stub.url))
    assert (state.rejected, state.position) == (1, end(directory))


def test_gzip_compresses_requests(stub, tmp_path):
    directory = journal(tmp_path, ticks=20)
    go_on(open_writer(directory, stub.url, elastic_gzip=True))
    [(sent, plain)] = stub.sizes
    assert sent < plain / 5 and all_stored(stub, directory)


def test_the_next_host_is_asked_when_one_is_away(stub, tmp_path):
    directory = journal(tmp_path)
    writer = open_writer(directory, "http://127.0.0.1:9", stub.url)
    assert "connection refused" in go_on(writer).error
    go_on(writer)
    assert all_stored(stub, directory)


def test_what_is_new_goes_when_it_is_as_old_as_the_period(stub, tmp_path):
    directory = journal(tmp_path)
    writer = open_writer(directory, stub.url, sample_period=10 ** 9)
    writer.work()
    assert stub.bulks == [] and writer.position == 0
    writer = open_writer(directory, stub.url, sample_period=0.1)
    writer.work()
    assert all_stored(stub, directory)


def test_a_pause_grows_and_never_is_the_same(stub, tmp_path):
    directory = journal(tmp_path)
    stub.script = [stubs.status(503)] * 20
    writer, pauses = open_writer(directory, stub.url), []
    for _ in range(12):
        go_on(writer)
        pauses.append(writer.pause())
    assert pauses[0] < 1.1 and 25 < pauses[-1] <= 60 and len(set(pauses)) == 12
    writer.work()
    assert len(stub.bulks) == 12        # the time has not come


def test_a_batch_larger_than_a_request_is_stored_whole(stub, tmp_path):
    directory = journal(tmp_path, ticks=1, jobs=tuple(map(str, range(1, 3001))))
    stub.script = [None, None, stubs.cut(), None]
    state = go_on(open_writer(directory, stub.url, elastic_bulk_size=200000))
    assert state.position < end(directory)
    stub.roll(INDEX)
    state = go_on(open_writer(directory, stub.url, elastic_bulk_size=200000))
    assert all_stored(stub, directory) and state.position == end(directory) and len(stub.documents()) == 3000
