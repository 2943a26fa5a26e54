"""Calls to addresses that clients name: webhooks, and language models with a client's own key.

Such an address must not reach what only this machine or its network can: it is refused by its form when it is given,
and by what its name resolves to at the moment of connecting, so that a name which changes its mind is refused as well.
"""

import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import httpcore2
import httpx2

from app.config import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# (host, port) -> addresses as text
Resolver = Callable[[str, int], Sequence[str]]

LONGEST_URL = 2048
MOST_ATTEMPTS = 4
CONNECT_SECONDS = 5.0
ANSWER_BYTES = 65_536

# Written out, because Python's own idea of a global address moved between its versions.
REFUSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # a public address that one cloud answers from inside
        "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96",  # IPv4 inside IPv6: compatible, mapped, translated
        "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/23",  # NAT64, 6to4, Teredo and other special uses
        "100::/64", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
LOCAL_NAMES = ("localhost", "localdomain")
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
# White space, backslashes and bytes beyond ASCII are read differently by different parsers.
PLAIN = re.compile(r"[!-\[\]-~]+")


class Refused(Exception):
    """An address that must not be called, or an answer that is too large; the message is fit for the client."""


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, as the system resolves it.

    Raises:
        Refused: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused("names a host that cannot be resolved") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check_url(url: str, allow: Sequence[Network] = (), resolver: Resolver | None = None) -> None:
    """Refuse a URL that must not be called. Without `resolver` a name in an https URL is taken as it is.

    `allow` are networks that may be reached although they are private; only there is plain http accepted.

    Raises:
        Refused: says what is wrong with it and what would do.
    """
    parsed = parse(url)
    plain = parsed.scheme == "http"
    if plain and not allow:
        raise Refused("must begin with https://")
    host = parsed.host.lower().rstrip(".")
    known = addresses_in(host)
    if known is None and (resolver or plain):
        # Plain http goes to listed addresses only, so its name has to be looked up even when it is only being stored.
        known = resolved(resolver or resolve, host, parsed.port or (80 if plain else 443))
    for address in known or ():
        check_address(address, allow, listed_only=plain)


def parse(url: str) -> httpx2.URL:
    """Return a URL that means the same to every parser.

    Raises:
        Refused: it has a form that must not be called, whatever it leads to.
    """
    if len(url) > LONGEST_URL or not PLAIN.fullmatch(url):
        raise Refused("must be a URL of at most 2048 plain ASCII characters without spaces or backslashes")
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise Refused("must be a URL such as https://hooks.example.com/loci") from error
    if parsed.scheme not in ("http", "https"):
        raise Refused("must begin with https://")
    if parsed.userinfo or b"@" in parsed.netloc:
        raise Refused("must not carry a user name or password")
    if "#" in url:
        raise Refused("must not have a fragment")
    if parsed.port is not None and not 0 < parsed.port < 65_536:
        raise Refused("must name a port between 1 and 65535")
    return parsed


def resolved(resolver: Resolver, host: str, port: int) -> list[Address]:
    """Return what a name resolves to.

    Raises:
        Refused: nothing, or an address in a form of its own.
    """
    found = [check_form(text) for text in resolver(host, port)]
    if not found:
        raise Refused("names a host that cannot be resolved")
    return found


def addresses_in(host: str) -> list[Address] | None:
    """Return the addresses that a host states by itself, or None for a name that has to be resolved.

    Raises:
        Refused: it is neither a plain address nor a plain name: decimal, octal, hexadecimal and shortened forms.
    """
    if ":" in host:
        return [check_form(host)]
    labels = host.split(".")
    if NUMBER.fullmatch(labels[-1]):
        return [check_form(host)]
    if len(host) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise Refused("must name a host such as hooks.example.com; write international names as xn--...")
    if labels[-1] in LOCAL_NAMES:
        return [ipaddress.ip_address("127.0.0.1")]
    return None


