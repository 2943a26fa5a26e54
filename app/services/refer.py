"""Agents and projects as readers name them: by id or by name. A name nobody has used matches nothing."""

from collections.abc import Iterable

from app.auth import Principal
from app.ids import is_uuid, new_id
from app.state import State
from graph.agents import AgentRepository
from graph.errors import NotFound
from graph.projects import ProjectRepository

# No id looks like this, so a filter on it lets nothing pass.
NOBODY = "-"


def agent_named(parts: State, caller: Principal, reference: str | None) -> str | None:
    """Return the id for an agent's id or name; `NOBODY` for a name not in use; None for None."""
    if reference is None or is_uuid(reference):
        return reference and reference.lower()
    try:
        return str(AgentRepository(parts.graph, caller).named(reference))
    except NotFound:
        return NOBODY


def agent_created(parts: State, caller: Principal, reference: str | None) -> str | None:
    """Return the id for an agent's id or name; a new name creates the agent; None for None.

    Raises:
        NotFound: an unknown id.
    """
    if reference is None:
        return None
    known = is_uuid(reference)
    agents = AgentRepository(parts.graph, caller)
    return str(agents.resolve(reference.lower() if known else reference, known, new_id())["id"])


def project_named(parts: State, caller: Principal, slug: str | None) -> str | None:
    """Return the id of the project with this slug; `NOBODY` for a slug not in use; None for None."""
    if slug is None:
        return None
    try:
        return str(ProjectRepository(parts.graph, caller).by_slug(slug)["id"])
    except NotFound:
        return NOBODY


def agent_names(parts: State, caller: Principal, ids: Iterable[str]) -> dict[str, str]:
    """Return the names of agents by id; those that are gone are left out."""
    wanted = sorted(set(ids))
    return AgentRepository(parts.graph, caller).names(wanted) if wanted else {}
