// Answers GET and HEAD of / as Elasticsearch does: the module that does it is not in the distribution for tests, and
// clients ask it for the version first.
package colmet.tests;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.IndexScopedSettings;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;

public class RootPlugin extends Plugin implements ActionPlugin {
    @Override
    public Collection<RestHandler> getRestHandlers(Settings settings, NamedWriteableRegistry writeables,
            RestController controller, ClusterSettings ofCluster, IndexScopedSettings ofIndices, SettingsFilter filter,
            IndexNameExpressionResolver names, Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> features) {
        return List.of(new Root());
    }

    static class Root extends BaseRestHandler {
        @Override
        public String getName() {
            return "colmet_root";
        }

        @Override
        public List<Route> routes() {
            return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            Build build = Build.current();
            Map<String, Object> version = Map.of("number", build.version(), "build_flavor", build.flavor(),
                "minimum_wire_compatibility_version", build.minWireCompatVersion(),
                "minimum_index_compatibility_version", build.minIndexCompatVersion());
            Map<String, Object> answer = Map.of("name", client.settings().get("node.name"),
                "cluster_name", client.settings().get("cluster.name"), "version", version,
                "tagline", "You Know, for Search");
            return channel -> channel.sendResponse(
                new RestResponse(RestStatus.OK, channel.newBuilder().map(answer)));
        }
    }
}
