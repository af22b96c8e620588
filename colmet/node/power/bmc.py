"""Power by the management controller (BMC) of the machine, which is asked through the kernel's /dev/ipmiN (lib_ipmi).

The request is "Get Power Reading" of DCMI 1.5, 6.6.1: network function 2Ch (group extension), command 02h, group DCh,
mode 01h. Its answer: completion code, DCh, then little-endian watts now, least, most, mean (2 bytes each), the time,
the ms that these are of (4 bytes each), and a byte whose bit 6 says that power is measured.
"""
import errno
import os
import re
import struct

from colmet.node import compiled
from colmet.node.backends import Unavailable
from colmet.node.capabilities import give
from colmet.node.clock import boottime
from colmet.node.power.reading import Absent, Reading, Silent
from colmet.node.sysfs import natural

DEVICE = re.compile(r"ipmi\d+")
NONE_THERE = "no %s: no BMC, or without its driver; modprobe ipmi_si ipmi_devintf, or give --ipmipower-cmd or --redfish"
NOT_DCMI = "%s: the BMC does not tell its power by DCMI (it answered %s); give --ipmipower-cmd"
NETFN, COMMAND, GROUP = 0x2c, 0x02, 0xdc
REQUEST = bytes((GROUP, 1, 0, 0))
ANSWER = struct.Struct("<BBHHHHIIB")
ACTIVE = 0x40
LONGEST = 272               # bytes of an answer (linux/ipmi.h, IPMI_MAX_MSG_LENGTH)
DEADLINE = 5000             # ms; good BMCs answer in 10 to 200
LATER = {0xc0: "busy", 0xc3: "timeout", 0xd5: "not in this state", 0xff: "no reason"}     # IPMI 2.0, table 5-2


class Bmc:
    """The one of the device `path`. Raises Unavailable where this user may not open it, or the helper is not there."""

    def __init__(self, path):
        self.name = path.name
        self.whole = (self.name,)
        helper = compiled.load("_ipmi")
        self._ffi, self._lib, self._path, self._asked = helper.ffi, helper.lib, path, 0
        self._answer = self._ffi.new("uint8_t[]", LONGEST)
        self._fd = self._lib.ipmi_open(os.fsencode(path))
        if self._fd in (-errno.EACCES, -errno.EPERM):
            raise Unavailable("%s: permission denied; %s" % (path, give("CAP_DAC_OVERRIDE")))
        if self._fd < 0:
            raise Unavailable("%s: %s; look for it in dmesg" % (path, os.strerror(-self._fd).lower()))

    def read(self):
        """{its name: `Reading`}. Raises Silent, Unavailable where it has no such reading, and OSError."""
        self._asked = (self._asked + 1) % 2 ** 31
        got = self._lib.ipmi_ask(self._fd, self._asked, NETFN, COMMAND, REQUEST, len(REQUEST), DEADLINE, self._answer,
                                 LONGEST)
        if got == -errno.ETIMEDOUT:
            raise Silent("%s: the BMC did not answer within %d s; reset it: ipmitool mc reset cold"
                         % (self._path, DEADLINE // 1000))
        watts = parse(bytes(self._ffi.buffer(self._answer, compiled.check(got))), self._path)
        return {self.name: Reading(float(watts), None, None, boottime())}

    def stop(self):
        """A reading ends by itself, at its deadline."""

    def close(self):
        """Closes the device."""
        os.close(self._fd)


def found(root):
    """Yield those of the machine below `root`. Raises Unavailable."""
    try:
        names = sorted(filter(DEVICE.fullmatch, os.listdir(root / "dev")), key=natural)
    except OSError:
        names = []
    if not names:
        raise Absent(NONE_THERE % (root / "dev" / "ipmi0"))
    for name in names:
        yield Bmc(root / "dev" / name)


def parse(answer, place):
    """Watts from the answer (bytes) of the device `place`. Raises Silent, and Unavailable where it is refused."""
    code = answer[0] if answer else None
    if code in LATER:
        raise Silent("%s: the BMC has no answer now (%02x, %s)" % (place, code, LATER[code]))
    if code != 0:
        raise Unavailable(NOT_DCMI % (place, "nothing" if code is None else "%02x" % code))
    if len(answer) < ANSWER.size or answer[1] != GROUP:
        raise Unavailable(NOT_DCMI % (place, "%d bytes of no sense" % len(answer)))
    _, _, now, _, _, _, _, _, state = ANSWER.unpack_from(answer)
    if not state & ACTIVE or not now:       # some say 0 W where they do not measure
        raise Silent("%s: the BMC does not measure power now; ipmitool dcmi power activate" % place)
    return now
