"""What Neo4j Browser shows on a node that has no name but its text."""

CONFIDENTIAL = "(confidential)"


def shown_name(text: str, visibility: str) -> str:
    """Return what Neo4j Browser shows on the node: the first words, never of confidential text."""
    if visibility == "confidential":
        return CONFIDENTIAL
    words = " ".join(text.split())
    return words if len(words) <= 48 else words[:47].rsplit(" ", 1)[0] + "…"
