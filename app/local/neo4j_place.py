"""One home's Neo4j as seen from outside: its files, whether it answers, what to say when it does not."""

import os
import shutil
from dataclasses import dataclass, field

from app.local.errors import ServerError
from app.local.home import Home
from app.local.neo4j_process import Facts, Record, listens, serves, tail
from graph.driver import Connection, Graph
from graph.errors import Refused

USER = "neo4j"
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")
_FULL_DISK = 200_000_000  # bytes


@dataclass(frozen=True)
class Server:
    """A server that answers. `attached` tells that it ran already; `owner` is the process that started it."""

    bolt_url: str
    browser_url: str
    user: str
    password: str = field(repr=False)
    pid: int
    attached: bool
    detached: bool
    owner: int


class Place:
    """Where a home keeps its server, and what can be learnt of it without starting or stopping anything."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.folder = home.neo4j
        self.conf = self.folder / "conf"
        self.record_path = self.folder / "server.json"
        self.logs = home.logs / "neo4j"
        self.console = self.logs / "console.log"
        self.log = self.logs / "neo4j.log"
        self.password_path = home.secrets / "neo4j-password"

    def record(self) -> Record | None:
        """Return what the guard has written, if it has."""
        return Record.read(self.record_path)

    def has_store(self) -> bool:
        """Whether a server has run here before, so that the store has its password."""
        return (self.folder / "data" / "databases" / "system").exists()

    def environment(self) -> dict[str, str]:
        """Return the server's environment: no secrets of Loci, and none of the variables that change a JVM's flags."""
        kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("LC_")}
        return {**kept, "NEO4J_HOME": str(self.folder), "NEO4J_CONF": str(self.conf)}

    def ready(self, facts: Facts) -> bool:
        """Whether Bolt takes our password, the database is open and HTTP listens.

        Raises:
            ServerError: it does not take our password.
        """
        if not (listens(facts.bolt_port) and serves(facts.http_port)):
            return False
        graph = Graph(Connection(_bolt(facts), USER, self.home.neo4j_password(), pool_size=1))
        try:
            graph.ping()
        except Refused as error:
            raise ServerError(
                "Neo4j does not accept the password that Loci keeps for it.",
                f"If you changed it, write the new one to {self.password_path}; if that file was lost, restore it "
                "from a backup.",
            ) from error
        except Exception:  # whatever a starting server and its driver say besides can pass
            return False
        finally:
            graph.close()
        return True

    def server(self, record: Record, *, attached: bool) -> Server:
        """Return the public description of the server that a record tells of."""
        facts = record.facts
        return Server(
            bolt_url=_bolt(facts),
            browser_url=f"http://127.0.0.1:{facts.http_port}/browser/",
            user=USER,
            password=self.home.neo4j_password(),
            pid=record.java.pid,
            attached=attached,
            detached=facts.detached,
            owner=facts.owner,
        )

    def failure(self, message: str, begin: int = 0) -> ServerError:
        """Return an error that carries the end of the logs, none of the JVM's output from before byte `begin`."""
        lines = [*tail(self.console, 15, begin), *tail(self.log, 15)]
        shown = "\n".join(f"  {line[:300]}" for line in lines)
        return ServerError(f"{message} The end of its log:\n{shown}", self._remedy(shown))

    def _remedy(self, log: str) -> str:
        if shutil.disk_usage(self.home.path).free < _FULL_DISK:
            return f"The disk of {self.home.path} is full: make room."
        if any(sign in log for sign in ("OutOfMemory", "physical memory", "reserve enough space")):
            return "Set LOCI_NEO4J_HEAP and LOCI_NEO4J_PAGE_CACHE to less, for example 512m and 256m."
        return f"The whole log is in {self.logs}."


def _bolt(facts: Facts) -> str:
    return f"bolt://127.0.0.1:{facts.bolt_port}"
