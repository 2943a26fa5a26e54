"""The README's quick start, run as it stands: its commands against a real server, its answers compared."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.live.server import Live

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"```(sh|json)\n(.*?)```", re.DOTALL)
SECTION = re.compile(r"## First memory\n(.*?)\n## ", re.DOTALL)

# What differs from run to run; everything else must be as printed.
VARIES = {"id", "agent_id", "created_at", "updated_at", "score", "distance"}


def blocks() -> list[tuple[str, str]]:
    section = SECTION.search(README.read_text())
    assert section is not None
    return BLOCK.findall(section.group(1))


def alike(value: Any) -> Any:
    """Return a JSON value with what varies replaced by its type."""
    if isinstance(value, dict):
        return {k: type(v).__name__ if k in VARIES else alike(v) for k, v in value.items()}
    if isinstance(value, list):
        return [alike(item) for item in value]
    return value


def test_every_command_of_the_readme_answers_what_the_readme_says(live: Live) -> None:
    found = blocks()
    commands = [text for kind, text in found if kind == "sh"]
    answers = [json.loads(text) for kind, text in found if kind == "json"]
    assert len(commands) == 3
    assert len(answers) == 2
    script = "set -e\n" + commands[0] + "\n" + "\n".join(f"{c.rstrip()}\necho\n" for c in commands[1:])
    script = script.replace("http://127.0.0.1:8000", live.base_url).replace("~/.loci", str(live.home))
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    assert [alike(item) for item in printed] == [alike(item) for item in answers]


def test_the_hit_of_the_readme_is_found_by_paraphrase(live: Live) -> None:
    with live.client() as client:
        client.post("/v1/memories", json={"content": "The cat sleeps on the warm windowsill", "agent_id": "iris"})
        hits = client.post("/v1/memories/search", json={"query": "where does our kitty take a nap?"}).json()["data"]
    assert hits[0]["memory"]["content"] == "The cat sleeps on the warm windowsill"


def test_credentials_are_for_their_owner_only_and_complete(live: Live) -> None:
    names = {"base_url", "api_key", "neo4j_bolt_url", "neo4j_browser_url", "neo4j_user", "neo4j_password"}
    assert (live.home / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert set(live.credentials) == names
    assert all(live.credentials.values())


@pytest.mark.parametrize("page", ["/browser/"])
def test_neo4j_browser_is_served(live: Live, page: str) -> None:
    with live.client() as client:
        url = live.credentials["neo4j_browser_url"]
        assert "Neo4j Browser" in client.get(url.removesuffix("/browser/") + page).text
