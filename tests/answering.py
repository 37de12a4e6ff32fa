"""A server for tests that answers what it is told to, also what no server should."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    lines: list[str]


Answer = bytes | Callable[[Asked, "socket.socket"], bytes | None]


@dataclass
class Server:
    """Listens on a free port of 127.0.0.1; each request gets the next answer, the last one for ever."""

    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    """Set when the other side has gone while an answer was held."""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hold(self, asked: Asked, connection: socket.socket) -> bytes:
        """As an answer: nothing, until the test is over or the other side has gone."""
        connection.settimeout(0.05)
        while not self.held.is_set():
            try:
                if not connection.recv(1):
                    self.left.set()
                    break
            except TimeoutError:
                continue
        return b""


def response(status: int = 200, body: bytes = b"", *headers: str, kind: str = "application/json") -> bytes:
    """An answer as it is sent."""
    lines = [f"HTTP/1.1 {status} Some", f"Content-Length: {len(body)}", "Connection: close", *headers]
    if kind:
        lines.append(f"Content-Type: {kind}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _read(connection: socket.socket) -> Asked | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        part = connection.recv(65_536)
        if not part:
            # Whoever asked is gone, perhaps killed.
            return None
        body += part
    method, target, _ = first.split(" ")
    return Asked(method, target, headers, body, lines)


@contextlib.contextmanager
def serving(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server with these answers."""
    server = Server(list(answers))
    listening = socket.create_server(("127.0.0.1", 0))
    server.port = listening.getsockname()[1]
    threads: list[threading.Thread] = []

    def talk(plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain if tls is None else tls.wrap_socket(plain, True) as connection:
            asked = _read(connection)
            if asked is None:
                return
            server.asked.append(asked)
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            sent = answer(asked, connection) if callable(answer) else answer
            if sent:
                connection.sendall(sent)

    def listen() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=talk, args=(connection,)))
            threads[-1].start()

    threads.append(threading.Thread(target=listen))
    threads[0].start()
    try:
        yield server
    finally:
        server.held.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in threads:
            thread.join()
