"""The options of Colmet 0.6.10, as its own programs tell them."""
import re
import subprocess

COMMON = {"-h", "--help", "--version"}


def flags(programs, name):
    """All flags of the program `name` of 0.6.10, long and short, from its --help."""
    done = subprocess.run([str(programs / name), "--help"], stdout=subprocess.PIPE, universal_newlines=True, check=True)
    short = re.findall(r"^  (-\w)[ ,]", done.stdout, re.M)
    return set(short) | set(re.findall(r"^  (?:-\w[^-]*, )?(--[\w-]+)", done.stdout, re.M))
