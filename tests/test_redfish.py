"""Power by Redfish: a BMC on loopback, with certificates and passwords right and wrong, and hostile answers."""
import json

import pytest

from colmet.common.options import Usage
from colmet.node.backends import Unavailable, power
from colmet.node.power.redfish import LONGEST, MOST_CHASSIS, UJ_OF_KWH, Redfish, control, environment, link
from colmet.node.power.reading import Silent
from colmet.node.settings import settings
from e2e.programs import wait_for
from elastic.certificates import Authority
from power_tree import Cray, close, meters, options
from redfish_bmc import PASSWORD, ROOT, USER, RedfishBmc, at, members, new, old


@pytest.fixture(name="authority", scope="module")
def _authority(tmp_path_factory):
    pytest.importorskip("requests", reason="needs requests")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(name="bmc")
def _bmc(authority):
    made = RedfishBmc(authority.issue("127.0.0.1"), old(224))
    yield made
    made.close()


@pytest.fixture(name="given")
def _given(bmc, authority, tmp_path):
    """The options that are right."""
    secret = tmp_path / "secret"
    secret.write_text("%s:%s\n" % (USER, PASSWORD), encoding="utf-8")
    return {"redfish": bmc.url, "redfish_credentials": str(secret), "redfish_ca": str(authority.file)}


def read(given, **others):
    """{meter: (W, uJ)} of a reading."""
    reader = Redfish(options(**dict(given, **others)))
    try:
        return {name: reading[:2] for name, reading in reader.read().items()}
    finally:
        reader.close()


def test_what_an_older_bmc_tells_is_found_back(bmc, given):
    reader = Redfish(options(**given))
    assert {name: reading[:2] for name, reading in reader.read().items()} == {
        "redfish/1": (224, None), "redfish/1/CPU": (80, None)}
    assert reader.whole == ("redfish/1",)
    asked = len(bmc.asked)
    bmc.answers[ROOT + "/1/Power"]["PowerControl"][0]["PowerConsumedWatts"] = 300.5
    assert reader.read()["redfish/1"].watts == 300.5 and bmc.asked[asked:] == [ROOT + "/1/Power"]
    reader.close()


def test_energy_of_a_newer_one_is_counted(bmc, given):
    bmc.answers = new(374, 325.675)
    reader = Redfish(options(**given))
    first = reader.read()
    assert {name: reading[:2] for name, reading in first.items()} == {"redfish/Self": (374, 0)}
    bmc.answers.update(new(380, 325.676))
    second = reader.read()["redfish/Self"]
    assert second.energy == pytest.approx(UJ_OF_KWH / 1000, abs=1000) and second.since == first["redfish/Self"].since
    bmc.answers.update(new(380, 0.5))
    assert reader.read()["redfish/Self"].energy == 0
    reader.close()


def test_the_name_of_the_node_may_be_in_the_url(bmc, given):
    url = bmc.url.replace("127.0.0.1", "{hostname}")
    assert read(given, redfish=url, hostname="127.0.0.1")["redfish/1"] == (224, None)


def test_a_wrong_password_is_told_and_not_shown(given, tmp_path):
    (tmp_path / "wrong").write_text("colmet:not-this-one")
    with pytest.raises(Silent, match="user or password is wrong; look into --redfish-credentials") as error:
        read(given, redfish_credentials=str(tmp_path / "wrong"))
    assert "not-this-one" not in str(error.value)


def test_a_certificate_of_nobody_that_is_known_is_not_trusted(bmc, given, tmp_path):
    for ca in (None, str(Authority(tmp_path, "other").file)):
        with pytest.raises(Silent, match="its certificate is not trusted; give --redfish-ca FILE"):
            read(given, redfish_ca=ca)
    assert bmc.asked == []


def test_a_certificate_of_another_name_is_not_trusted(authority, given):
    other = RedfishBmc(authority.issue("elsewhere.example.org"), old(1))
    try:
        with pytest.raises(Silent, match="its certificate is not trusted"):
            read(given, redfish=other.url)
        assert other.asked == []
    finally:
        other.close()


