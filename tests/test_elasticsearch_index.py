"""Which index the documents go to: what is there is used, what lacks is made, and a site's own templates are obeyed."""
import pytest

import elastic_stub as stubs
from elastic_writer import go_on, journal, open_writer

INDEX = "p_taskstats_default"
TEMPLATE = "/_index_template/" + INDEX
SITE = {"name": "site", "index_template": {"index_patterns": ["p_task*"], "priority": 10, "template": {}}}


@pytest.fixture(name="stub")
def _stub():
    with stubs.Stub() as stub:
        yield stub


@pytest.fixture(name="store")
def _store(stub, tmp_path):
    """store(options...) has all of a journal stored; returns its directory."""
    def store(tries=1, **options):
        directory = journal(tmp_path)
        writer = open_writer(directory, stub.url, **options)
        state = go_on(writer, tries)
        assert state.error == "" and state.rejected == 0 and writer.behind() == 0
        return directory
    return store


def asked(stub, method):
    """Paths of the requests of this method."""
    return [path.split("?")[0] for each, path, _ in stub.requests if each == method]


def test_a_name_that_is_free_becomes_a_data_stream_by_a_template_of_that_name(stub, store):
    store()
    body = stub.templates[INDEX]
    assert body["index_patterns"] == [INDEX] and body["data_stream"] == {} and body["_meta"]["made_by"] == "colmet"
    assert asked(stub, "PUT") == [TEMPLATE] and len(stub.documents(INDEX)) == 8


def test_an_index_of_0_6_is_used_and_told_what_0_6_had_not(stub, store):
    stub.plain.add(INDEX)
    stub.mappings[INDEX] = {"timestamp": {"type": "date", "format": "epoch_second"}, "hostname": {"type": "text"}}
    stub.indices[INDEX] = {"auto-0": {"hostname": "old"}}
    stub.script = [stubs.cut()]
    store(2)
    assert asked(stub, "PUT")[0] == "/%s/_mapping" % INDEX and stub.templates == {}
    fields = stub.mappings[INDEX]
    assert fields["@timestamp"] == {"type": "date"} and fields["hostname"] == {"type": "text"}
    assert len(stub.documents(INDEX)) == 9 and not any("_search" in path for path in asked(stub, "POST"))


def test_a_plain_index_is_made_where_0_6_still_writes(stub, store):
    store(elastic_plain_index=True)
    assert asked(stub, "PUT") == ["/" + INDEX] and stub.templates == {}
    assert stub.mappings[INDEX]["timestamp"] == {"type": "date", "format": "epoch_second"}


@pytest.mark.parametrize("options", [{}, {"elastic_plain_index": True}], ids=["stream", "plain"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_template_of_the_site_is_never_overruled(stream, options, stub, store):
    body = dict(SITE["index_template"], **({"data_stream": {}} if stream else {}))
    stub.site_templates = [{"name": "site", "index_template": body}]
    store(**options)
    assert stub.templates == {} and len(stub.documents(INDEX)) == 8
    assert asked(stub, "PUT") == (["/" + INDEX] if options and not stream else [])


def test_a_template_of_the_site_that_has_our_name_stays(stub, store):
    stub.templates[INDEX] = dict(SITE["index_template"], data_stream={})
    store()
    assert stub.templates[INDEX] == dict(SITE["index_template"], data_stream={})


def test_a_template_that_does_not_fit_is_none_of_our_business(stub, store):
    stub.site_templates = [{"name": "site", "index_template": dict(SITE["index_template"], index_patterns=["q_*"])}]
    store()
    assert INDEX in stub.templates


def test_our_own_template_of_a_stream_that_exists_is_kept_fresh(stub, store):
    stub.streams.add(INDEX)
    stub.templates[INDEX] = {"index_patterns": [INDEX], "data_stream": {}, "_meta": {"made_by": "colmet"}}
    store()
    assert stub.templates[INDEX]["template"]["mappings"]["properties"]["job"]["type"] == "keyword"


def test_what_an_alias_rolls_over_is_looked_for_before_it_is_sent_again(stub, store):
    stub.aliases[INDEX] = INDEX + "-000001"
    stub.script = [stubs.cut()]
    store(2)
    assert any(path.endswith("/_refresh") for path in asked(stub, "POST"))


def test_a_time_series_makes_its_own_ids(stub, store):
    store(elastic_time_series=True)
    settings = stub.templates[INDEX]["template"]["settings"]
    assert (settings["index.mode"], settings["index.look_back_time"]) == ("time_series", "7d")
    assert all(name is None for _, name, _ in stub.bulks[0])


def test_a_stream_that_is_a_time_series_is_known_as_such(stub, store):
    stub.streams.add(INDEX)
    stub.settings[INDEX] = {"mode": "time_series"}
    store()
    assert all(name is None for _, name, _ in stub.bulks[0])


def test_a_stream_that_becomes_a_time_series_loses_nothing(stub, store):
    def becomes(handler, items):
        stub.streams.add(INDEX)
        stub.settings[INDEX] = {"mode": "time_series"}
        why = {"type": "document_parsing_exception", "reason": "_id must be unset or set to [a] but was [b]"}
        stubs.per_item([400] * len(items), why)(handler, items)
    stub.script = [becomes]
    store(2)
    assert len(stub.documents(INDEX)) == 8


@pytest.mark.parametrize("word, series", [("look_back_time", True), ("index.mode", False)])
def test_what_a_server_does_not_have_for_time_series_is_left_out(word, series, stub, store, capsys):
    stub.refuse = lambda body: "unknown setting [%s]" % word if word in str(body) else ""
    store(elastic_time_series=True)
    assert ("index.mode" in stub.templates[INDEX]["template"]["settings"]) == series
    assert capsys.readouterr().err.count("--elastic-time-series: the server refuses it") == (not series)


@pytest.mark.parametrize("probe", ["/_lifecycle/stats", "/_ilm/status"])
def test_retention_is_by_lifecycle_or_by_ilm(probe, stub, store):
    stub.missing = {"/_lifecycle/stats", "/_ilm/status"} - {probe}
    store(elastic_retention="90d")
    body = stub.templates[INDEX]["template"]
    if "lifecycle" in probe:
        assert body["lifecycle"] == {"data_retention": "90d"} and stub.policies == {}
    else:
        assert body["settings"]["index.lifecycle.name"] == INDEX + "-retention"
        [policy] = stub.policies.values()
        assert policy["policy"]["phases"]["delete"] == {"min_age": "90d", "actions": {"delete": {}}}


@pytest.mark.parametrize("options, words", [({}, "neither data stream lifecycles nor ILM"),
                                            ({"elastic_plain_index": True}, "has no effect on plain indices")],
                         ids=["server", "plain"])
def test_a_retention_that_cannot_be_is_said_once(options, words, stub, store, capsys):
    store(elastic_retention="90d", **options)
    said = capsys.readouterr().err
    assert said.count("--elastic-retention: ") == 1 and words in said and len(stub.documents(INDEX)) == 8


def test_a_refused_retention_is_said_once_and_left_out(stub, store, capsys):
    stub.missing = ()
    stub.refuse = lambda body: "no lifecycle here" if "lifecycle" in body["template"] else ""
    store(elastic_retention="90d")
    assert "lifecycle" not in stub.templates[INDEX]["template"]
    assert "--elastic-retention: the server refuses it (illegal_argument_exception: no life" in capsys.readouterr().err
