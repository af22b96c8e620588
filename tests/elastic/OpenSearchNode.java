import org.codelibs.opensearch.runner.OpenSearchRunner;

/** Runs one node of OpenSearch on loopback until it is killed. Arguments: port of HTTP, port of transport, folder. */
public class OpenSearchNode {
    public static void main(String[] arguments) throws Exception {
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.onBuild((number, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", arguments[0]);
            settings.put("transport.port", arguments[1]);
            settings.put("discovery.type", "single-node");
            settings.put("node.store.allow_mmap", false);
            settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
        });
        runner.build(OpenSearchRunner.newConfigs().basePath(arguments[2]).numOfNode(1).clusterName("colmet-tests")
            .useLogger());
        Thread.currentThread().join();
    }
}
