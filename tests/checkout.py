"""Where the checkout is, and the skips that CI expects there."""
from fnmatch import fnmatchcase
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
EXPECTED = Path(__file__).with_name("expected-skips")


def expected():
    """The lines of ``tests/expected-skips``."""
    return EXPECTED.read_text().splitlines()


def unexpected(found, lines):
    """Those of the skips `found`, pairs (test, reason), that no pattern of `lines` ("TEST: REASON", as in a shell;
    # begins a comment) matches."""
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    texts = ["%s: %s" % skip for skip in found]
    return [text for text in texts if not any(fnmatchcase(text, pattern) for pattern in patterns)]
