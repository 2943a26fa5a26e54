"""Write those parts of the documentation that the code knows best; with `--check`, only say what is out of date.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the text around it is written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from app.cli import loci
from app.config import SETTINGS, Setting
from app.errors import ERRORS
from app.events import EVENTS
from app.scopes import SCOPES
from graph.outbox import FACTS

ROOT = Path(__file__).resolve().parent.parent
END = "<!-- end -->"


def settings_table() -> str:
    """Return one row for each setting."""
    rows = ["| variable | default | what it does |", "|---|---|---|"]
    return "\n".join(rows + [f"| `{s.variable}` | {_default(s)} | {s.help} |" for s in SETTINGS])


def _default(setting: Setting) -> str:
    return "(empty)" if setting.default == "" else f"`{setting.default}`"


def environment_file() -> str:
    """Return `.env.example`: every setting with its sentence, commented out at its default."""
    head = (
        "# Settings of Loci, each at its default. Copy to .env, take away the # and change what you need.\n"
        "# Explained in docs/configuration.md; made from app/config.py by `make docs`.\n"
    )
    return head + "".join(f"\n# {s.help.replace('`', '')}\n#{s.variable}={s.default}\n" for s in SETTINGS)


def errors_table() -> str:
    """Return one row for each error type."""
    rows = ["| status | `type` | when |", "|---|---|---|"]
    return "\n".join(rows + [f"| {e.status} | `{e.type}` | {_first_line(e.__doc__)} |" for e in ERRORS])


def scopes_table() -> str:
    """Return one row for each scope."""
    rows = ["| scope | allows |", "|---|---|"]
    return "\n".join(rows + [f"| `{name}` | {sentence} |" for name, sentence in SCOPES.items()])


def events_table() -> str:
    """Return one row for each event."""
    rows = ["| event | what happened |", "|---|---|"]
    return "\n".join(rows + [f"| `{name}` | {sentence} |" for name, sentence in EVENTS.items()])


def facts_table() -> str:
    """Return one row for each noun, with what its events may say beside the id."""
    rows = ["| `object` | facts |", "|---|---|"]
    for noun, facts in FACTS.items():
        told = "; ".join(f"`{name}`: {sentence}" for name, sentence in facts.items())
        rows.append(f"| `{noun}` | {told} |")
    return "\n".join(rows)


def commands(group: click.Group, prefix: str = "loci") -> Iterator[tuple[str, str]]:
    """Yield every command of the command line with its one-line help, groups unfolded."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            raise LookupError(f"{prefix} {name} is listed and does not exist")
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", _first_line(command.help)


def commands_table() -> str:
    """Return one row for each command."""
    rows = ["| command | what it does |", "|---|---|"]
    return "\n".join(rows + [f"| `{name}` | {sentence} |" for name, sentence in commands(loci)])


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


# file -> the parts in it
PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "docs/configuration.md": {"settings": settings_table},
    "docs/errors.md": {"errors": errors_table},
    "docs/authentication.md": {"scopes": scopes_table},
    "docs/webhooks.md": {"events": events_table, "facts": facts_table},
    "docs/operations.md": {"commands": commands_table},
}


def with_part(page: str, name: str, content: str) -> str:
    """Return `page` with the generated part `name` replaced by `content`.

    Raises:
        ValueError: the page has no such part.
    """
    start = f"<!-- generated: {name} -->"
    before, opened, rest = page.partition(start)
    _, closed, after = rest.partition(END)
    if not opened or not closed:
        raise ValueError(f"no part between {start} and {END}")
    return f"{before}{start}\n{content}\n{END}{after}"


def pages() -> dict[str, str]:
    """Return the text that each page with generated parts should have."""
    found = {".env.example": environment_file()}
    for path, parts in PARTS.items():
        page = (ROOT / path).read_text("utf-8")
        for name, make in parts.items():
            page = with_part(page, name, make())
        found[path] = page
    return found


def stale() -> list[str]:
    """Return the pages that differ from what they should be."""
    return [path for path, page in pages().items() if not _is(ROOT / path, page)]


def _is(path: Path, page: str) -> bool:
    return path.exists() and path.read_text("utf-8") == page


def main(arguments: list[str]) -> int:
    changed = stale()
    if "--check" in arguments:
        print("\n".join(f"{path} is out of date: run `make docs`" for path in changed) or "documentation is up to date")
        return 1 if changed else 0
    wanted = pages()
    for path in changed:
        (ROOT / path).write_text(wanted[path], "utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
