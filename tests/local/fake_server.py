"""Stands in for the Java launcher: listens where neo4j.conf says, and misbehaves as the files beside its conf tell.

Run by the guard exactly as Java would be. Files in the server's folder: `stubborn` (SIGTERM is ignored), `crash`
(ends at once), `mute` (never opens its ports), `orphan` (outlives a killed guard).
"""

import ctypes
import os
import signal
import socket
import sys
import time
from pathlib import Path


def listen(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    try:
        return socket.create_server((host, int(port)))
    except OSError:
        sys.exit(f"PortBindException: An error occurred while trying to bind to the socket /{address}")


def main() -> None:
    if "-version" in sys.argv:
        sys.stderr.write('openjdk version "25.0.2"\n')
        return
    if "set-initial-password" in sys.argv:
        assert sys.argv[-1].startswith("@")
        return
    folder = Path(next(item for item in sys.argv if item.startswith("--home-dir=")).split("=")[1])
    (folder / "runs").open("a").write(f"{os.getpid()} {sorted(os.environ)}\n")
    if (folder / "crash").exists():
        sys.exit("Exception: the store is upside down")
    if (folder / "orphan").exists():
        ctypes.CDLL(None).prctl(1, 0)  # forget what the guard asked the kernel for
    signal.signal(signal.SIGTERM, signal.SIG_IGN if (folder / "stubborn").exists() else lambda *_: sys.exit(0))
    conf = dict(line.split("=", 1) for line in (folder / "conf" / "neo4j.conf").read_text().splitlines() if "=" in line)
    sockets = []
    if not (folder / "mute").exists():
        sockets = [listen(conf[f"server.{kind}.listen_address"]) for kind in ("bolt", "http")]
    while sockets or (folder / "mute").exists():
        time.sleep(60)


main()
