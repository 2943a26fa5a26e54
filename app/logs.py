"""Structured logs on standard error: JSON lines in production, columns on a terminal. Ids only, never texts or keys."""

import logging
import sys
import time

import structlog
from flask import Flask, Response, g, request

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

log = structlog.get_logger()


def configure(level: str, format: str) -> None:
    """Set up logging for this process; `format` is `json`, `console` or `auto`."""
    readable = format == "console" or (format == "auto" and sys.stderr.isatty())
    # The default traceback of the console shows local variables: memory texts and keys among them.
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if readable
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if readable else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def init_app(app: Flask) -> None:
    """Write one line for each request: route, status and milliseconds."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        took = 1000 * (time.perf_counter() - g.get("started", time.perf_counter()))
        route = request.url_rule.rule if request.url_rule else None
        log.info("request", method=request.method, route=route, status=response.status_code, ms=round(took, 1))
        return response
