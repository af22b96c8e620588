"""A guest with an ARM processor, whose PMU qemu simulates: an instruction takes 2 ns of its time, a cycle 1 ns. All
that runs in it beside the kernel is one program in C.
"""
import shutil
import subprocess
from pathlib import Path

from checkout import CHECKOUT
from lab.image import Image
from lab.kernel import CACHE, Absent, Kernel

FOLDER = CACHE / "arm"
QEMU, COMPILER = "qemu-system-aarch64", "aarch64-linux-gnu-gcc"
INSIDE = Path(__file__).with_name("inside")
MACHINE = ("-M", "virt", "-cpu", "cortex-a57", "-icount", "shift=1", "-smp", "1", "-m", "256", "-nodefaults",
           "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot")
CYCLES = 2                  # of an instruction
SECONDS = 300               # patience; it takes 6 where nothing else runs


def lacking():
    """What this machine lacks for such a guest; "" where nothing does."""
    if not shutil.which(QEMU):
        return "needs %s: apt install --no-install-recommends qemu-system-arm" % QEMU
    if not shutil.which(COMPILER):
        return "needs %s: apt install gcc-aarch64-linux-gnu libc6-dev-arm64-cross" % COMPILER
    try:
        Kernel(FOLDER)
    except Absent as reason:
        return "needs %s" % reason
    return ""


def run(folder, program, library):
    """What the program ``inside/<program>`` says, linked with the sources of the folder `library` of the checkout."""
    sources = [INSIDE / program] + [path for path in sorted((CHECKOUT / library).glob("*.c")) if path.stem != "fuzz"]
    subprocess.run([COMPILER, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-I", CHECKOUT / library,
                    "-o", folder / "init", *sources], check=True)
    image = Image()
    image.add("/init", (folder / "init").read_bytes())
    image.folder("/dev")
    (folder / "start.cpio").write_bytes(image.bytes())
    said = subprocess.run(["timeout", "-s", "KILL", str(SECONDS), QEMU, *MACHINE, "-kernel", Kernel(FOLDER).image,
                           "-initrd", folder / "start.cpio", "-append", "console=ttyAMA0 quiet panic=-1"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return said.stdout.decode(errors="replace")
