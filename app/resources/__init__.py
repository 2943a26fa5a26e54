"""One blueprint per noun, in the order the documentation shows them."""

from app.resources.agents import blueprint as agents
from app.resources.audit import blueprint as audit
from app.resources.decisions import blueprint as decisions
from app.resources.docs import blueprint as docs
from app.resources.entities import blueprint as entities
from app.resources.entity_graph import blueprint as entity_graph
from app.resources.health import blueprint as health
from app.resources.keys import blueprint as keys
from app.resources.memories import blueprint as memories
from app.resources.patterns import blueprint as patterns
from app.resources.project_links import blueprint as project_links
from app.resources.projects import blueprint as projects
from app.resources.sessions import blueprint as sessions
from app.resources.usage import blueprint as usage

BLUEPRINTS = (
    health,
    memories,
    agents,
    entities,
    entity_graph,
    sessions,
    decisions,
    patterns,
    projects,
    project_links,
    keys,
    usage,
    audit,
)

# Pages for people, outside the API document.
PAGES = (docs,)
