"""The API process: gunicorn over the app, on the socket that the supervisor holds (`python -m app.serving FD`)."""

import sys
from typing import Any

from gunicorn.app.base import BaseApplication

from app import create_app, logs, space_watch, warmup
from app.bootstrap import build_state, connection, embedder_in_force
from app.broken_requests import LONGEST_HEADER, LONGEST_LINE, MOST_HEADERS, Worker
from app.config import Settings, load_settings
from app.parent import GRACE_SECONDS, end_with_parent
from graph.driver import Graph


class Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn with threads; each worker process builds its own state after the fork."""

    def __init__(self, settings: Settings, bind: str) -> None:
        self.settings = settings
        self.bind = bind
        super().__init__()

    def load_config(self) -> None:
        """Hand our settings to gunicorn."""
        options: dict[str, Any] = {
            "bind": self.bind,
            "workers": self.settings.workers,
            "threads": self.settings.threads,
            "worker_class": Worker,
            "limit_request_line": LONGEST_LINE,
            "limit_request_fields": MOST_HEADERS,
            "limit_request_field_size": LONGEST_HEADER,
            "timeout": 120,
            "graceful_timeout": GRACE_SECONDS,
            "keepalive": 30,
            "loglevel": "warning",
            "proc_name": "loci",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the WSGI app of this worker process."""
        logs.configure(self.settings.log_level, self.settings.log_format)
        graph = Graph(connection(self.settings))
        parts = build_state(self.settings, graph, embedder_in_force(self.settings, graph))
        warmup.start(parts)
        app = create_app(parts)
        space_watch.watch(app)
        return app


if __name__ == "__main__":
    end_with_parent()
    sys.argv[1:], argument = [], sys.argv[1]
    Server(load_settings(), f"fd://{int(argument)}").run()
