"""What several hold and read: a source, and whoever would read the same again beside it."""


class Held:
    """Each who holds it closes it; with the last of them it ends, `_end`."""
    _holders = 1

    def hold(self):
        """Itself, for one more."""
        self._holders += 1
        return self

    def close(self):
        """One less."""
        self._holders -= 1
        if not self._holders:
            self._end()
