"""Sources that a test opens are closed after it; and what was told of faults."""


def opening(backend):
    """Of a fixture: yields ``make(*arguments, **options)``, which opens `backend` so; closes all of them in the end."""
    made = []

    def make(*arguments, **options):
        made.append(backend(*arguments, **options))
        return made[-1]
    yield make
    for each in made:
        each.close()


def told(caplog):
    """What was told of faults."""
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
