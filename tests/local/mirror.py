"""A Maven repository on loopback that can misbehave, and locks of small jars to fetch from it."""

import hashlib
import io
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from app.local.lockfile import Lock, LockedFile, parse_lock


def path_of(file: LockedFile) -> str:
    group, artifact, version, _ = file.parts
    return f"/{group.replace('.', '/')}/{artifact}/{version}/{file.filename}"


@dataclass
class Mirror:
    """Serves `files` by path. `truncated` paths end half way, `broken` ones answer 503, each as often as it says."""

    files: dict[str, bytes]
    truncated: dict[str, int] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        mirror = self
        self.gate.set()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = mirror.files.get(self.path)
                if content is None or mirror.spend(mirror.broken, self.path):
                    self.send_error(404 if content is None else 503)
                    return
                mirror.asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                half = len(content) // 2
                self.wfile.write(content[:half])
                self.wfile.flush()
                mirror.gate.wait(30)
                if not mirror.spend(mirror.truncated, self.path):
                    self.wfile.write(content[half:])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/maven"

    @staticmethod
    def spend(budget: dict[str, int], path: str) -> bool:
        left = budget.get(path, 0)
        budget[path] = left - 1
        return left > 0


def jars(count: int) -> dict[str, bytes]:
    """Return jar contents by coordinate."""
    return {f"org.example:part-{number:02}:1.{number}": bytes([number]) * (1000 + number) for number in range(count)}


def model_jar() -> dict[str, bytes]:
    """Return one jar with two members, by coordinate."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("deep/small.onnx", b"weights" * 100)
        archive.writestr("tokens.json", b"{}")
        archive.writestr("Other.class", b"never unpacked")
    return {"org.example:model:2.0": packed.getvalue()}


def lock_of(contents: dict[str, bytes], *, name: str = "sample", version: str = "1", members: str = "") -> Lock:
    """Return a lock of these jars, written and read as a real one."""
    entries = "".join(
        f'{{ coordinate = "{coordinate}", sha256 = "{hashlib.sha256(content).hexdigest()}", '
        f"size = {len(content)}{members} }},\n"
        for coordinate, content in contents.items()
    )
    return parse_lock(
        f'name = "{name}"\nversion = "{version}"\ntitle = "Sample"\nroots = []\nfiles = [\n{entries}]\n'
        '[facts]\npooling = "cls"\n'
    )


def model_lock(contents: dict[str, bytes], weights: bytes = b"weights" * 100) -> Lock:
    """Return the lock of `model_jar`, with the digest of other weights when asked."""
    members = ", ".join(
        f'{{ path = "{path}", name = "{name}", sha256 = "{hashlib.sha256(content).hexdigest()}", '
        f"size = {len(content)} }}"
        for path, name, content in [
            ("deep/small.onnx", "model.onnx", weights),
            ("tokens.json", "tokenizer.json", b"{}"),
        ]
    )
    return lock_of(contents, name="model", members=f", members = [{members}]")


def served(lock: Lock, contents: dict[str, bytes]) -> dict[str, bytes]:
    """Return the contents by path, below the folder that `Mirror.url` names."""
    return {f"/maven{path_of(file)}": contents[file.coordinate] for file in lock.files}


def stored(lock: Lock, contents: dict[str, bytes], root: Path) -> None:
    """Write the contents as a repository folder."""
    for file in lock.files:
        path = root / path_of(file).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[file.coordinate])
