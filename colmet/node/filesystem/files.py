"""Files of the kernel that stay open, and are read anew each time."""
import errno
import os

MOST = 16 << 20         # bytes that are taken of a file
_PIECE = 1 << 14         # to make room for more takes longer than to fill it with what most of them say


class Kept:
    """The file at `path`, opened by its first reading and again after one that failed."""

    def __init__(self, path):
        self.path, self._fd = path, -1

    def read(self):
        """Its bytes, `MOST` at most. Raises OSError, also where the file is no more."""
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if os.fstat(self._fd).st_nlink == 0:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            os.lseek(self._fd, 0, os.SEEK_SET)
            return self._all()
        except OSError:
            self.close()
            raise

    def _all(self):
        pieces, size = [], 0
        while size < MOST:
            piece = os.read(self._fd, min(_PIECE, MOST - size))
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def close(self):
        """Close it until the next reading."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
