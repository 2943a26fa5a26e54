"""What a change to one project may touch: the projects that depend on it, and what those decided and know."""

from typing import Any

from app.answers import memory_shown, shown
from app.auth import Principal
from app.schemas.decisions import DecisionCheck
from app.schemas.search import SearchIn
from app.services.decisions import check
from app.services.recall.search import search
from app.state import State
from graph.project_links import ProjectLinkRepository, Start
from graph.projects import ProjectRepository

Row = dict[str, Any]

# Projects that are searched, nearest first; those beyond are named with the way to them.
SEARCHED = 25
MOST_PATTERNS = 5


def project_impact(parts: State, caller: Principal, wanted: Row) -> Row:
    """Return what the change of a loaded `ProjectImpactIn` may touch, as `ProjectImpactOut` shows it.

    A dependant counts once, by the shortest way to it, whatever cycles the links form.

    Raises:
        NotFound: no such project.
        EmbedderUnavailable: the change cannot be searched for now.
    """
    start = Start(**ProjectRepository(parts.graph, caller).by_slug(wanted["project"]))
    links = ProjectLinkRepository(parts.graph, caller)
    affected: dict[str, Row] = {}
    for row in links.dependents(start, transitive=True):
        affected.setdefault(row["project_id"], row)
    nearest = sorted(affected.values(), key=lambda row: (row["depth"], row["slug"]))
    return {
        "project": start.slug,
        "change_description": wanted["change_description"],
        "affected_projects": [
            {**row, **(_known(parts, caller, links, start.id, row, wanted) if at < SEARCHED else NOTHING)}
            for at, row in enumerate(nearest)
        ],
        "total_affected": len(nearest),
    }


NOTHING: Row = {"relevant_decisions": [], "relevant_memories": [], "shared_patterns": []}


def _known(parts: State, caller: Principal, links: ProjectLinkRepository, changed: str, row: Row, wanted: Row) -> Row:
    asked = {
        "query": wanted["change_description"],
        "project": row["slug"],
        "limit": wanted["limit"],
        "min_score": wanted["min_score"],
    }
    decisions = check(parts, caller, DecisionCheck().load(asked))
    memories = search(parts, caller, SearchIn().load(asked)).hits
    return {
        "relevant_decisions": [{"decision": shown(decision), "score": score} for decision, score in decisions],
        "relevant_memories": [{"memory": memory_shown(hit.memory), "score": hit.score} for hit in memories],
        "shared_patterns": links.shared_patterns(changed, row["project_id"], MOST_PATTERNS),
    }
