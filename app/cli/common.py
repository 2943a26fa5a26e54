"""What several commands need: settings, and the database they speak of."""

from app.bootstrap import connection
from app.config import Settings, load_settings
from app.local.errors import LocalError
from app.local.home import Home
from graph.driver import Connection, Graph


def settings_and_graph() -> tuple[Settings, Graph]:
    """Return the settings and the graph of NEO4J_URI, or of the managed server that runs in LOCI_HOME.

    Raises:
        LocalError: no server is named and none runs.
    """
    settings = load_settings()
    if not settings.managed:
        return settings, Graph(connection(settings))
    found = Home(settings.home_path).read_credentials()
    if "neo4j_bolt_url" not in found:
        raise LocalError("No server of this LOCI_HOME is known.", "Start one with `loci serve`, or set NEO4J_URI.")
    return settings, Graph(Connection(found["neo4j_bolt_url"], found["neo4j_user"], found["neo4j_password"]))
