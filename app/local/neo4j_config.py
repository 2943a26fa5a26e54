"""The managed Neo4j's configuration: memory by machine size, neo4j.conf, flags of the Java machine."""

import re
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.local.errors import ServerError
from app.local.java import Java

_MB = 1 << 20
_GB = 1 << 30
_UNITS = {"k": 1 << 10, "m": _MB, "g": _GB}
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

# What the distribution's own configuration passes to its Java machine, less what only large hosts want.
FLAGS = (
    "-XX:+UseG1GC",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:+TrustFinalNonStaticFields",
    "-XX:+DisableExplicitGC",
    # A flag that a newer Java has dropped must not keep the server from starting.
    "-XX:+IgnoreUnrecognizedVMOptions",
    # After that error a server answers or hangs by chance; a dead one is restarted and recovers.
    "-XX:+ExitOnOutOfMemoryError",
    "-Djdk.nio.maxCachedBufferSize=1024",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dio.netty.leakDetection.level=DISABLED",
    "-Dlog4j2.disable.jmx=true",
    "-Dfile.encoding=UTF-8",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
)
_UNSAFE_SINCE = 24  # older machines reject the option


@dataclass(frozen=True)
class Memory:
    """Bytes for the heap and for the page cache."""

    heap: int
    page_cache: int


@dataclass(frozen=True)
class ServerConfig:
    """All that distinguishes one managed server from another."""

    version: str
    home: Path
    logs: Path
    bolt_port: int
    http_port: int
    memory: Memory
    java: Java
    more_flags: tuple[str, ...] = ()

    @property
    def bolt_url(self) -> str:
        """Where drivers connect."""
        return f"bolt://127.0.0.1:{self.bolt_port}"


def machine_memory() -> int:
    """Return the bytes of memory this process may count on: the machine's, or its container's limit when lower."""
    total = int(psutil.virtual_memory().total)
    for name in _CGROUP_LIMITS:
        try:
            limit = Path(name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if limit.isdigit():
            total = min(total, int(limit))
    return total


def size_memory(total: int, heap: str | None = None, page_cache: str | None = None) -> Memory:
    """Return heap and page cache for a machine of `total` bytes; texts such as `1g` or `512m` are taken as they are.

    A sixth for the heap and an eighth for the page cache leave most of the machine to the API, the embedding model and
    the file cache, where the vector and text indexes live.

    Raises:
        ServerError: a text is no size.
    """
    least = min(512 * _MB, total * 2 // 5)
    chosen_heap = parse_size(heap, "LOCI_NEO4J_HEAP") if heap else max(least, min(total // 6, 4 * _GB))
    chosen_cache = (
        parse_size(page_cache, "LOCI_NEO4J_PAGE_CACHE") if page_cache else max(64 * _MB, min(total // 8, 8 * _GB))
    )
    return Memory(chosen_heap // _MB * _MB, chosen_cache // _MB * _MB)


def parse_size(text: str, setting: str) -> int:
    """Return the bytes of a size such as `512m` or `2g`.

    Raises:
        ServerError: it is no such size, or under 16 MB; names the setting.
    """
    found = re.fullmatch(r"(\d+)\s*([kmg])b?", text.strip().lower())
    size = int(found[1]) * _UNITS[found[2]] if found else 0
    if size < 16 * _MB:
        raise ServerError(f"{setting} is {text!r}, which is no usable size.", "Write it as 512m or 2g, at least 16m.")
    return size


def settings(config: ServerConfig) -> dict[str, str]:
    """Return the settings of neo4j.conf. Validation is strict: a key this version does not know stops the start."""
    bolt, http = f"127.0.0.1:{config.bolt_port}", f"127.0.0.1:{config.http_port}"
    return {
        "server.default_listen_address": "127.0.0.1",
        "server.bolt.enabled": "true",
        "server.bolt.listen_address": bolt,
        "server.bolt.advertised_address": bolt,
        "server.http.enabled": "true",
        "server.http.listen_address": http,
        "server.http.advertised_address": http,
        "server.https.enabled": "false",
        # Pages of other sites that the user visits have no business with a server on loopback.
        "dbms.security.http_access_control_allow_origin": f"http://{http}",
        "browser.remote_content_hostname_whitelist": "localhost",
        "server.directories.logs": str(config.logs),
        "server.memory.pagecache.size": f"{config.memory.page_cache // _MB}m",
        # A query that wants more fails by itself, before the heap is full and the server dies.
        "dbms.memory.transaction.total.max": f"{max(128, config.memory.heap * 6 // 10 // _MB)}m",
        "db.query.default_language": "CYPHER_25",
        "db.transaction.timeout": "60s",
        "db.lock.acquisition.timeout": "10s",
        # By default Bolt stays quiet for twice five seconds before it ends, long after its last connection has.
        "internal.dbms.bolt.netty_server_shutdown_quiet_period_duration": "0s",
        "db.tx_log.rotation.retention_policy": "1 days 200M",
        "dbms.security.allow_csv_import_from_file_urls": "false",
        # Nothing of a private memory server is reported to anybody.
        "dbms.usage_report.enabled": "false",
        "client.allow_telemetry": "false",
        "server.bolt.telemetry.enabled": "false",
        # After storms of deadlocks a request was seen never to be answered: the driver gives up after two of these and
        # tries again, instead of after two minutes. Long queries keep sending signs of life and are not cut.
        "server.bolt.connection_keep_alive": "5s",
        "dbms.fleet_manager.enabled": "false",
        "server.fleet_discovery.enabled": "false",
    }


def render(config: ServerConfig) -> str:
    """Return the text of neo4j.conf."""
    head = f"# Written by Loci at each start for Neo4j {config.version}; changes are lost.\n"
    return head + "".join(f"{key}={value}\n" for key, value in settings(config).items())


def java_flags(java: Java) -> list[str]:
    """Return the flags that are the same for every server on this Java."""
    flags = list(FLAGS)
    if java.major >= _UNSAFE_SINCE:
        flags.append("--sun-misc-unsafe-memory-access=allow")
    if java.vectors:
        flags.append("--add-modules=jdk.incubator.vector")
    return flags


def command(config: ServerConfig, class_path: str) -> list[str]:
    """Return the command line that runs the server in the foreground."""
    heap = config.memory.heap // _MB
    memory = [f"-Xms{min(heap, 512)}m", f"-Xmx{heap}m", f"-XX:ErrorFile={config.logs}/java-crash-%p.log"]
    flags = [*java_flags(config.java), *memory, *config.more_flags]
    main = ["org.neo4j.server.Neo4jCommunity", f"--home-dir={config.home}", f"--config-dir={config.home / 'conf'}"]
    return [str(config.java.path), "-cp", class_path, *flags, *main]


def password_command(config: ServerConfig, class_path: str, password_file: Path) -> list[str]:
    """Return the command line that sets the first password; it is read from a file, so no process list shows it."""
    return [
        str(config.java.path),
        "-cp",
        class_path,
        "-Xmx256m",
        # It ends before code that is compiled better could pay for that.
        "-XX:TieredStopAtLevel=1",
        f"-Dbasedir={config.home}",
        "org.neo4j.server.startup.Neo4jAdminCommand",
        "dbms",
        "set-initial-password",
        f"@{password_file}",
    ]
