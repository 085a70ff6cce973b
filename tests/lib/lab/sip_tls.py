# SPDX-License-Identifier: GPL-2.0-or-later
"""SIP over TLS played by the test, connection by connection: a next hop and one who calls."""
import socket
import ssl
import threading
import time
import uuid

from . import plan
from .process import HANG_S
from .sip import SipWire, answer_to, compose
from .stage import LabError

ANSWER_S = 0.1


def tls_1_2(context, ciphers):
    """Keys that cannot be renewed within a session."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    return context


class TlsPool:
    """The next hop: answers each MESSAGE after a while, so that some always are under way."""

    def __init__(self, tls):
        self.tls = tls
        self.versions = []  # of TLS, by connection
        self.lock = threading.Lock()
        self.texts = []
        self.at_once = self.most_at_once = self.connections = self.refused = 0
        self.orderly = self.unanswered = 0  # closed; requests that were waiting there
        self.takes = True
        self.listener = socket.create_server((plan.PHONES, plan.SIP_TLS))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            if not self.takes:
                self.refused += 1
                connected.close()
                continue
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected):
        try:
            wire = SipWire(self.tls.wrap_socket(connected, server_side=True,
                                                suppress_ragged_eofs=False))
        except OSError:
            return
        with self.lock:
            self.versions.append(wire.socket.version())
            self.connections += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self._talk(wire)
        except OSError:
            pass
        with self.lock:
            self.at_once -= 1

    def _talk(self, wire):
        due = []
        wire.socket.settimeout(0.02)
        while True:
            while due and due[0][0] <= time.monotonic():
                wire.send(due.pop(0)[1])
            try:
                got = wire.read()
            except TimeoutError:
                continue
            if got is None:
                with self.lock:
                    self.orderly += 1
                self.unanswered += len(due)
                return
            if got.method == "MESSAGE":
                with self.lock:
                    self.texts.append((got.get("to"), got.text))
                due.append((time.monotonic() + ANSWER_S, answer_to(got, 200)))
            elif got.method:
                wire.send(answer_to(got, 200))

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


class TlsCaller:
    """A SIP element that dials fedgate, sends one request after the other, and dials again when it
    finds the connection closed."""

    def __init__(self, tls):
        self.tls = tls
        self.wire = None
        self.dials = 0

    def dial(self):
        plain = socket.create_connection((plan.FEDGATE, plan.SIP_TLS), 10, (plan.PHONES, 0))
        self.wire = SipWire(self.tls.wrap_socket(plain, suppress_ragged_eofs=False))
        self.wire.socket.settimeout(HANG_S)
        self.dials += 1

    def wait_closed(self):
        """Its end comes in order, with nothing before it."""
        if self.wire.read() is not None:
            raise LabError("something came where nothing was asked")
        self.wire.socket.close()
        self.wire = None

    def ask(self, to, text):
        """The final answer; None: the connection ended first, in order."""
        self.send(to, text)
        return self.final()

    def send(self, to, text):
        if self.wire is None:
            self.dial()
        here = "%s:%d" % self.wire.socket.getsockname()[:2]
        self.wire.send(compose(f"MESSAGE sip:{to} SIP/2.0", [
            ("Via", f"SIP/2.0/TLS {here};branch=z9hG4bK{uuid.uuid4().hex}"),
            ("Max-Forwards", "70"), ("From", f"<sip:joe@{plan.CORP}>;tag={uuid.uuid4().hex[:8]}"),
            ("To", f"<sip:{to}>"), ("Call-ID", uuid.uuid4().hex), ("CSeq", "1 MESSAGE")], text,
            "text/plain;charset=UTF-8"))

    def final(self):
        while (got := self.wire.read()) is not None:
            if got.status >= 200:
                return got
        self.wire = None
        return None
