"""Files that clients send: taken in piece by piece, kept in the graph, and read from there like a file on disk.

So any worker on any host may read what any API process took in, and neither needs room on a disk.
"""

import io
from collections.abc import Callable
from typing import Any

import orjson

from app.auth import Principal
from app.errors import Invalid, TooLarge
from app.ids import new_id
from app.services.transfer.form import LONGEST_LINE, TransferError
from app.services.transfer.imports import whole
from app.services.transfer.lines import begun
from app.state import State
from graph.imports import ImportRepository
from graph.records import Row

PIECE = 1024 * 1024
MEGABYTE = 1024 * 1024


class Upload(io.RawIOBase):
    """A kept file, as something to read and seek in; holds one piece at a time."""

    def __init__(self, repository: ImportRepository, id: str, size: int) -> None:
        self.repository, self.id, self.size = repository, id, size
        self.at = 0
        self.number, self.piece = -1, b""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        return self.at

    def tell(self) -> int:
        """Return the place."""
        return self.at

    def readinto(self, buffer: Any) -> int:
        """Read up to the end of a piece."""
        number, start = divmod(self.at, PIECE)
        if number != self.number:
            self.number, self.piece = number, self.repository.chunk(self.id, number)
        part = self.piece[start : start + len(buffer)]
        buffer[: len(part)] = part
        self.at += len(part)
        return len(part)


def opened(repository: ImportRepository, id: str, size: int) -> io.BufferedReader:
    """Return the file of an import."""
    return io.BufferedReader(Upload(repository, id, size), PIECE)


def accept(parts: State, caller: Principal, more: Callable[[int], bytes]) -> dict[str, Any]:
    """Take a file in and queue its import; `more(n)` gives its next bytes, none at its end.

    Raises:
        Invalid: it is no whole export.
        TooLarge: it is larger than LOCI_IMPORT_MB.
    """
    repository = ImportRepository(parts.graph, caller)
    id = new_id()
    try:
        size = _kept(parts, repository, id, more)
        with opened(repository, id, size) as file:
            lines = whole(file)
            begun(file.readline(LONGEST_LINE))
        return shown(repository.create(id, size, lines))
    except BaseException as error:
        repository.drop(id)
        if isinstance(error, TransferError):
            raise Invalid(str(error), [{"field": error.field, "message": error.message}]) from error
        raise


def too_large(parts: State) -> TooLarge:
    """Return the error for a file that is larger than this server takes."""
    return TooLarge(f"A file has at most {parts.settings.import_mb} MB here; use `loci import` on the server")


def _kept(parts: State, repository: ImportRepository, id: str, more: Callable[[int], bytes]) -> int:
    size = number = 0
    most = parts.settings.import_mb * MEGABYTE
    piece = bytearray()
    while data := more(PIECE):
        size += len(data)
        if size > most:
            raise too_large(parts)
        piece += data
        while len(piece) >= PIECE:
            repository.keep(id, number, bytes(piece[:PIECE]))
            del piece[:PIECE]
            number += 1
    if piece:
        repository.keep(id, number, bytes(piece))
    return size


def shown(row: Row) -> dict[str, Any]:
    """Return an import as the wire shows it."""
    report, fault = (orjson.loads(row.pop(name) or "null") for name in ("report", "fault"))
    return {**row, "result": report, "fault": fault}
