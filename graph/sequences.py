"""Per-tenant integers, handed out in blocks so that no two writers wait for the same counter."""

import threading

from graph.driver import Graph

BLOCK = 64
MOST_TENANTS = 10_000

RESERVE = """
CYPHER 25
MERGE (c:Counter {tenant: $tenant, name: $name})
ON CREATE SET c.next = 1
SET c.next = c.next + $size
RETURN c.next - $size AS first
"""


class Sequence:
    """Hands out positive integers, unique in a tenant and rising within one process; gaps are normal."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name
        self._left: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def take(self, tenant: str, count: int = 1) -> range:
        """Return `count` fresh integers."""
        with self._lock:
            first, end = self._left.get(tenant, (0, 0))
            if end - first < count:
                size = max(BLOCK, count)
                first = self.graph.write(RESERVE, tenant=tenant, name=self.name, size=size)[0]["first"]
                end = first + size
            if len(self._left) >= MOST_TENANTS:
                self._left.clear()
            self._left[tenant] = (first + count, end)
            return range(first, first + count)
