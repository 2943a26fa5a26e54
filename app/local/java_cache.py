"""The Java machine's cache: Neo4j's classes loaded and linked, and what the compilers saw, from one run for training.

A server starts from it in about half the time (JEP 483, 514 and 515; Java 25 and newer). Java leaves a cache alone that
was made for another build, other files or other flags, and starts as without one.
"""

import hashlib
from pathlib import Path

from app.local.home import Home
from app.local.java import Java
from app.local.neo4j_config import java_flags

SINCE = 25
PREFIX = "java-"
# What Java says of a part of the cache that it does not take is of no use to anybody who reads the log.
_QUIET = "-Xlog:aot*=off"


def place(home: Home, version: str, java: Java) -> Path | None:
    """Return where the cache for this Neo4j on this Java is, or will be; None for a Java that has none."""
    if java.major < SINCE or not java.build:
        return None
    made_for = "\n".join((version, java.build, *java_flags(java)))
    return home.artifacts / f"{PREFIX}{hashlib.sha256(made_for.encode()).hexdigest()[:16]}.aot"


def flags(home: Home, version: str, java: Java) -> list[str]:
    """Return the flags that let a server start from its cache; none where there is no cache."""
    path = place(home, version, java)
    return [f"-XX:AOTCache={path}", _QUIET] if path and path.exists() else []
