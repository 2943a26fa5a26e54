"""Calls to addresses that clients name end where they should: at public addresses, or at those the operator lists."""

from __future__ import annotations

import datetime
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import httpcore2
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.config import Network
from app.outbound import Refused, check_url, guarded_client, resolve
from tests.hostile_urls import HOSTILE, PUBLIC, look_up

pytestmark = pytest.mark.static


def networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


LOOPBACK = networks("127.0.0.0/8")
# All but what leads to the one address that the server of these tests is at.
ELSEWHERE = [
    url for url in HOSTILE
    if url.startswith("http") and url.isprintable()
    and not re.search(r"///|127\.0\.0\.1\b(?!%)|localhost|loop", url, re.I)
]  # fmt: skip


class TestForm:
    @pytest.mark.parametrize("url", HOSTILE)
    def test_hostile_urls_are_refused(self, url: str) -> None:
        with pytest.raises(Refused):
            check_url(url, resolver=look_up)

    @pytest.mark.parametrize(
        "url",
        [
            "https://hooks.example.com",
            "https://HOOKS.example.com./loci?token=a%20b&x=@y",
            "https://hooks.example.com:8443/loci",
            "https://six.example.com/",
            f"https://{PUBLIC}/loci",
            "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:8443/",
        ],
    )
    def test_public_addresses_pass(self, url: str) -> None:
        check_url(url, resolver=look_up)

    def test_a_name_is_not_resolved_before_it_is_called(self) -> None:
        check_url("https://inside.example.com/")

    @pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://localhost/", "https://inside.example.com/"])
    def test_listed_networks_may_be_reached(self, url: str) -> None:
        check_url(url, networks("127.0.0.0/8", "10.0.0.0/8"), look_up)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9000/", "http://localhost/", "http://loop.example.com/"])
    def test_plain_http_reaches_listed_networks(self, url: str) -> None:
        check_url(url, LOOPBACK, look_up)

    @pytest.mark.parametrize("url", ["http://hooks.example.com/", f"http://{PUBLIC}/", "http://both.example.com/"])
    def test_plain_http_reaches_nothing_else(self, url: str) -> None:
        with pytest.raises(Refused, match="https"):
            check_url(url, networks("127.0.0.0/8", "192.168.0.0/16"), look_up)

    def test_a_listed_network_opens_no_other_form_of_its_addresses(self) -> None:
        for url in ("https://[::ffff:127.0.0.1]/", "https://2130706433/", "https://127.1/"):
            with pytest.raises(Refused):
                check_url(url, LOOPBACK, look_up)

    def test_a_name_without_address_is_refused_with_a_reason(self) -> None:
        with pytest.raises(Refused, match="cannot be resolved"):
            resolve("no-such-name.invalid", 443)


