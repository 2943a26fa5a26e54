"""What docs/webhooks.md tells consumers to do is run: on a delivery that was really sent, and on forged ones."""

import base64
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.contract import sources
from tests.post_office import SECRET, Post
from tests.receiver import Got, Receiver

PLAIN = "pass phrase é"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass(frozen=True)
class Snippet:
    """One snippet, what is put behind it to feed it from a file, and what runs it."""

    language: str
    marker: str
    driver: str
    command: tuple[str, ...]
    file: str

    @property
    def text(self) -> str:
        """The snippet as it stands in the documentation."""
        found = [
            text for language, text in FENCE.findall(sources.text("docs/webhooks.md")) if language == self.language
        ]
        (one,) = [text for text in found if self.marker in text]
        return str(one)


PYTHON = Snippet(
    "python", "def event_of",
    "import json, pathlib\nheaders = json.loads(pathlib.Path('headers.json').read_text())\n"
    "print(event_of(pathlib.Path('body.json').read_bytes(), headers)['id'])\n",
    (sys.executable,), "snippet.py",
)  # fmt: skip
OLD_STYLE = Snippet(
    "python", "def genuine",
    "import json, pathlib\nheader = json.loads(pathlib.Path('headers.json').read_text())['x-memoryrelay-signature']\n"
    "body = pathlib.Path('body.json').read_bytes()\n"
    "print(json.loads(body)['id']) if genuine(body, header) else exit(1)\n",
    (sys.executable,), "snippet.py",
)  # fmt: skip
JAVASCRIPT = Snippet(
    "javascript", "function eventOf",
    'import { readFileSync } from "node:fs";\nconst headers = JSON.parse(readFileSync("headers.json"));\n'
    'console.log(eventOf(readFileSync("body.json"), headers).id);\n',
    ("node",), "snippet.mjs",
)  # fmt: skip
SHELL = Snippet("sh", "openssl dgst", 'echo "$id"\n', ("sh",), "snippet.sh")
ALL = pytest.mark.parametrize("snippet", [PYTHON, OLD_STYLE, JAVASCRIPT, SHELL], ids=["python", "old", "node", "shell"])
BY_STANDARD = pytest.mark.parametrize("snippet", [PYTHON, JAVASCRIPT, SHELL], ids=["python", "node", "shell"])


def ran(snippet: Snippet, got: Got, secret: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Feed a delivery to a snippet."""
    if shutil.which(snippet.command[0]) is None:
        pytest.skip(f"{snippet.command[0]} is not installed")
    (folder / snippet.file).write_text(snippet.text + snippet.driver, "utf-8")
    (folder / "body.json").write_bytes(got.raw)
    (folder / "headers.json").write_text(json.dumps(got.headers), "utf-8")
    id, timestamp, signature = (got.headers[name] for name in HEADERS)
    environment = {"WEBHOOK_SECRET": secret, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    if snippet is SHELL:
        environment |= {"id": id, "timestamp": timestamp, "signature": signature}
    command = [shutil.which(snippet.command[0]) or "", snippet.file]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def accepted(snippet: Snippet, got: Got, secret: str, folder: Path) -> bool:
    """Tell whether a snippet takes a delivery for genuine."""
    done = ran(snippet, got, secret, folder)
    assert (done.returncode == 0) == (got.event_id in done.stdout), done.stderr
    return done.returncode == 0


@pytest.fixture(params=[SECRET, PLAIN], ids=["base64", "plain"])
def secret(request: pytest.FixtureRequest) -> str:
    """A secret of each kind."""
    return str(request.param)


@pytest.fixture
def sent(post: Post, receiver: Receiver, secret: str) -> Got:
    """A delivery that was really sent, with a text of more than plain letters in it."""
    post.webhook(receiver.url, secret=secret, include_content=True)
    post.caller.remember("Ada häkelt ein Zorblat 🧶", title="Hobbys")
    post.tell()
    post.send()
    return receiver.got[0]


def signed_at(got: Got, seconds: int, key: bytes) -> Got:
    """Return the delivery as it would have been signed at another time."""
    signature = Webhook(key).sign(got.event_id, datetime.fromtimestamp(seconds, UTC), got.raw.decode())
    return replace(got, headers={**got.headers, "webhook-timestamp": str(seconds), "webhook-signature": signature})


@ALL
def test_what_was_sent_is_taken_and_what_was_forged_is_not(
    snippet: Snippet, sent: Got, secret: str, tmp_path: Path
) -> None:
    assert accepted(snippet, sent, secret, tmp_path)
    assert not accepted(snippet, sent, "whsec_" + base64.b64encode(b"another").decode(), tmp_path)
    assert not accepted(snippet, replace(sent, raw=sent.raw.replace(b"Hobbys", b"Hobbyx")), secret, tmp_path)


@BY_STANDARD
def test_the_id_the_time_and_the_age_count(snippet: Snippet, sent: Got, secret: str, tmp_path: Path) -> None:
    def changed(**headers: str) -> Got:
        return replace(sent, headers={**sent.headers, **{name.replace("_", "-"): v for name, v in headers.items()}})

    now, sent_at = int(time.time()), int(sent.headers["webhook-timestamp"])
    assert not accepted(snippet, changed(webhook_id="another"), secret, tmp_path)
    assert not accepted(snippet, changed(webhook_timestamp=str(sent_at - 1)), secret, tmp_path)
    assert not accepted(snippet, changed(webhook_timestamp="soon"), secret, tmp_path)
    assert not accepted(snippet, changed(webhook_signature=""), secret, tmp_path)
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    assert accepted(snippet, signed_at(sent, now - 200, key), secret, tmp_path)
    assert not accepted(snippet, signed_at(sent, now - 400, key), secret, tmp_path)
    assert not accepted(snippet, signed_at(sent, now + 400, key), secret, tmp_path)


@ALL
def test_either_secret_is_enough_during_a_rotation(
    snippet: Snippet, make_post: Callable[..., Post], receiver: Receiver, tmp_path: Path
) -> None:
    post = make_post()
    webhook = post.webhook(receiver.url)
    fresh = post.caller.post(f"/v1/webhooks/{webhook['id']}/rotate-secret", {}).get_json()["secret"]
    post.tell("memory.created")
    post.send()
    for secret in (SECRET, fresh):
        assert accepted(snippet, receiver.got[0], secret, tmp_path)


def test_the_example_has_the_form_of_what_is_sent(sent: Got) -> None:
    found = FENCE.findall(sources.text("docs/webhooks.md"))
    (example,) = [json.loads(text) for language, text in found if language == "json"]
    assert example.keys() == sent.body.keys()
