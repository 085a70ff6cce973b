# SPDX-License-Identifier: GPL-2.0-or-later
"""A next hop with presence, played by the test: it takes SUBSCRIBE and NOTIFY, answers them, and
sends NOTIFY in the dialogs that fedgate makes with it."""
import queue
import re
import socket
import threading
import uuid

from . import plan
from .presence import pidf
from .sip import SipWire, answer_to, compose
from .stage import LabError


class Subscription:
    """A dialog that fedgate's SUBSCRIBE began."""

    def __init__(self, pool, wire, request):
        self.pool = pool
        self.wire = wire
        self.request = request
        self.tag = uuid.uuid4().hex[:8]
        self.call_id = request.get("call-id")
        self.cseq = 0
        self.whom = re.search(r"sip:([^>;\s]+)", request.get("to")).group(1)
        self.watcher = re.search(r"sip:([^>;\s]+)", request.get("from")).group(1)

    def notify(self, state="active", show="available", note=None, body=None, expires=3600):
        """Sends one; its answer is awaited. show None: no document."""
        self.cseq += 1
        wire = self.pool.wire_for(self)
        branch = f"z9hG4bK{uuid.uuid4().hex}"
        value = state if ";" in state or state == "terminated" else f"{state};expires={expires}"
        target = re.search(r"<([^>]+)>", self.request.get("contact")).group(1)
        if body is None and show is not None:
            body = pidf(f"sip:{self.whom}", show, note)
        waiting = self.pool.pending[branch] = queue.SimpleQueue()
        wire.send(compose(f"NOTIFY {target} SIP/2.0", [
            ("Via", f"SIP/2.0/TCP {plan.PHONES}:{plan.SIP_TCP};branch={branch}"),
            ("Max-Forwards", "70"), ("From", f"<sip:{self.whom}>;tag={self.tag}"),
            ("To", self.request.get("from")), ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} NOTIFY"),
            ("Contact", f"<sip:{plan.PHONES}:{plan.SIP_TCP};transport=tcp>"),
            ("Event", "presence"), ("Subscription-State", value)], body or b"",
            "application/pidf+xml" if body else None))
        try:
            return waiting.get(timeout=15)
        except queue.Empty:
            raise LabError("NOTIFY was not answered") from None


class PresencePool:
    """subscribes, notifies: queues of requests as they came. subscription(): the dialog of a
    SUBSCRIBE; it was answered 200 already, unless `refuse` says otherwise."""

    def __init__(self, address=plan.PHONES, port=plan.SIP_TCP, expires=3600):
        self.subscribes = queue.SimpleQueue()
        self.notifies = queue.SimpleQueue()
        self.messages = queue.SimpleQueue()
        self.dialogs = {}
        self.pending = {}
        self.refuse = None
        self.expires = expires
        self.wires = []
        self.lock = threading.Lock()
        self.listener = socket.create_server((address, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            wire = SipWire(connected)
            with self.lock:
                self.wires.append(wire)
            threading.Thread(target=self._serve, args=(wire,), daemon=True).start()

    def _serve(self, wire):
        try:
            while (message := wire.read()) is not None:
                self._take(wire, message)
        except OSError:
            pass
        with self.lock:
            self.wires.remove(wire)

    def _take(self, wire, message):
        if message.status is not None:
            branch = re.search(r"branch=([^;,\s]+)", message.get("via")).group(1)
            if message.status >= 200 and branch in self.pending:
                self.pending.pop(branch).put(message)
        elif message.method == "SUBSCRIBE":
            self._subscribe(wire, message)
        elif message.method == "NOTIFY":
            wire.send(answer_to(message, 200, "OK"))
            self.notifies.put(message)
        else:
            wire.send(answer_to(message, 200, "OK"))
            if message.method == "MESSAGE":
                self.messages.put(message)

    def _subscribe(self, wire, message):
        if self.refuse:
            wire.send(answer_to(message, self.refuse))
            self.subscribes.put(message)
            return
        dialog = self.dialogs.get(message.get("call-id"))
        if dialog is None:
            dialog = self.dialogs[message.get("call-id")] = Subscription(self, wire, message)
        dialog.wire = wire
        expires = min(self.expires, int(message.get("expires") or 3600))
        wire.send(answer_to(message, 200, "OK", dialog.tag, [
            ("Contact", f"<sip:{plan.PHONES}:{plan.SIP_TCP};transport=tcp>"),
            ("Expires", str(expires))]))
        self.subscribes.put(message)

    def wire_for(self, dialog):
        """Its own connection, or any that is there."""
        with self.lock:
            if dialog.wire in self.wires:
                return dialog.wire
            if self.wires:
                return self.wires[-1]
        raise LabError("fedgate has no connection to the pool")

    def next_subscribe(self, timeout=30.0):
        try:
            return self.subscribes.get(timeout=timeout)
        except queue.Empty:
            raise LabError(f"no SUBSCRIBE within {timeout:g} s") from None

    def subscription(self, timeout=30.0):
        """The dialog of the next SUBSCRIBE."""
        return self.dialogs[self.next_subscribe(timeout).get("call-id")]

    def next_notify(self, timeout=30.0):
        try:
            return self.notifies.get(timeout=timeout)
        except queue.Empty:
            raise LabError(f"no NOTIFY within {timeout:g} s") from None

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            for wire in self.wires:
                try:
                    wire.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
