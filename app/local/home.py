"""LOCI_HOME: where artifacts, the database, logs, secrets and credentials live, readable by their owner only."""

import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

from app.local.errors import HomeError
from app.local.locking import FileLock


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file of mode 0600 that takes the place of `path` at the end: readers see the old or the whole new one."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def write_private(path: Path, text: str) -> None:
    """Write a text that only its owner may read, the whole of it or nothing."""
    with replacing(path) as file:
        file.write(text.encode())


class Home:
    """The layout of one LOCI_HOME. Nothing is touched before `create` or the first write."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().absolute()
        self.artifacts = self.path / "artifacts"
        self.neo4j = self.path / "neo4j"
        self.logs = self.path / "logs"
        self.secrets = self.path / "secrets"
        self.credentials = self.path / "credentials.json"

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r})"

    def create(self) -> Self:
        """Make the folders, mode 0700; a home that exists keeps its own mode, the folders in it are closed.

        Raises:
            HomeError: the folder cannot be made or written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.artifacts, self.neo4j, self.logs, self.secrets):
                folder.mkdir(mode=0o700, exist_ok=True)
                if folder.stat().st_mode & 0o077:
                    folder.chmod(0o700)
        except OSError as error:
            raise HomeError(
                f"{self.path} cannot be used: {error.strerror}.",
                "Set LOCI_HOME to a folder that you may write, or change the owner of this one.",
            ) from error
        return self

    def neo4j_password(self) -> str:
        """Return the password of the managed Neo4j, made on first use."""
        return self._secret("neo4j-password", lambda: secrets.token_hex(24), 24)

    def pepper(self) -> str:
        """Return the 64 hex digits that key digests depend on, made on first use."""
        return self._secret("key-pepper", lambda: secrets.token_hex(32), 32)

    def master_key(self) -> str:
        """Return the 64 hex digits that stored secrets are encrypted with, made on first use."""
        return self._secret("master-key", lambda: secrets.token_hex(32), 32)

    def former_master_key(self) -> str | None:
        """Return the master key before this one, while it is being replaced."""
        if not (self.secrets / "master-key.former").exists():
            return None
        return self._secret("master-key.former", lambda: "", 32)

    def replace_master_key(self) -> None:
        """Make a new master key; the present one is kept as the former until `drop_former_master_key`.

        Where a replacement is under way nothing happens: its former key is still needed.
        """
        self.master_key()
        path, kept = self.secrets / "master-key", self.secrets / "master-key.former"
        with FileLock(self.secrets / ".lock"):
            before = path.read_text(encoding="utf-8").strip()
            # Both are the same where a process died between the two writes.
            if kept.exists() and kept.read_text(encoding="utf-8").strip() != before:
                return
            # In this order: whoever reads between the two writes finds every key that is in use.
            write_private(kept, before + "\n")
            write_private(path, secrets.token_hex(32) + "\n")

    def drop_former_master_key(self) -> None:
        """Forget the master key before: nothing is sealed with it any more."""
        (self.secrets / "master-key.former").unlink(missing_ok=True)

    def write_credentials(self, values: Mapping[str, Any]) -> None:
        """Replace `credentials.json`, mode 0600."""
        self.create()
        write_private(self.credentials, json.dumps(dict(values), indent=2) + "\n")

    def read_credentials(self) -> dict[str, Any]:
        """Return what `credentials.json` says; empty when there is none.

        Raises:
            HomeError: the file is not a JSON object.
        """
        try:
            found = json.loads(self.credentials.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise HomeError(f"{self.credentials} cannot be read.", "Delete it; `loci serve` writes it anew.") from error
        if not isinstance(found, dict):
            raise HomeError(f"{self.credentials} is not a JSON object.", "Delete it; `loci serve` writes it anew.")
        return found

    def _secret(self, name: str, make: Callable[[], str], size: int) -> str:
        path = self.secrets / name
        self.create()
        # The lock makes the first of several processes the one whose value all of them read.
        with FileLock(self.secrets / ".lock"):
            if not path.exists():
                write_private(path, make() + "\n")
            value = path.read_text(encoding="utf-8").strip()
        if len(value) != 2 * size or set(value) - set("0123456789abcdef"):
            # Never replaced silently: the database, every key digest and every sealed secret depend on the old value.
            raise HomeError(f"{path} is damaged: {2 * size} hex digits were expected.", "Restore it from a backup.")
        return value
