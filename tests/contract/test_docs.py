"""The documentation keeps up with the code: settings, commands, errors, scopes, links, and the picture of the house."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import loci
from app.config import SETTINGS
from app.errors import ERRORS
from app.events import EVENTS
from app.scopes import SCOPES
from scripts import docs
from tests.contract import sources

pytestmark = pytest.mark.static

LINK = re.compile(r"\[[^\]]+\]\((?!https?:|mailto:)([^)\s]+)\)")
PAGES = [path for path in sources.tracked() if path.endswith(".md")]


def test_generated_parts_are_current() -> None:
    assert docs.stale() == [], "run `make docs`"


@pytest.mark.parametrize("variable", [setting.variable for setting in SETTINGS])
def test_every_setting_is_documented_and_in_the_example_file(variable: str) -> None:
    assert f"`{variable}`" in sources.text("docs/configuration.md")
    assert re.search(rf"^#?{variable}=", sources.text(".env.example"), re.MULTILINE)


def test_the_example_file_names_nothing_that_does_not_exist() -> None:
    named = set(re.findall(r"^#?([A-Z0-9_]+)=", sources.text(".env.example"), re.MULTILINE))
    assert named == {setting.variable for setting in SETTINGS}


@pytest.mark.parametrize("command", [name for name, _ in docs.commands(loci)])
def test_every_command_is_documented(command: str) -> None:
    assert any(command in sources.text(page) for page in PAGES)


@pytest.mark.parametrize(("command", "sentence"), list(docs.commands(loci)))
def test_every_command_says_what_it_does(command: str, sentence: str) -> None:
    assert sentence, f"{command} has no help text"


@pytest.mark.parametrize("kind", [error.type for error in ERRORS])
def test_every_error_type_is_documented(kind: str) -> None:
    assert f"`{kind}`" in sources.text("docs/errors.md")


@pytest.mark.parametrize("scope", SCOPES)
def test_every_scope_is_documented(scope: str) -> None:
    assert f"`{scope}`" in sources.text("docs/authentication.md")


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_is_documented(event: str) -> None:
    assert f"`{event}`" in sources.text("docs/webhooks.md")


def test_the_documentation_names_no_setting_that_does_not_exist() -> None:
    known = {setting.variable for setting in SETTINGS}
    named = {name for page in PAGES for name in re.findall(r"\bLOCI_[A-Z0-9_]*[A-Z0-9]\b", sources.text(page))}
    assert {name for name in named if not name.startswith("LOCI_TEST")} - known == set()


def broken_links() -> Iterator[str]:
    """Yield page and target of every relative link that leads nowhere."""
    for page in PAGES:
        for target in LINK.findall(sources.text(page)):
            path, _, anchor = target.partition("#")
            file = (sources.ROOT / page).parent / path if path else sources.ROOT / page
            if not file.exists() or (anchor and anchor not in anchors(file)):
                yield f"{page}: {target}"


def anchors(page: Path) -> set[str]:
    """Return the names under which the headings of a page can be linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_inside_the_documentation_lead_somewhere() -> None:
    assert list(broken_links()) == []


def test_every_page_is_linked_from_the_readme() -> None:
    readme = sources.text("README.md")
    assert [page for page in PAGES if page.startswith("docs/") and f"({page}" not in readme] == []


def test_make_help_lists_every_target_a_person_calls() -> None:
    makefile = sources.text("Makefile")
    phony = set(re.findall(r"[\w-]+", makefile.partition(".PHONY:")[2].replace("\\\n", " ").partition("\n")[0]))
    helped = set(re.findall(r"^([\w-]+):.*## ", makefile, re.MULTILINE))
    assert phony - helped == {"venv-runtime", "venv-dev", "lint", "types", "docs-check"}
