"""The recorded messages of Colmet 0.6, and the records in them."""
from pathlib import Path

from colmet.common import wire06
from colmet.common.metrics import TABLES

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "0.6"
MESSAGES = sorted(GOLDEN.glob("*/*.bin.gz"))
NVIDIA = "nvidiastats_default"      # its first record ends a collector of 0.6


def records(message):
    """(name of the table, record) of each record of a message."""
    place = 0
    while place < len(message):
        name = message[place:place + wire06.NAME_BYTES].rstrip(b"\0").decode()
        end = place + wire06.layout(TABLES[name]).size
        yield name, message[place:end]
        place = end
