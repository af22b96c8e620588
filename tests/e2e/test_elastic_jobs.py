"""Real jobs, a real node, and our collector storing in a real Elasticsearch and in HDF5: both have the same."""
import pytest

import stored
from elastic.faults import Proxy, cut, lost
from stored_elastic import check_same, collector, wait_for_count
from workload import cpu, fields, load

pytest_plugins = ("harness", "elastic.fixtures")
pytestmark = pytest.mark.root
CPU = "cpu_run_virtual_total"


@pytest.mark.parametrize("option", [(), ("--elastic-time-series", "--elastic-gzip")], ids=["streams", "time series"])
def test_documents_are_what_the_jobs_really_did(option, root, uri, start, tmp_path, elasticsearch, prefix):
    with Proxy(elasticsearch.url) as proxy:
        proxy.bulk += [lost(), cut()]
        ours = collector(start, uri, tmp_path, proxy.url, prefix, *option)
        with load(root.job(4217), tmp_path, 0.3, 1 << 20, 3 << 20, 2 << 20, threads=2) as process:
            truth, exact = cpu([process.pid]), fields(process.pid, "io")
            node = start("node", "--cpuset_rootpath", root.path, "-s", "0.5", "--zeromq-uri", uri, "--enable-jobproc",
                         "--hostname", "node-1", "--zeromq-linger", "60000")
            wait_for_count(elasticsearch, prefix + "taskstats_default", 5)
            assert node.stop() == 0
            assert cpu([process.pid]) == truth
        assert ours.stop(timeout=60) == 0, ours.errors()
    documents = check_same(stored.files(tmp_path), elasticsearch, prefix)
    assert {document[CPU] for document in documents["4217", "taskstats_default"]} == {truth}
    assert {document["rchar"] for document in documents["4217", "jobprocstats_default"]} == {exact["rchar"]}
    for document in documents["4217", "taskstats_default"]:
        assert (document["hostname"], document["job_id"], document["job"]) == ("node-1", 4217, "4217")
        assert document["@timestamp"] // 1000 == document["timestamp"]
    for name in elasticsearch.indices(prefix + "*"):
        [about] = elasticsearch.ask("GET", "/" + name).values()
        assert name.startswith(".ds-")
        assert (about["settings"]["index"].get("mode") == "time_series") == bool(option)
