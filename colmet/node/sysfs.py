"""Small files of one line, as sysfs has them (sysfs(5)), and the order of their numbered names."""
import re


def text(path):
    """The text in the file, "" where it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def number(path):
    """The number in the file, None where there is none."""
    found = text(path)
    return int(found) if found.isdecimal() else None


def natural(name):
    """A key for sorting by the numbers in `name`."""
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split(r"(\d+)", name)]
