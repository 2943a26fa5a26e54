"""Run the test suite in a private home and a scrubbed environment.

Nothing of the caller's configuration reaches the tests: no `NEO4J_URI` that may be somebody's production, no API key,
no setting that makes a test pass on one machine only. Artifacts are fetched before pytest starts, because inside it
sockets end at loopback; `--no-fetch` leaves that out for tests that start nothing. Further arguments go to pytest.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

KEPT_NAMES = frozenset(
    {
        "PATH", "HOME", "LANG", "TMPDIR", "CI", "LOCI_MAVEN_URL",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    }
)  # fmt: skip
KEPT_PREFIXES = ("PIP_", "LOCI_TEST_")
# Two processes share the one database; a file stays in one of them, so that its tests share their fixtures. They take
# the files as they come (`tests.whole`): slow ones first.
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "-q")

# Neo4j's Java: a server of a minute ends before code that is compiled better could pay for that, which is a third of
# its processor time. The one database that most tests share lives longer, and is not started by these settings.
SHORT_LIVED = "-XX:TieredStopAtLevel=1"


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """Return only those variables that say how to reach the network and where the tests' own database is."""
    return {name: value for name, value in environment.items() if name in KEPT_NAMES or name.startswith(KEPT_PREFIXES)}


def artifact_cache(environment: Mapping[str, str]) -> Path:
    """Return the caller's artifact cache: its files are checked by SHA-256 before every use, so it is safe to share."""
    home = environment.get("LOCI_HOME") or Path(environment["HOME"]) / ".loci"
    return Path(home).expanduser() / "artifacts"


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run to the end and return the exit code; an interrupted run still gets the time to stop its database."""
    with subprocess.Popen(command, cwd=ROOT, env=environment) as child:
        # pytest tears its fixtures down on an interrupt, and not on SIGTERM.
        signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGINT))
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue  # the terminal has sent Ctrl-C to the child as well


def main(arguments: list[str]) -> int:
    cache = artifact_cache(os.environ)
    cache.mkdir(parents=True, exist_ok=True)
    environment = scrubbed(os.environ)
    home = Path(tempfile.mkdtemp(prefix="loci-test-"))
    (home / "artifacts").symlink_to(cache, target_is_directory=True)
    environment |= {"LOCI_HOME": str(home), "LOCI_NEO4J_JAVA_FLAGS": SHORT_LIVED}
    try:
        if "--no-fetch" not in arguments:
            fetched = run([sys.executable, "-m", "app.cli", "fetch"], environment)
            if fetched:
                return fetched
        rest = [argument for argument in arguments if argument != "--no-fetch"]
        return run([sys.executable, "-m", "pytest", *SIDE_BY_SIDE, *rest], environment)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
