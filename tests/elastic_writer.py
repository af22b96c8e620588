"""A writer for Elasticsearch in this process, its journal and its settings, for tests with `elastic_stub`."""
from types import SimpleNamespace

from colmet.collector.elasticsearch import writer as elasticsearch
from colmet.collector.elasticsearch.client import Client
from colmet.collector.elasticsearch.target import hosts
from colmet.common.journal import read
from hdf5_batches import batch, write_journal

TIMEOUT = (5.0, 5.0)        # s, for tests


def settings(*urls, **changes):
    """The options of the writer."""
    values = dict(elastic_hosts=hosts(urls), elastic_index_prefix="p_", http_credentials=None, elastic_ca=None,
                  no_check_certificates=False, elastic_plain_index=False, elastic_time_series=False,
                  elastic_retention=None, elastic_bulk_size=2 ** 20, elastic_gzip=False, sample_period=5.0, verbose=0)
    return SimpleNamespace(**dict(values, **changes))


def journal(folder, ticks=4, jobs=("7", "8"), **more):
    """A journal in `folder` of one batch of taskstats for each tick; returns its directory."""
    write_journal(folder / "j", [batch(tick, jobs, **more) for tick in range(1, ticks + 1)])
    return folder / "j"


def open_writer(directory, *urls, timeout=TIMEOUT, **changes):
    """A writer of the journal in `directory` to `urls`."""
    chosen = settings(*urls, **changes)
    return elasticsearch.Writer(chosen, directory, Client(chosen, timeout))


def end(directory):
    """The position after the last entry of a journal."""
    return max((entry.next for entry in read(directory)), default=0)


def go_on(writer, tries=1):
    """Have `writer` try again so many times, without the pause between."""
    for _ in range(tries):
        writer.work(must=True)
    return writer.state
