#!/bin/sh
# Fetches with Maven the Elasticsearch and OpenSearch that tests/elastic starts, into .cache/servers, and compiles the
# little Java that they need. Takes a JDK 17 or newer and Maven.
set -eu
. "$(dirname "$0")/lib.sh"

servers=$checkout/.cache/servers
stamp=$(cat tests/elastic/pom.xml tests/elastic/*.java | cksum)
[ "$(cat "$servers/made" 2>/dev/null)" != "$stamp" ] || exit 0
for program in mvn javac jar; do
    command -v "$program" >/dev/null 2>&1 ||
        fail "no $program here; as root: apt install maven default-jdk-headless, or dnf install maven java-devel"
done

say "fetching Elasticsearch and OpenSearch (160 MB at the first time)"
rm -rf "$servers"
mvn -q -B -f tests/elastic/pom.xml "-Dservers=$servers" package
home=$(echo "$servers"/elasticsearch-*)
plugin=$home/plugins/colmet-root
mkdir -p "$servers/classes" "$plugin"
javac --release 17 -d "$servers/classes" -cp "$home/lib/*" tests/elastic/RootPlugin.java
jar cf "$plugin/colmet-root.jar" -C "$servers/classes" colmet
javac --release 17 -d "$servers/classes" -cp "$servers/opensearch/*" tests/elastic/OpenSearchNode.java
cat > "$plugin/plugin-descriptor.properties" <<END
name=colmet-root
description=answers GET and HEAD of /
version=1
classname=colmet.tests.RootPlugin
java.version=17
elasticsearch.version=${home##*-}
END
echo "$stamp" > "$servers/made"
