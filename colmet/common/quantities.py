"""Numbers as people read them: times in s, min and h, sizes in binary units, 1 204 and not 1204."""
NS_PER_S = 10 ** 9                    # in ns
MIB = 2 ** 20                           # in bytes
_STEPS = ((2 ** 30, "GiB", 10), (2 ** 20, "MiB", 1), (2 ** 10, "KiB", 1))   # a unit from so many of it on


def count(number):
    """An integer in groups of three digits: 1 843."""
    return "{:,}".format(number).replace(",", " ")


def duration(nanoseconds):
    """A time: 3.1 ms, 0.42 s, 12.4 s, 1 min 12.4 s, 2 h 10 min."""
    if 0 < nanoseconds < NS_PER_S / 10:
        return "%.1f ms" % (1000 * nanoseconds / NS_PER_S)
    tenths = round(nanoseconds * 10 / NS_PER_S)
    if tenths < 10:
        return "%.2f s" % (nanoseconds / NS_PER_S)
    if tenths < 600:
        return "%.1f s" % (tenths / 10)
    if tenths < 36000:
        return "%d min %04.1f s" % (tenths // 600, tenths % 600 / 10)
    minutes = round(tenths / 600)
    return "%s h %02d min" % (count(minutes // 60), minutes % 60)


def size(number):
    """A number of bytes: 0 B, 3.4 KiB, 64.0 MiB, 1 204 MiB, 12.0 GiB."""
    for unit, name, least in _STEPS:
        if number >= unit * least:
            value = number / unit
            return "%s %s" % (count(round(value)) if value >= 1000 else "%.1f" % value, name)
    return "%d B" % number
