"""Deletes entities that extraction made and that no memory mentions any more; those made by hand stay."""

from app.state import State
from app.workers.topics import Owner
from graph.entity_removal import EntityRemovalRepository
from graph.tenants import tenants_after

STRETCH = 2_000


class Sweep:
    """The loop: walks the entities of one tenant after another, a stretch at a time. A degree is read at no cost."""

    def __init__(self) -> None:
        self.tenant = ""
        self.at = (0, "")

    def __call__(self, parts: State) -> bool:
        """Sweep the next stretch; return whether the round has more."""
        if not self.tenant:
            found = tenants_after(parts.graph, "", 1)
            if not found:
                return False
            self.tenant = found[0]
        removal = EntityRemovalRepository(parts.graph, Owner(self.tenant))
        row = removal.walk(*self.at, STRETCH)
        if row["unused"]:
            removal.delete_unused(row["unused"])
        if row["seen"] == STRETCH:
            self.at = (row["at"][0], row["at"][1])
            return True
        self.at = (0, "")
        self.tenant = next(iter(tenants_after(parts.graph, self.tenant, 1)), "")
        return bool(self.tenant)


work = Sweep()
