"""One blueprint per noun, in the order the documentation shows them."""

from app.resources import agents, health, keys, memories, sessions

BLUEPRINTS = (
    health.blueprint,
    memories.blueprint,
    agents.blueprint,
    sessions.blueprint,
    keys.blueprint,
)
