"""Whether what the server stands on answers."""

from app.state import State
from graph.errors import GraphError


def database_answers(parts: State) -> bool:
    """Tell whether the database can be reached now."""
    try:
        parts.graph.ping()
    except GraphError:
        return False
    return True
