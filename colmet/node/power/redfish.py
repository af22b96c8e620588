"""Power by a BMC's Redfish service (DMTF's DSP0266 and DSP2046), over HTTPS: EnvironmentMetrics of each chassis, or
Power of older ones. Whoever answers is not trusted beyond its certificate: answers are bounded in bytes and time.
"""
import json
import math
import time

from colmet.node.backends import Unavailable
from colmet.node.clock import boottime
from colmet.node.power.options import HOSTNAME
from colmet.node.power.reading import UW, Counted, Reading, Silent, plausible

CHASSIS = "/redfish/v1/Chassis"
MOST_CHASSIS, MOST_PARTS = 16, 64
LONGEST = 2 ** 20           # bytes of an answer
NAME_LENGTH = 64            # of a chassis or a part, characters
PATIENCE = 10               # s for the parts of an answer, and for all of it
UJ_OF_KWH = 3600 * 1000 * UW
REFUSED = {401: "user or password is wrong; look into --redfish-credentials", 403: "this user may not see it"}


class Redfish:
    """The service of `options.redfish`. Raises Unavailable where what goes with it cannot be read."""

    name = "redfish"
    stop = staticmethod(lambda: None)       # a reading ends at its deadline

    def __init__(self, options):
        import requests     # 10 MB that a node without this option need not have
        self._error = requests.RequestException
        self._url = options.redfish.replace(HOSTNAME, options.hostname).rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False     # no proxy and no ~/.netrc
        self._session.auth = _credentials(options.redfish_credentials)
        self._session.verify = _certificates(options.redfish_ca) or True
        self._places, self._counted, self.whole = [], {}, ()

    def read(self):
        """{name: `Reading`}. Raises Silent."""
        found = {}
        try:
            self._places = self._places or list(self._look())
            for name, path, parse in self._places:
                for part, (watts, energy) in parse(self._get(path)).items():
                    found["redfish/%s%s" % (name, part)] = watts, energy
        except Silent:
            self._places = []       # it may have begun anew, with others
            raise
        if not found:
            raise Silent("%s: none of its chassis tells of power" % self._url)
        self.whole = tuple(found)[:1]
        return {name: self._reading(name, *values) for name, values in found.items()}

    def close(self):
        """Closes the connection."""
        self._session.close()

    def _reading(self, name, watts, energy):
        counted = self._counted.setdefault(name, Counted())
        return Reading(watts, *counted.take(energy, time.time_ns()), boottime())

    def _look(self):
        """Yield (name, path, parser) of each chassis that tells of power."""
        members = self._get(CHASSIS).get("Members")
        for member in (members if isinstance(members, list) else [])[:MOST_CHASSIS]:
            path = link(member)
            chassis = self._get(path) if path else {}
            for key, parse in (("EnvironmentMetrics", environment), ("Power", control)):
                place = link(chassis.get(key))
                if place and parse(self._get(place)):
                    yield printable(chassis.get("Id")) or path.rpartition("/")[2], place, parse
                    break

    def _get(self, path):
        """The object at `path`."""
        end = time.monotonic() + PATIENCE
        try:
            with self._session.get(self._url + path, timeout=PATIENCE, stream=True, allow_redirects=False) as answer:
                if answer.status_code != 200:
                    why = REFUSED.get(answer.status_code, "HTTP %d" % answer.status_code)
                    raise Silent("%s%s: %s" % (self._url, path, why))
                text = b""
                for piece in answer.iter_content(4096):
                    text += piece
                    if len(text) > LONGEST or time.monotonic() > end:
                        raise Silent("%s%s: its answer has no end" % (self._url, path))
            found = json.loads(text)
        except self._error as error:
            raise Silent("%s: %s" % (self._url, _why(error))) from None
        except (ValueError, RecursionError):
            raise Silent("%s%s: its answer is no JSON" % (self._url, path)) from None
        return found if isinstance(found, dict) else {}


def environment(answer):
    """{"": (W, uJ)} of EnvironmentMetrics, {} where it has neither."""
    watts, energy = (_number(answer.get(key), "Reading") for key in ("PowerWatts", "EnergykWh"))
    energy = None if energy is None else round(energy * UJ_OF_KWH)
    energy = energy if energy is None or energy < 2 ** 63 else None
    return {} if watts is None and energy is None else {"": (plausible(watts), energy)}


def control(answer):
    """{part: (W, None)} of each PowerControl of Power; the first is the chassis itself, ""."""
    parts, found = answer.get("PowerControl"), {}
    for place, part in enumerate((parts if isinstance(parts, list) else [])[:MOST_PARTS]):
        watts = plausible(_number(part, "PowerConsumedWatts"))
        name = printable(part.get("MemberId")) if isinstance(part, dict) else ""
        if watts is not None:
            found["/" + (name or str(place)) if place else ""] = watts, None
    return found


def link(value):
    """The path that a link has, None where it has none below /redfish/v1."""
    path = value.get("@odata.id") if isinstance(value, dict) else None
    fine = isinstance(path, str) and path.startswith(CHASSIS[:CHASSIS.rindex("/") + 1]) and len(path) < 256
    return path.rstrip("/") if fine and path.isprintable() and path.isascii() and " " not in path else None


def printable(value):
    """`value` as a part of a name, "" where it is none."""
    return "".join(each if each.isprintable() else "?" for each in value)[:NAME_LENGTH] \
        if isinstance(value, str) else ""


def _number(value, key):
    number = value.get(key) if isinstance(value, dict) else None
    fine = isinstance(number, (int, float)) and not isinstance(number, bool) and 0 <= number < 1e18
    return float(number) if fine and math.isfinite(number) else None


def _credentials(path):
    if not path:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable("--redfish-credentials %s: %s; give a file that colmet-node may read"
                          % (path, getattr(error, "strerror", None) or "no UTF-8")) from None
    user, colon, password = text.partition(":")
    if not user or not colon or "\n" in text:
        raise Unavailable("--redfish-credentials %s: wrong content; it must hold USER:PASSWORD in one line" % path)
    return user.encode(), password.encode()


def _certificates(path):
    if not path:
        return None
    import ssl
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:        # ssl.SSLError is one
        why = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror.lower()
        raise Unavailable("--redfish-ca %s: %s; give a file of PEM certificates" % (path, why)) from None
    return path


def _why(error):
    kind = type(error).__name__
    if kind == "SSLError":
        return "its certificate is not trusted; give --redfish-ca FILE"
    return "it did not answer within %d s" % PATIENCE if "Timeout" in kind else "it does not answer (%s)" % kind
