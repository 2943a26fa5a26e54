"""Starts everything in order, keeps it running, and stops it in order.

The supervisor holds the API's listening socket, so that a port that is taken is known before anything else starts, and
hands it to the API process. The API and the worker are children in its process group; one that
dies is started again, after a pause that grows while it keeps dying.
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from types import FrameType
from typing import Any

import click
import httpx2

from app.bootstrap import connection, embedder_in_force, pepper, prepare
from app.config import ConfigError, Settings
from app.local.artifacts import fetch
from app.local.errors import LocalError, OccupiedError, PortTakenError
from app.local.home import Home
from app.local.managed import managed_neo4j, needed_artifacts
from app.local.neo4j import ManagedNeo4j
from app.local.neo4j_place import Server
from app.local.progress import console_progress
from app.parent import GRACE_SECONDS
from app.restarts import Restarts
from app.scopes import ALL_SCOPES
from app.services.keys import make_first_key
from graph.driver import Graph
from graph.keys import KeyDirectory

READY_SECONDS = 60
STOP_SECONDS = 20
POLL_SECONDS = 0.2
# Until the processes of one that was killed have noticed it and ended.
ORPHAN_SECONDS = GRACE_SECONDS + 5


class Supervisor:
    """One `loci serve`."""

    def __init__(self, settings: Settings, port: int | None = None) -> None:
        self.settings = settings if port is None else replace(settings, port=port)
        self.home = Home(settings.home_path)
        self.stopping = False
        self.starting = True
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.neo4j: ManagedNeo4j | None = None
        self.environment = dict(os.environ)
        self.restarts = Restarts()

    def run(self) -> int:
        """Serve until told to stop; return the exit status.

        Raises:
            LocalError, ConfigError, GraphError, EmbedderError: it cannot start; each names the remedy.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        try:
            with self._listen() as listener:
                first = self._start(listener)
                self.starting = False
                self._raise_if_stopping()
                self._announce(listener, first)
                self._watch(listener)
        except Stopped:
            return 0
        finally:
            self._end()
        return 0

    def _start(self, listener: socket.socket) -> dict[str, Any]:
        progress = console_progress()
        click.echo("Starting Loci. The first start fetches Neo4j and the embedding model (220 MB).", err=True)
        known: dict[str, Any] = {}
        settings = self.settings
        for name in needed_artifacts(settings):
            fetch(name, self.home, settings.maven_url or None, progress)
        if settings.managed:
            self.neo4j = managed_neo4j(settings, progress)
            server = self.neo4j.start()
            settings = replace(
                settings, neo4j_uri=server.bolt_url, neo4j_user=server.user, neo4j_password=server.password
            )
            known["neo4j_browser_url"] = server.browser_url
        graph = Graph(connection(settings))
        model = embedder_in_force(settings, graph, progress)
        prepare(settings, graph, model, serving=True)
        key = make_first_key(KeyDirectory(graph), pepper(settings), ALL_SCOPES)
        graph.close()
        # Before anything else can fail: the database keeps only the key's digest.
        self._keep(listener, settings, known, key)
        model.close()
        self.environment |= {
            "NEO4J_URI": settings.neo4j_uri,
            "NEO4J_USER": settings.neo4j_user,
            "NEO4J_PASSWORD": settings.neo4j_password,
        }
        self._spawn("api", listener)
        self._spawn("worker", listener)
        self._wait_until_ready(listener)
        return known | {"key": key}

    def _keep(self, listener: socket.socket, settings: Settings, known: dict[str, Any], key: str | None) -> None:
        before = self.home.read_credentials()
        self.home.write_credentials(
            {
                "base_url": self._url(listener),
                "api_key": key or before.get("api_key", ""),
                "neo4j_bolt_url": settings.neo4j_uri,
                "neo4j_browser_url": known.get("neo4j_browser_url", ""),
                "neo4j_user": settings.neo4j_user,
                "neo4j_password": settings.neo4j_password,
            }
        )

    def _announce(self, listener: socket.socket, known: dict[str, Any]) -> None:
        key = known.pop("key")
        url = self._url(listener)
        lines = [f"Loci is ready.  API  {url}/v1/health", f"                Docs {url}/docs"]
        if "neo4j_browser_url" in known:
            lines.append(f"       Neo4j Browser {known['neo4j_browser_url']}  (sign-in: {self.home.credentials})")
        if key:
            lines.append(f"             API key {key}  (shown once; kept in {self.home.credentials})")
        click.echo("\n".join(lines))
        sys.stdout.flush()

    def _watch(self, listener: socket.socket) -> None:
        while True:
            time.sleep(POLL_SECONDS)
            self._raise_if_stopping()
            if self.neo4j is not None and not self.neo4j.alive():
                click.echo("loci: Neo4j has ended; starting it again.", err=True)
                self._restart_neo4j(self.neo4j, listener)
            for name, child in list(self.children.items()):
                if child.poll() is not None:
                    self._revive(name, child.returncode, listener)

    def _revive(self, name: str, status: int, listener: socket.socket) -> None:
        pause = self.restarts.ended(name)
        if pause is not None:
            click.echo(f"loci: the {name} process ended with {status}; starting it again in {pause:g} s.", err=True)
        if self.restarts.due(name):
            self._spawn(name, listener)

    def _restart_neo4j(self, neo4j: ManagedNeo4j, listener: socket.socket) -> None:
        neo4j.stop()
        server = self._started(neo4j)
        if server.bolt_url != self.environment["NEO4J_URI"]:
            # The port was a free one and is another now: the children learn of it by being started again.
            self.environment["NEO4J_URI"] = server.bolt_url
            self._end_children()
            found = self.home.read_credentials()
            self.home.write_credentials(
                found | {"neo4j_bolt_url": server.bolt_url, "neo4j_browser_url": server.browser_url}
            )
            for name in ("api", "worker"):
                self._spawn(name, listener)

    def _started(self, neo4j: ManagedNeo4j) -> Server:
        while True:
            try:
                return neo4j.start()
            except OccupiedError:
                # `loci backup` copies a large store: it ends by itself.
                self._raise_if_stopping()

    def _spawn(self, name: str, listener: socket.socket) -> None:
        fd = listener.fileno()
        arguments = ["-m", "app.serving", str(fd)] if name == "api" else ["-m", "app.cli", "worker", "--supervised"]
        self.children[name] = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            [sys.executable, *arguments],
            env=self.environment,
            pass_fds=[fd] if name == "api" else [],
            stdin=subprocess.DEVNULL,
        )
        self.restarts.started(name)

    def _wait_until_ready(self, listener: socket.socket) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            self._raise_if_stopping()
            if self.children["api"].poll() is not None:
                raise LocalError("The API process ended while starting.", "Its reason stands above.")
            try:
                if httpx2.get(f"{self._url(listener)}/v1/health", timeout=5, trust_env=False).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.05)
        raise LocalError(f"The API did not answer within {READY_SECONDS} seconds.", "Its reason stands above.")

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.settings.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ours = self.home.read_credentials().get("base_url", "").endswith(f":{self.settings.port}")
        deadline, told = time.monotonic() + (ORPHAN_SECONDS if ours else 0), False
        while (error := self._bind(listener)) is not None:
            self._raise_if_stopping()
            taken = error.errno == errno.EADDRINUSE
            if taken and time.monotonic() < deadline:
                if not told:
                    click.echo(f"loci: waiting for the server that has port {self.settings.port} to end.", err=True)
                told = True
                time.sleep(POLL_SECONDS)
                continue
            listener.close()
            if taken:
                raise PortTakenError(self.settings.port, "LOCI_PORT") from error
            raise ConfigError(f"LOCI_HOST: cannot listen on {self.settings.host}: {error.strerror}") from error
        listener.listen(512)
        return listener

    def _bind(self, listener: socket.socket) -> OSError | None:
        try:
            listener.bind((self.settings.host, self.settings.port))
        except OSError as error:
            return error
        return None

    def _url(self, listener: socket.socket) -> str:
        host, port = listener.getsockname()[:2]
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
        return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.starting and self.stopping:
            # Asked twice while something hangs: the locks that end with this process make Neo4j stop in order.
            os._exit(130)
        self.stopping = True
        if self.starting:
            raise Stopped

    def _raise_if_stopping(self) -> None:
        if self.stopping:
            raise Stopped

    def _end(self) -> None:
        self._end_children()
        if self.neo4j is not None:
            self.neo4j.stop()

    def _end_children(self) -> None:
        for child in self.children.values():
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


class Stopped(KeyboardInterrupt):
    """Somebody asked the supervisor to stop; no handler of errors takes it for one."""
