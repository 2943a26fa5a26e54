"""Fill the answers in docs/browser.md from a server that holds the demo; with `--check`, only compare.

LOCI_HOME=... python -m scripts.browser_docs [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from app.config import load_settings
from app.local.home import Home
from graph.driver import Connection, Graph

FILE = Path(__file__).resolve().parent.parent / "docs" / "browser.md"
QUESTION = re.compile(r"```cypher\n(?P<query>.*?)```\n\n(?P<answer>(?:\|[^\n]*\n)*)\n?", re.DOTALL)


def questions(text: str) -> list[tuple[str, str]]:
    """Return each question's Cypher and the table that stands below it."""
    return [(match["query"], match["answer"]) for match in QUESTION.finditer(text) if "RETURN" in match["query"]]


def answer(graph: Graph, query: str) -> str:
    """Return the rows of a question as a Markdown table."""
    rows = graph.read("CYPHER 25 " + query)
    if not rows:
        return "| (no rows) |\n"
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([shown(value) for value in row.values()] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def shown(value: Any) -> str:
    """Return one value as a reader wants it."""
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    return str(value).replace("|", "\\|").replace("\n", " ")


def filled(graph: Graph, text: str) -> str:
    """Return the page with every answer made anew."""
    return QUESTION.sub(lambda match: f"```cypher\n{match['query']}```\n\n{answer(graph, match['query'])}\n", text)


def main() -> int:
    """Write or check the page."""
    known = Home(load_settings().home_path).read_credentials()
    graph = Graph(Connection(known["neo4j_bolt_url"], known["neo4j_user"], known["neo4j_password"]))
    text = FILE.read_text()
    made = filled(graph, text)
    graph.close()
    if "--check" not in sys.argv:
        FILE.write_text(made)
    return 1 if "--check" in sys.argv and made != text else 0


if __name__ == "__main__":
    sys.exit(main())
