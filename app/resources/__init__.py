"""One blueprint per noun, in the order the documentation shows them."""

from app.resources.agents import blueprint as agents
from app.resources.ask import blueprint as ask
from app.resources.audit import blueprint as audit
from app.resources.context import blueprint as context
from app.resources.decisions import blueprint as decisions
from app.resources.docs import blueprint as docs
from app.resources.embed import blueprint as embed
from app.resources.entities import blueprint as entities
from app.resources.entity_graph import blueprint as entity_graph
from app.resources.erasures import blueprint as erasures
from app.resources.events import blueprint as events
from app.resources.extraction import blueprint as extraction
from app.resources.health import blueprint as health
from app.resources.jobs import blueprint as jobs
from app.resources.keys import blueprint as keys
from app.resources.memories import blueprint as memories
from app.resources.memories_v2 import blueprint as memories_v2
from app.resources.memory_care import blueprint as memory_care
from app.resources.memory_changes import blueprint as memory_changes
from app.resources.memory_parts import blueprint as memory_parts
from app.resources.patterns import blueprint as patterns
from app.resources.project_links import blueprint as project_links
from app.resources.projects import blueprint as projects
from app.resources.sessions import blueprint as sessions
from app.resources.transfer import blueprint as transfer
from app.resources.trash import blueprint as trash
from app.resources.usage import blueprint as usage
from app.resources.webhooks import blueprint as webhooks

BLUEPRINTS = (
    health,
    memories,
    memory_parts,
    memory_care,
    memory_changes,
    memories_v2,
    context,
    ask,
    embed,
    extraction,
    jobs,
    agents,
    entities,
    entity_graph,
    sessions,
    decisions,
    patterns,
    projects,
    project_links,
    trash,
    erasures,
    keys,
    transfer,
    webhooks,
    events,
    usage,
    audit,
)

# Pages for people, outside the API document.
PAGES = (docs,)
