"""Write `openapi.json` from the routes; with `--check`, only say whether it is out of date. Needs no database."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from app import create_app
from app.config import Settings
from app.crypto import Vault
from app.embeddings.hashing import HashingEmbedder
from app.state import State
from graph.driver import Connection, Graph
from graph.migrations import Space
from graph.sequences import Sequence

FILE = Path(__file__).resolve().parent.parent / "openapi.json"


def document() -> dict[str, Any]:
    """Return the API document of an app whose parts are never used."""
    settings = Settings(environment="test", embedder="hashing")
    embedder = HashingEmbedder()
    graph = Graph(Connection(uri="bolt://127.0.0.1:1", user="", password=""))
    space = Space(identity=embedder.identity, dimensions=embedder.dimensions, slot="a", analyzer=settings.analyzer)
    unused, numbers = "0" * 64, Sequence(graph, "memory")
    parts = State(settings, graph, embedder, space, pepper=unused, vault=Vault(unused), started_ms=0, sequence=numbers)
    app = create_app(parts)
    answer = app.test_client().get("/openapi.json")
    if answer.status_code != 200:
        raise RuntimeError(f"/openapi.json answered {answer.status_code}")
    found: dict[str, Any] = answer.get_json()
    return found


def rendered() -> str:
    """Return the document as it stands in the repository: the routes' own order, one change a line in a diff."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def is_current() -> bool:
    """Tell whether `openapi.json` is what the routes say."""
    return FILE.exists() and FILE.read_text("utf-8") == rendered()


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        current = is_current()
        print("openapi.json is up to date" if current else "openapi.json is out of date: run `make openapi`")
        return 0 if current else 1
    FILE.write_text(rendered(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
