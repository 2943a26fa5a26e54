"""Write the table of routes into `docs/compatibility.md`: start a server, call every route, note what it answered.

Run through `make compatibility`. The test beside the tour fails when the table is not what a server answers.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from app.config import load_settings
from scripts.docs import ROOT, with_part
from tests.compat.tour import Visit, World, table, tour
from tests.live.server import Live, running

PAGE = ROOT / "docs" / "compatibility.md"
PART = "routes"


def with_table(visits: list[Visit]) -> str:
    """Return the page with the table of these visits in it."""
    return with_part(PAGE.read_text("utf-8"), PART, table(visits))


def visited(live: Live) -> list[Visit]:
    """Go through all routes of a running server."""
    with live.client() as client:

        def key(*scopes: str) -> str:
            body = {"namespace": "tour", "scopes": list(scopes)}
            return str(client.post("/v1/keys", json=body).raise_for_status().json()["key"])

        world = World(live.base_url, key)
        try:
            return tour(world)
        finally:
            world.close()


def main() -> int:
    os.environ.setdefault("LOCI_HOME", str(load_settings().home_path))
    with tempfile.TemporaryDirectory() as home, running(Path(home) / "live") as live:
        visits = visited(live)
    PAGE.write_text(with_table(visits), "utf-8")
    faults = [f"{one.route}: {fault}" for one in visits for fault in one.faults]
    print("\n".join(faults) or f"all {len(visits)} routes answer as they must")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
