# SPDX-License-Identifier: GPL-2.0-or-later
"""A small SIP client over TCP or TLS: registers, sends MESSAGE, answers what it is sent."""
import queue
import re
import socket
import threading
import uuid

from . import plan
from .process import HANG_S
from .stage import LabError

END = b"\r\n\r\n"


class SipMessage:
    """start: the first line; headers: list of (lower-case name, value); body: bytes."""

    def __init__(self, start, headers, body=b""):
        self.start = start
        self.headers = headers
        self.body = body

    @property
    def status(self):
        return int(self.start.split(" ")[1]) if self.start.startswith("SIP/2.0 ") else None

    @property
    def method(self):
        return None if self.start.startswith("SIP/2.0 ") else self.start.split(" ")[0]

    def get(self, name):
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    @property
    def text(self):
        return self.body.decode("utf-8")


COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "l": "content-length",
           "c": "content-type", "m": "contact", "s": "subject"}


def parse(head):
    lines = re.sub(rb"\r\n[ \t]+", b" ", head).decode("utf-8").split("\r\n")
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers.append((COMPACT.get(name, name), value.strip()))
    return SipMessage(lines[0], headers)


class SipWire:
    """Framing over one connected stream socket."""

    def __init__(self, connected):
        self.socket = connected
        self.buffer = b""
        self.lock = threading.Lock()

    def send(self, text):
        with self.lock:
            self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def read(self):
        """The next message, or None at the end of the connection."""
        while True:
            self.buffer = self.buffer.lstrip(b"\r\n")
            head, found, rest = self.buffer.partition(END)
            if found:
                message = parse(head)
                length = int(message.get("content-length") or 0)
                if len(rest) >= length:
                    message.body, self.buffer = rest[:length], rest[length:]
                    return message
            data = self.socket.recv(65536)
            if not data:
                return None
            self.buffer += data


def compose(start, headers, body=b"", content_type=None):
    body = body.encode() if isinstance(body, str) else body
    if content_type:
        headers = headers + [("Content-Type", content_type)]
    headers = headers + [("Content-Length", str(len(body)))]
    return (start + "\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers) + "\r\n").encode() + body


def answer_to(request, status, reason="Answer", tag="lab", extra=()):
    """Response with the request's Via, From, To, Call-ID and CSeq."""
    headers = [("Via", via) for via in request.all("via")]
    to = request.get("to")
    if ";tag=" not in to:
        to += f";tag={tag}"
    headers += [("From", request.get("from")), ("To", to), ("Call-ID", request.get("call-id")),
                ("CSeq", request.get("cseq")), *extra]
    return compose(f"SIP/2.0 {status} {reason}", headers)


class ScriptedPool:
    """A next hop played by the test: users of any spelling. answer as in Phone."""

    def __init__(self, address=plan.PHONES, port=plan.SIP_TCP):
        self.inbox = queue.SimpleQueue()
        self.answer = 200
        self.listener = socket.create_server((address, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(SipWire(connected),), daemon=True).start()

    def _serve(self, wire):
        try:
            while (message := wire.read()) is not None:
                if message.method == "MESSAGE":
                    self.inbox.put(message)
                if message.method and self.answer:
                    wire.send(answer_to(message, self.answer))
        except OSError:
            pass

    def next_message(self, timeout=HANG_S):
        try:
            return self.inbox.get(timeout=timeout)
        except queue.Empty:
            raise LabError(f"no MESSAGE within {timeout:g} s") from None

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


class Phone:
    """A SIP user. `answer` (status) is what the phone says to each MESSAGE; None: nothing."""

    def __init__(self, user, address=plan.KAMAILIO, port=plan.SIP_TCP, domain=plan.CORP, tls=None):
        self.user = user
        self.domain = domain
        self.aor = f"sip:{user}@{domain}"
        self.transport = "TLS" if tls else "TCP"
        connected = socket.create_connection((address, port), HANG_S, (plan.PHONES, 0))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            connected = tls.wrap_socket(connected)
        connected.settimeout(None)
        self.here = "%s:%d" % connected.getsockname()[:2]
        self.wire = SipWire(connected)
        self.inbox = queue.SimpleQueue()
        self.notifies = queue.SimpleQueue()
        self.pending = {}
        self.answer = 200
        self.cseq = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while (message := self.wire.read()) is not None:
                if message.status is not None:
                    if message.status >= 200:
                        waiting = self.pending.get(message.get("call-id"))
                        if waiting:
                            waiting.put(message)
                    continue
                if message.method == "MESSAGE":
                    self.inbox.put(message)
                if message.method == "NOTIFY":
                    self.notifies.put(message)
                if message.method != "ACK" and self.answer:
                    self.wire.send(answer_to(message, self.answer))
        except OSError:
            pass

    def request(self, method, target, to, headers=(), body=b"", content_type=None, *,
                call_id=None, tag=None, to_tag=None):
        """Sends a request; returns its Call-ID, under which final() finds the answer. call_id, tag
        (ours) and to_tag: of the dialog it belongs to."""
        self.cseq += 1
        call_id = call_id or uuid.uuid4().hex
        self.pending[call_id] = queue.SimpleQueue()
        self.wire.send(compose(f"{method} {target} SIP/2.0", [
            ("Via", f"SIP/2.0/{self.transport} {self.here};branch=z9hG4bK{uuid.uuid4().hex}"),
            ("Max-Forwards", "70"), ("From", f"<{self.aor}>;tag={tag or uuid.uuid4().hex[:8]}"),
            ("To", f"<{to}>" + (f";tag={to_tag}" if to_tag else "")), ("Call-ID", call_id),
            ("CSeq", f"{self.cseq} {method}"), *headers], body, content_type))
        return call_id

    def final(self, call_id, timeout=HANG_S):
        try:
            return self.pending[call_id].get(timeout=timeout)
        except queue.Empty:
            raise LabError(f"no final answer within {timeout:g} s") from None
        finally:
            del self.pending[call_id]

    def register(self):
        transport = self.transport.lower()
        contact = f"<sip:{self.user}@{self.here};transport={transport}>;expires=3600"
        done = self.final(self.request("REGISTER", f"sip:{self.domain}", self.aor,
                                       [("Contact", contact)]))
        if done.status != 200:
            raise LabError(f"REGISTER answered {done.start}")
        return self

    def say(self, to, text, content_type="text/plain;charset=UTF-8", headers=(), timeout=HANG_S):
        """Sends a MESSAGE and returns the final answer."""
        return self.final(self.request("MESSAGE", f"sip:{to}", f"sip:{to}", headers, text,
                                       content_type), timeout)

    def next_message(self, timeout=HANG_S):
        try:
            return self.inbox.get(timeout=timeout)
        except queue.Empty:
            raise LabError(f"no MESSAGE within {timeout:g} s") from None

    def hears(self, text, timeout=HANG_S):
        message = self.next_message(timeout)
        if message.text != text:
            raise LabError(f"expected {text!r}, got {message.text!r}")
        return message

    def stop(self):
        try:
            self.wire.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.wire.socket.close()
