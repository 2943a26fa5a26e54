"""What a key may do. `docs/authentication.md` lists the same sentences."""

SCOPES = {
    "read": "List, get and search agents, memories, entities, sessions, decisions, patterns and projects.",
    "write": "Create and change the same.",
    "delete": "Delete the same.",
    "admin": "Everything, and also manage keys, account settings and maintenance.",
}

# What any good key may do.
ANY = "any"
DEFAULT_SCOPES = ("read", "write")
ALL_SCOPES = tuple(SCOPES)

# The scope a verb needs unless a view says otherwise.
BY_VERB = {"GET": "read", "HEAD": "read", "POST": "write", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def allows(granted: frozenset[str], needed: str) -> bool:
    """Tell whether the `granted` scopes include `needed`; `admin` includes all."""
    return needed == ANY or needed in granted or "admin" in granted
