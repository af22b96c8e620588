"""Guests that have hardware, and boot the kernel that knows it:

    BMC             simulated by qemu: /dev/ipmi0, by the drivers ipmi_si and ipmi_devintf
    power meter     told of by the firmware (``sensors.asl``): a chip of hwmon, whose power1_average is in the folder
                    ``device`` of it, as the driver acpi_power_meter makes it
    thermal zone    told of likewise: /sys/class/thermal, and a chip of hwmon of its own
    disks           of NVMe: a chip of hwmon for each, with its temperature
    energy          of two packages, by our own module (``energy/energy.c``), as no processor of qemu without KVM counts
                    it: zones of powercap, and the PMU "power"
"""
import shutil
import subprocess
from pathlib import Path

from lab import guest
from lab.kernel import CACHE, Absent, Kernel

FOLDER = CACHE / "hardware"
TABLE = Path(__file__).with_name("sensors.asl")
ENERGY = "energy"
MODULES = ("nvme", "ipmi_si", "ipmi_devintf", "acpi_power_meter", ENERGY)
PROCESSORS = "2,sockets=2"
BMC = ("-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc")


def lacking():
    """What this machine lacks for a guest with hardware; "" where nothing does."""
    try:
        if not Kernel(FOLDER).modules([ENERGY]):
            return "needs the module of tests/lab/energy: make lab makes it, where there are make and gcc"
    except Absent as reason:
        return "needs %s" % reason
    return guest.lacking() or ("" if shutil.which("iasl") else "needs iasl: apt install acpica-tools")


def equipped(folder, image, bmc=BMC, **options):
    """A `guest.Guest` with all that; `bmc` are qemu's arguments for another BMC."""
    made = Path(folder) / "sensors"
    subprocess.run(["iasl", "-p", str(made), str(TABLE)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    devices = bmc + ("-acpitable", "file=%s.aml" % made)
    return guest.Guest(folder, image, MODULES, devices, Kernel(FOLDER), processors=PROCESSORS, **options)
