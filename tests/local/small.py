"""A managed Neo4j for a test that needs one of its own."""

from app.local.home import Home
from app.local.neo4j import ManagedNeo4j
from scripts.run_tests import SHORT_LIVED

HEAP, PAGE_CACHE = "512m", "128m"


def small(home: Home, bolt_port: int = 0, http_port: int = 0) -> ManagedNeo4j:
    """Return a small server that is quick to start, not started."""
    return ManagedNeo4j(home, bolt_port, http_port, HEAP, PAGE_CACHE, java_flags=[SHORT_LIVED])
