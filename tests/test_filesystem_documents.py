"""What the table `filesystem` becomes in Elasticsearch: a document for each mount, with all that is known of it."""
from colmet.common.batch import Batch, pack_rows
from colmet.common.metrics import TABLES
from colmet.common.schema import COUNTER
from mounts_tree import NAMES, backend, busy
from test_elasticsearch_documents import documents, native

TABLE = TABLES["filesystem"]


def test_each_metric_of_each_mount_reaches_a_document(tmp_path):
    busy(tmp_path)
    source = backend(tmp_path)
    rows = source.sample([])["filesystem"]
    source.close()
    batch = Batch("node-1", 1, 1, 10 ** 18, 0, strings=[""] + [name for _, name, _ in rows])
    batch.blocks.append(pack_rows(TABLE, [(0, place, values) for place, (_, _, values) in enumerate(rows, 1)]))
    found = {document["mount"]: document for _, _, document in documents([native(batch)], tables=[TABLE])}
    known = set()
    for _, name, values in rows:
        told = {metric: value for metric, value in zip(NAMES, values) if value is not None}
        assert {metric: found[name].get(metric) for metric in told} == told
        assert not set(NAMES) - set(told) & set(found[name])
        known |= set(told)
    assert set(found) == {"lustre:/scratch", "nfs:/users"} and known == set(NAMES)
    assert all(metric.kind == COUNTER for metric in TABLE.metrics)