class Handler(BaseHTTPRequestHandler):
    """Answers by path, and remembers who was asked for."""

    asked: ClassVar[list[str]] = []
    away: ClassVar[str] = ""

    def do_GET(self) -> None:
        self.asked.append(f"{self.headers['Host']} {self.path}")
        answer = {
            "/large": (200, {}, b"x" * 200_000),
            "/further": (302, {"Location": self.away}, b""),
            "/away": (302, {"Location": "http://10.0.0.1/secret"}, b""),
            "/packed": (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
        }.get(self.path, (200, {}, b"received"))
        self.send_response(answer[0])
        for name, value in answer[1].items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer[2])))
        self.end_headers()
        self.wfile.write(answer[2])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Start servers on loopback: `serve()` returns the port, `serve(context)` speaks TLS."""
    running: list[ThreadingHTTPServer] = []

    def start(context: ssl.SSLContext | None = None) -> int:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        running.append(server)
        return int(server.server_address[1])

    Handler.asked.clear()
    yield start
    for server in running:
        server.shutdown()
        server.server_close()


class TestTable:
    def test_it_is_long_and_names_each_once(self) -> None:
        assert len(HOSTILE) == len(set(HOSTILE)) >= 40

    @pytest.mark.parametrize("url", HOSTILE)
    def test_nothing_in_it_is_connected_to(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        connected: list[Any] = []
        monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", lambda *given, **more: connected.append(given))
        with guarded_client(resolver=look_up) as client:
            for follow in (False, True):
                with pytest.raises((Refused, httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
                    client.post(url, content=b"{}", follow_redirects=follow)
        assert connected == []

    @pytest.mark.parametrize("url", ELSEWHERE)
    def test_nothing_in_it_is_redirected_to(self, url: str, serve: Callable[..., int]) -> None:
        port = serve()
        Handler.away = quote(url, safe=":/?#[]@!$&'()*+,;=%")
        with guarded_client(networks("127.0.0.1/32"), resolver=look_up) as client:
            assert client.get(f"http://127.0.0.1:{port}/further").status_code == 302
            with pytest.raises((Refused, httpx2.UnsupportedProtocol, httpx2.RemoteProtocolError)):
                client.get(f"http://127.0.0.1:{port}/further", follow_redirects=True)
        assert set(Handler.asked) == {f"127.0.0.1:{port} /further"}


class TestClient:
    def test_it_reaches_a_listed_address(self, serve: Callable[..., int]) -> None:
        port = serve()
        with guarded_client(LOOPBACK, resolver=look_up) as client:
            assert client.get(f"http://loop.example.com:{port}/x").text == "received"
        assert Handler.asked == [f"loop.example.com:{port} /x"]

    @pytest.mark.parametrize("host", ["127.0.0.1", "loop.example.com", "localhost", "both.example.com"])
    def test_an_address_that_is_not_listed_is_never_connected_to(self, serve: Callable[..., int], host: str) -> None:
        port = serve()
        with guarded_client(resolver=look_up) as client:
            for scheme in ("http", "https"):
                with pytest.raises(Refused):
                    client.get(f"{scheme}://{host}:{port}/")
        assert Handler.asked == []

    def test_a_name_that_changes_its_mind_is_refused(self, serve: Callable[..., int]) -> None:
        port = serve()
        answers = [[PUBLIC], ["127.0.0.1"]]

        def rebind(host: str, port: int) -> list[str]:
            return answers.pop(0)

        check_url(f"https://rebind.example.com:{port}/", resolver=rebind)
        with guarded_client(resolver=rebind) as client, pytest.raises(Refused, match="internal"):
            client.get(f"https://rebind.example.com:{port}/")
        assert Handler.asked == []

    def test_the_address_that_was_checked_is_the_one_that_is_called(self, serve: Callable[..., int]) -> None:
        port, looked = serve(), []

        def once(host: str, port: int) -> list[str]:
            looked.append(host)
            return ["127.0.0.1"] if len(looked) == 1 else ["10.0.0.1"]

        with guarded_client(LOOPBACK, resolver=once) as client:
            assert client.get(f"http://once.example.com:{port}/").text == "received"
        assert looked == ["once.example.com"]

    def test_redirects_are_answers_and_not_followed(self, serve: Callable[..., int]) -> None:
        port = serve()
        with guarded_client(LOOPBACK) as client:
            assert client.get(f"http://127.0.0.1:{port}/away").status_code == 302

    def test_a_redirect_that_is_followed_on_purpose_is_checked_too(self, serve: Callable[..., int]) -> None:
        port = serve()
        with guarded_client(LOOPBACK) as client, pytest.raises(Refused):
            client.get(f"http://127.0.0.1:{port}/away", follow_redirects=True)
        assert Handler.asked == [f"127.0.0.1:{port} /away"]

    def test_large_answers_are_cut_off(self, serve: Callable[..., int]) -> None:
        port = serve()
        with guarded_client(LOOPBACK, answer_bytes=1000) as client, pytest.raises(Refused, match="more than 1000"):
            client.get(f"http://127.0.0.1:{port}/large")

    def test_compressed_answers_are_refused(self, serve: Callable[..., int]) -> None:
        port = serve()
        with guarded_client(LOOPBACK) as client, pytest.raises(Refused, match="compressed"):
            client.get(f"http://127.0.0.1:{port}/packed")

    def test_proxies_of_the_environment_are_left_alone(
        self, serve: Callable[..., int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port = serve()
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        with guarded_client(LOOPBACK, resolver=look_up) as client:
            assert client.get(f"http://loop.example.com:{port}/").text == "received"

    def test_a_call_that_drips_ends_in_time(self) -> None:
        with Dripping() as port, guarded_client(LOOPBACK, seconds=0.5) as client, pytest.raises(httpx2.ReadTimeout):
            client.get(f"http://127.0.0.1:{port}/")

    def test_certificates_are_checked_against_the_name(self, serve: Callable[..., int], tmp_path: Path) -> None:
        server, trusting = certificate("hooks.example.test", tmp_path)
        port = serve(server)
        with guarded_client(LOOPBACK, resolver=lambda host, port: ["127.0.0.1"], verify=trusting) as client:
            assert client.get(f"https://hooks.example.test:{port}/").text == "received"
            with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                client.get(f"https://other.example.test:{port}/")


class Dripping:
    """A server that sends one byte of a header at a time, for ever."""

    def __enter__(self) -> int:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._drip, daemon=True)
        self.thread.start()
        return int(self.listener.getsockname()[1])

    def _drip(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not self.over.wait(0.05):
                    connection.sendall(b"x")
            except OSError:
                return

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join(5)
        self.listener.close()


def certificate(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's context with a certificate for `name`, and a client's that trusts exactly it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(public, private)
    return server, ssl.create_default_context(cafile=str(public))
