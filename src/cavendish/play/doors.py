"""Who may come in: a page for the browser of the person at this machine, and for nobody else's page.

Being bound to this machine is no border: any page in the same browser can send requests here, and a rebound name can
even read the answers. So a request must name one of our own hosts in `Host`, and come from one of our own pages:
    origin of a page request   none (a person typed the address) or ours
    origin of a web socket     ours
and whoever passes must still say the token of this launch, which stands behind the # of the address: browsers send that
part to nobody. The page may load and reach nothing but itself (Content-Security-Policy with hashes, no 'unsafe-').
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import final

from cavendish.errors import needs_extra

with needs_extra("play", "play"):
    from websockets.asyncio.server import ServerConnection
    from websockets.datastructures import Headers
    from websockets.http11 import Request, Response

SOCKET = "/play"  # path of the web socket
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
LOCKED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@final
@dataclass(frozen=True)
class Doors:
    """The hosts under which a page is served, each with its port, and the page."""

    hosts: frozenset[str]
    page: bytes

    @classmethod
    def at(cls, names: tuple[str, ...], port: int) -> "Doors":
        """Open at these names besides this machine's own."""
        hosts = frozenset(f"{name.lower()}:{port}" for name in (*LOOPBACK, *names))
        return cls(hosts, files("cavendish.play").joinpath("page.html").read_bytes())

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request; None lets a web socket in."""
        host, origin = request.headers.get_all("Host"), request.headers.get_all("Origin")
        path = request.path.partition("?")[0]
        ours = len(host) == 1 and host[0].lower() in self.hosts
        if not ours:
            return self._sent(HTTPStatus.MISDIRECTED_REQUEST, b"This host is not served here.\n")
        if origin not in ([f"http://{host[0].lower()}"], *([] if path == SOCKET else [[]])):
            return self._sent(HTTPStatus.FORBIDDEN, b"Pages from elsewhere may not come in.\n")
        if request.method != "GET":
            return self._sent(HTTPStatus.METHOD_NOT_ALLOWED, b"Only GET is answered.\n")
        if path == SOCKET:
            return None
        if path == "/":
            return self._sent(HTTPStatus.OK, self.page)
        return self._sent(HTTPStatus.NOT_FOUND, b"There is only one page.\n")

    def _sent(self, status: HTTPStatus, body: bytes) -> Response:
        kind = "text/html" if status == HTTPStatus.OK else "text/plain"
        head = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body)), "Connection": "close"}
        return Response(
            status, status.phrase, Headers(head | LOCKED | {"Content-Security-Policy": self._policy()}), body
        )

    def _policy(self) -> str:
        """Allow the page's own script and style by their hashes, and nothing else."""
        own = {
            tag: " ".join(
                f"'sha256-{_hash(part)}'" for part in re.findall(rb"<%s>(.*?)</%s>" % (tag, tag), self.page, re.S)
            )
            for tag in (b"script", b"style")
        }
        return (
            f"default-src 'none'; script-src {own[b'script']}; style-src {own[b'style']}; connect-src 'self'; "
            "img-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )


def _hash(part: bytes) -> str:
    return base64.b64encode(hashlib.sha256(part).digest()).decode()
