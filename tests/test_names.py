"""Names in the stores: nothing that comes over the wire leaves its folder, group or index."""
import re

import pytest

from colmet.common.names import MAX_BYTES, job_group, job_number, safe

HOSTILE = ["../x", "..", ".", "", "/etc/passwd", "a/b", "a\0b", "é", "job 1", "x" * 10000, "\ud800", "a\nb", "%s", "~"]


@pytest.mark.parametrize("text", ["4217", "123.4", "12[3]", "a-b_c", "dahu-1.site.org", "x@y", "x" * MAX_BYTES])
def test_a_usual_name_stays_as_it_is(text):
    assert safe(text) == text


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_a_hostile_name_becomes_harmless(text):
    name = safe(text)
    assert re.fullmatch(r"[A-Za-z0-9_.@\[\]-]{1,200}", name)
    assert name.strip(".")
    assert safe(name) == name


def test_hostile_names_never_meet():
    names = [safe(text) for text in HOSTILE + ["a_b", "job_1", "_", "x" * 9999]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("job, cluster, group", [
    ({"job": "4217"}, "", "job_4217"),
    ({"job": "0"}, "", "job_0"),
    ({"job": "123.4"}, "", "job_123.4"),
    ({"job": "12[3]"}, "dahu", "job_12[3]@dahu"),
    ({"job": "7", "user": "bob"}, "", "job_7"),
    ({"job": "7", "user": "bob", "twin": 1}, "", "job_7@bob"),
    ({"job": "7", "user": "bob", "twin": 1, "cluster": "luke"}, "dahu", "job_7@luke@bob"),
])
def test_the_group_of_a_job(job, cluster, group):
    assert job_group(job, cluster) == group


def test_a_long_job_id_still_fits_and_stays_apart():
    first, second = job_group({"job": "x" * 255}), job_group({"job": "x" * 254})
    assert len(first) <= MAX_BYTES and first != second


@pytest.mark.parametrize("text, number", [
    ("4217", 4217), ("123.4", 123), ("12[3]", 12), ("x7", -1), ("", -1), ("0", 0), ("9" * 30, int("9" * 18)),
])
def test_the_number_of_a_job_is_its_leading_digits(text, number):
    assert job_number(text) == number