def check_form(text: str) -> Address:
    """Return an address written in its usual form.

    Raises:
        Refused: it is written otherwise, or names a network interface.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise Refused("must write an address as four decimal numbers, or as IPv6 in brackets") from error
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise Refused("must not name a network interface")
    return address


def check_address(address: Address, allow: Sequence[Network], *, listed_only: bool = False) -> None:
    """Refuse an address inside the machine or its network, unless it lies in `allow`.

    Raises:
        Refused: it must not be called. With `listed_only` that holds for every address outside `allow`.
    """
    if any(address in network for network in allow):
        return
    if listed_only:
        raise Refused("must begin with https://; plain http is for addresses in LOCI_OUTBOUND_ALLOW")
    if not address.is_global or address.is_multicast or any(address in network for network in REFUSED):
        raise Refused("leads to a private or internal address; the operator can list it in LOCI_OUTBOUND_ALLOW")


def guarded_client(
    allow: Sequence[Network] = (),
    *,
    seconds: float = 15.0,
    answer_bytes: int = ANSWER_BYTES,
    packed: bool = False,
    resolver: Resolver = resolve,
    verify: ssl.SSLContext | None = None,
) -> httpx2.Client:
    """Return a client that reaches public addresses and `allow` only, however a name resolves when it connects.

    It follows no redirects, uses no proxy of the environment (which would resolve names itself), gives up `seconds`
    after a connection was made, and raises `Refused` for answers above `answer_bytes` or in a compressed form. With
    `packed` a compressed answer passes: for those who read it raw, or only its status.
    """
    context = verify or httpx2.create_ssl_context()
    transports = {
        scheme: GuardedTransport(
            GuardedBackend(allow, resolver, seconds, listed_only=scheme == "http"), answer_bytes, context, packed
        )
        for scheme in ("http", "https")
    }
    return httpx2.Client(
        mounts={"http://": transports["http"]},
        transport=transports["https"],
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
        headers={"Accept-Encoding": "identity", "User-Agent": "loci"},
    )


class GuardedTransport(httpx2.HTTPTransport):
    """Checks each URL, connects through a `GuardedBackend`, and caps answers."""

    def __init__(self, backend: "GuardedBackend", answer_bytes: int, context: ssl.SSLContext, packed: bool) -> None:
        # A connection for each request: one that is kept would outlive what its name resolved to.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context, max_keepalive_connections=0, network_backend=backend, retries=0
        )
        self.answer_bytes = answer_bytes
        self.packed = packed

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request.

        Raises:
            Refused: its address must not be called, or the answer is compressed.
        """
        parse(str(request.url))
        response = super().handle_request(request)
        if not self.packed and response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            response.close()
            raise Refused("answered in a compressed form, which was not asked for")
        if isinstance(response.stream, httpx2.SyncByteStream):
            response.stream = Capped(response.stream, self.answer_bytes)
        return response


class Capped(httpx2.SyncByteStream):
    """A body of at most `most` bytes."""

    def __init__(self, stream: httpx2.SyncByteStream, most: int) -> None:
        self.stream = stream
        self.most = most

    def __iter__(self) -> Iterator[bytes]:
        left = self.most
        for part in self.stream:
            left -= len(part)
            if left < 0:
                raise Refused(f"answered more than {self.most} bytes")
            yield part

    def close(self) -> None:
        """Close the stream beneath."""
        self.stream.close()


class GuardedBackend(httpcore2.SyncBackend):
    """Resolves a name itself, checks every address it has, and connects to one of exactly those."""

    def __init__(self, allow: Sequence[Network], resolver: Resolver, seconds: float, *, listed_only: bool) -> None:
        self.allow = allow
        self.resolver = resolver
        self.seconds = seconds
        self.listed_only = listed_only

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address that answers.

        Raises:
            Refused: one of the addresses must not be called.
            ConnectError: none answers.
        """
        name = host.lower().rstrip(".")
        addresses = addresses_in(name) or resolved(self.resolver, name, port)
        for address in addresses:
            check_address(address, self.allow, listed_only=self.listed_only)
        ends = time.monotonic() + self.seconds
        failed: Exception = httpcore2.ConnectError("no address")
        for address in addresses[:MOST_ATTEMPTS]:
            try:
                made = super().connect_tcp(str(address), port, timeout, local_address, socket_options)
                return Hurried(made, ends)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        """Refuse: a socket file is inside the machine."""
        raise Refused("must not be a socket file")


class Hurried(httpcore2.NetworkStream):
    """A connection that ends at a moment, however slowly the other side drips."""

    def __init__(self, stream: httpcore2.NetworkStream, ends: float) -> None:
        self.stream = stream
        self.ends = ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there."""
        return self.stream.read(max_bytes, self._left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of `buffer`."""
        self.stream.write(buffer, self._left(timeout, httpcore2.WriteTimeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """Return the connection under TLS, checked against the name that was asked for."""
        left = self._left(timeout, httpcore2.ConnectTimeout)
        return Hurried(self.stream.start_tls(ssl_context, server_hostname, left), self.ends)

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection beneath says."""
        return self.stream.get_extra_info(info)

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()

    def _left(self, timeout: float | None, error: type[Exception]) -> float:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise error("the time for this call is over")
        return left if timeout is None else min(left, timeout)
