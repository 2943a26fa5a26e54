"""How to call every operation: the one table that all generated tests read.

A new route is covered by adding to three dictionaries in the file of its noun, each only where the route needs it:

* `MAKERS["thing_id"]`, for a path parameter not used before: makes an instance and returns what the path names it by
  (`MAKERS["nouns/thing_id"]` where another noun has a parameter of that name);
* `BODIES["POST /v1/things"]`, for an operation with a body: returns one that is accepted;
* `QUERIES["GET /v1/things/search"]`, for an operation with a required query argument.

Free texts go through `world.text("...")` and unique names through `world.fresh("...")`: both carry the marker by which
the tenancy tests see one tenant's words in another tenant's answers. Ids come from `world.id("thing_id")`.
`SCOPES` names operations whose scope is not the one of their verb.
"""

from tests.contract.examples.calls import body_of, call, maker_of, path_of, query_of, scope_of
from tests.contract.examples.tables import BODIES, QUERIES, SCOPES
from tests.contract.examples.world import MAKERS, STORY, World

__all__ = [
    "BODIES",
    "MAKERS",
    "QUERIES",
    "SCOPES",
    "STORY",
    "World",
    "body_of",
    "call",
    "maker_of",
    "path_of",
    "query_of",
    "scope_of",
]