DEEP = b"[" * 500000
ANSWERS = {
    "no JSON": (ROOT, b"<html>", "its answer is no JSON"), "deep": (ROOT, DEEP, "its answer is no JSON"),
    "long": (ROOT, b" " * (LONGEST + 5000), "its answer has no end"), "gone": (ROOT, 404, "HTTP 404"),
    "error": (ROOT + "/1/Power", 500, "HTTP 500"), "elsewhere": (ROOT, 302, "HTTP 302"),
    "forbidden": (ROOT, 403, "this user may not see it"), "a list": (ROOT, [1], "none of its chassis"),
    "no members": (ROOT, {"Members": "x"}, "none of its chassis"),
    "members of no sense": (ROOT, {"Members": [None, 3, {"@odata.id": "http://other/"}, {"@odata.id": 5}]},
                            "none of its chassis"),
    "no power": (ROOT + "/1", {"Id": "1"}, "none of its chassis"),
    "power of no sense": (ROOT + "/1/Power", {"PowerControl": [{"PowerConsumedWatts": each} for each in (
        None, "12", True, -3, 1e30, [1])]}, "none of its chassis"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_no_sense_is_told(name, bmc, given):
    path, answer, words = ANSWERS[name]
    bmc.answers[path] = answer
    with pytest.raises(Silent, match=words):
        read(given)


def test_only_so_many_chassis_are_asked(bmc, given):
    bmc.answers = {ROOT: members(*map(str, range(1000)))}
    bmc.answers.update({"%s/%d" % (ROOT, number): {} for number in range(1000)})
    with pytest.raises(Silent):
        read(given)
    assert len(bmc.asked) == 1 + MOST_CHASSIS


def test_names_are_printable_and_short():
    parts = control({"PowerControl": [{"PowerConsumedWatts": 1}, {"PowerConsumedWatts": 2, "MemberId": "\x1b" * 999},
                                      {"PowerConsumedWatts": 3, "MemberId": 7}]})
    assert parts == {"": (1, None), "/" + "?" * 64: (2, None), "/2": (3, None)}


def test_numbers_of_no_sense_are_missing():
    assert environment({"PowerWatts": {"Reading": 1e7}, "EnergykWh": {"Reading": 2}}) == {"": (None, 2 * UJ_OF_KWH)}
    assert environment({"PowerWatts": {"Reading": float("nan")}, "EnergykWh": {"Reading": 1e17}}) == {}
    assert environment({"PowerWatts": 3, "EnergykWh": None}) == {}


@pytest.mark.parametrize("path", [None, 5, "", "/", "//evil/redfish/v1/", "/redfish/v2/x", "/redfish/v1/a b",
                                  "/redfish/v1/" + "x" * 300, "/redfish/v1/\n", "http://e/redfish/v1/"])
def test_links_to_elsewhere_are_not_followed(path):
    assert link({"@odata.id": path}) is None
    assert link(at("1/Power")) == ROOT + "/1/Power"


@pytest.mark.parametrize("option, text, words", [
    ("redfish_credentials", "just-a-word", "wrong content; it must hold USER:PASSWORD in one line"),
    ("redfish_credentials", "a:b\nc", "wrong content"), ("redfish_ca", "nothing", "holds no certificate; give a file"),
    ("redfish_credentials", None, "no such file"), ("redfish_ca", None, "no such file")])
def test_files_of_no_use_are_told_at_the_start(option, text, words, given, tmp_path):
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Unavailable, match="(?i)--%s %s: %s" % (option.replace("_", "-"), path, words)):
        Redfish(options(**dict(given, **{option: str(path)})))


@pytest.mark.parametrize("url, words", [
    ("http://bmc", "must be https://HOST"), ("https://colmet:secret@bmc", "put them in a file"),
    ("https://bmc/redfish", "must be https"), ("https://bmc:x", "must be https"), ("https:///", "must be https")])
def test_urls_of_no_use_are_refused(url, words):
    with pytest.raises(Usage, match=words):
        settings(["--redfish", url], ("power",))
    assert settings(["--redfish", "https://{hostname}-bmc:8443"], ("power",)).redfish


@pytest.mark.slow       # the opening waits for it, START s
def test_a_service_that_hangs_keeps_no_other_meter_waiting(bmc, given, tmp_path):
    Cray(tmp_path, fresh=False)
    bmc.go.clear()
    source = power.Backend(tmp_path, options(**given))
    assert "has not answered yet" in source.lacks["redfish"]
    for _ in range(20):
        assert {"cray/node", "cray/cpu", "cray/accel0"} == set(meters(source))
    bmc.go.set()
    wait_for(lambda: meters(source).get("redfish/1", {}).get("power") == 224, 60, "answer of the service")
    assert json.dumps(source.lacks) and source.reader == "cray, redfish"
    close(source)
