"""Repositories whose queries read or write vectors, and the check that these are the ones in force.

The model may be changed while servers run (`loci reembed`): the slot of the vectors in force is then another. A vector
that is written into a slot no longer in force would never be found, so whoever writes one looks first, inside the same
transaction, at the slot that the database names.
"""

from graph.driver import Graph, Transaction
from graph.errors import Moved
from graph.repository import Repository, Tenanted

SLOT = "CYPHER 25 MATCH (s:SchemaVersion {name: 'embedding'}) RETURN s.slot AS slot"


class Slotted(Repository):
    """A repository of nodes with vectors. `slot` names the vectors in force (`graph.migrations.Space.slot`)."""

    def __init__(self, graph: Graph, caller: Tenanted, tx: Transaction | None = None, slot: str = "a") -> None:
        super().__init__(graph, caller, tx)
        self.slot = slot

    def check_slot(self) -> None:
        """Refuse to go on where the vectors in force are others by now.

        Raises:
            Moved: they are.
        """
        if any(row["slot"] != self.slot for row in self.read(SLOT)):
            raise Moved
