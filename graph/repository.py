"""The base of every repository: it cannot be made without a tenant, and hands that tenant to every query."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol, TypeVar

from graph import outbox
from graph.driver import Graph, Transaction
from graph.errors import Conflict, NotFound
from graph.outbox import Happened
from graph.records import Row
from graph.sealing import ALL, OFF, is_digest

T = TypeVar("T")


class Tenanted(Protocol):
    """Whoever calls: all a repository needs to know is the tenant."""

    @property
    def tenant(self) -> str: ...


class Repository:
    """Queries of one noun inside one tenant.

    A write method may be given the caller's open transaction (`tx`), so that several writes commit together.

    Raises:
        ValueError: the caller has no tenant.
    """

    kind: ClassVar[str] = "Item"
    taken: ClassVar[str] = "Something with the same unique name or id exists already"

    def __init__(self, graph: Graph, caller: Tenanted, tx: Transaction | None = None) -> None:
        if not caller.tenant:
            raise ValueError("a repository needs a tenant")
        self.graph = graph
        self.caller = caller
        self.tenant = caller.tenant
        self.tx = tx

    def read(self, query: str, **parameters: Any) -> list[Row]:
        """Return the rows of a reading query."""
        if self.tx is not None:
            return self.tx.run(query, tenant=self.tenant, **parameters)
        return self.graph.read(query, tenant=self.tenant, **parameters)

    def write(self, query: str, **parameters: Any) -> list[Row]:
        """Return the rows of a writing query.

        Raises:
            Conflict: a unique name or id is taken.
        """
        if self.tx is not None:
            return self.tx.run(query, tenant=self.tenant, **parameters)
        with self.said_clearly():
            return self.graph.write(query, tenant=self.tenant, **parameters)

    def one(self, query: str, **parameters: Any) -> Row:
        """Return the only row of a reading query.

        Raises:
            NotFound: there is none.
        """
        return self._only(self.read(query, **parameters))

    def write_one(self, query: str, **parameters: Any) -> Row:
        """Return the only row of a writing query.

        Raises:
            NotFound: there is none.
        """
        return self._only(self.write(query, **parameters))

    def telling(self, query: str, told: Callable[[list[Row]], Iterable[Happened]], **parameters: Any) -> list[Row]:
        """Return the rows of a writing query; what `told` makes of them is announced, in the same transaction.

        Raises:
            Conflict: a unique name or id is taken.
        """

        def work(tx: Transaction) -> list[Row]:
            found = tx.run(query, tenant=self.tenant, **parameters)
            outbox.write(tx, self.tenant, told(found))
            return found

        with self.said_clearly():
            return self.together(work)

    def tell(self, *happened: Happened) -> None:
        """Announce changes that were made in the open transaction this repository was given.

        Raises:
            ValueError: there is none; an event beside a transaction could be told of what never happened.
        """
        if self.tx is None:
            raise ValueError("an event is written in the transaction of its change")
        outbox.write(self.tx, self.tenant, happened)

    @contextmanager
    def said_clearly(self) -> Iterator[None]:
        """Give a uniqueness error of the block this noun's own words."""
        try:
            yield
        except Conflict as error:
            raise Conflict(self.taken) from error

    def edit(
        self,
        lock: str,
        update: str,
        show: str,
        change: Callable[[Row], Row],
        told: Callable[[Row, Row], Iterable[Happened]],
        **parameters: Any,
    ) -> Row:
        """Lock one node with `lock`, let `change` make its new properties of what is stored, and write them.

        `change` may run twice. What it answers and `lock` shows to be so already is no change. `update` gets the rest
        as `$changes`; what `told` makes of the row that it answers and of those changes is announced. Where nothing is
        left, nothing is written, and the row of `show` is returned.

        Raises:
            NotFound: `lock` found nothing.
            Conflict: a unique name is taken.
        """

        def work(tx: Transaction) -> Row:
            found = self._only(tx.run(lock, tenant=self.tenant, **parameters))
            changes = differing(change(found), found)
            if not changes:
                return self._only(tx.run(show, tenant=self.tenant, **parameters))
            row = self._only(tx.run(update, tenant=self.tenant, changes=changes, **parameters))
            outbox.write(tx, self.tenant, told(row, changes))
            return row

        with self.said_clearly():
            return self.together(work)

    def digested(self, text: str) -> str:
        """Return what is stored where a name is looked up: of an encrypted tenant its digest, else the text."""
        cipher = self.graph.cipher
        return text if cipher is None or not self.seals or is_digest(text) else cipher.digest(self.tenant, text)

    @property
    def mode(self) -> str:
        """How much of the tenant is sealed: one of those of `graph.sealing`."""
        return OFF if self.graph.cipher is None else self.graph.cipher.mode(self.tenant)

    @property
    def seals(self) -> bool:
        """Whether all that the tenant says is sealed in the database."""
        return self.mode == ALL

    def together(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the caller's transaction, or in a new one."""
        if self.tx is not None:
            return work(self.tx)
        return self.graph.transaction(work)

    def _only(self, found: list[Row]) -> Row:
        if not found:
            raise NotFound(self.kind)
        return found[0]


def differing(changes: Row, before: Row) -> Row:
    """Return those of the changes that are not so already."""
    return {name: value for name, value in changes.items() if name not in before or before[name] != value}
