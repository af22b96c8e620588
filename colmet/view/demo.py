"""A job to try Colmet on: ``colmet run --live -- python -m colmet.view.demo``.

Four processes start half a second apart. Each holds 64 MiB, writes 24 MiB to a file and reads it back, both past
the page cache, and computes until 8 s have passed; the numbers are round so that they can be found in the account.
"""
import hashlib
import multiprocessing
import os
import tempfile
import time

WORKERS = 4
SECONDS = 8.0
APART = 0.5
HELD = 64 * 2 ** 20
WRITTEN = 24 * 2 ** 20
PIECE = 2 ** 20


def work(number, end, folder):
    """One worker until the CLOCK_MONOTONIC time `end`."""
    time.sleep(number * APART)
    held = bytearray(os.urandom(PIECE)) * (HELD // PIECE)
    path = os.path.join(folder, "data-%d" % number)
    write(path, held)
    read(path)
    digest, place = hashlib.sha256(), 0
    while time.monotonic() < end:
        digest.update(held[place:place + PIECE])
        place = (place + PIECE) % HELD


def write(path, held):
    """WRITTEN bytes of `held` to the disk, not only to the page cache."""
    with open(path, "wb") as file:
        for place in range(0, WRITTEN, PIECE):
            file.write(held[place:place + PIECE])
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(path):
    """All of the file at `path`."""
    with open(path, "rb") as file:
        while file.read(PIECE):
            pass


def main():
    """Run the workers."""
    print("%d processes for %.0f s: each holds %d MiB, writes %d MiB and reads it back"
          % (WORKERS, SECONDS, HELD // 2 ** 20, WRITTEN // 2 ** 20), flush=True)
    end = time.monotonic() + SECONDS
    with tempfile.TemporaryDirectory(prefix="colmet-demo-") as folder:
        workers = [multiprocessing.Process(target=work, args=(number, end, folder)) for number in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


if __name__ == "__main__":
    main()
