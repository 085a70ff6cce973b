# SPDX-License-Identifier: GPL-2.0-or-later
"""A next hop with presence, played by the test: it takes SUBSCRIBE and NOTIFY, answers them, and
sends NOTIFY in the dialogs that fedgate makes with it; and fedgate between it and a partner that is
played as well."""
import json
import queue
import re
import socket
import threading
import time
import uuid

from . import plan
from .fedgate import Fedgate, corp_dns, partner
from .peer import Peer
from .presence import Seen, Watch, pidf
from .process import HANG_S
from .sip import SipWire, answer_to, compose
from .stage import LabError, check
from .xmpp import local

HOP = {"kind": "sip", "uri": f"sip:{plan.PHONES}:{plan.SIP_TCP};transport=tcp",
       "trusted_addresses": [plan.PHONES], "options_interval_s": 0}


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
        self.mute = set()  # methods that get no answer
        self.asked_at = []  # when SUBSCRIBEs came, monotonic seconds
        self.hop = HOP
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
            if message.method not in self.mute:
                wire.send(answer_to(message, 200, "OK"))
            if message.method == "MESSAGE":
                self.messages.put(message)

    def _subscribe(self, wire, message):
        self.asked_at.append(time.monotonic())
        if self.refuse:
            wire.send(answer_to(message, self.refuse))
            self.subscribes.put(message)
            return
        dialog = self.dialogs.get(message.get("call-id"))
        if dialog is None and ";tag=" in message.get("to"):
            wire.send(answer_to(message, 481))
            return
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

    def busiest_second(self):
        """The most SUBSCRIBEs that came within one."""
        times = sorted(self.asked_at)
        return max((sum(at <= other < at + 1 for other in times) for at in times), default=0)

    def next_subscribe(self, timeout=HANG_S):
        try:
            return self.subscribes.get(timeout=timeout)
        except queue.Empty:
            raise LabError(f"no SUBSCRIBE within {timeout:g} s") from None

    def subscription(self, timeout=HANG_S):
        """The dialog of the next SUBSCRIBE."""
        return self.dialogs[self.next_subscribe(timeout).get("call-id")]

    def next_notify(self, timeout=HANG_S):
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


class Ground:
    """The gateway between a partner and a pool that the test plays."""

    def __init__(self, lab, shards=1, domain="scripted.test", limits=None, hop=None, **row):
        corp_dns(lab)
        lab.dns.xmpp(domain, plan.SCRIPTED)
        self.domain = domain
        self.lab = lab
        self.pool = lab.own(PresencePool())
        self.fedgate = Fedgate(lab, partners=[partner(domain, **row)],
                               hop={**HOP, **(hop or {})}, shards=shards)
        self.fedgate.config["limits"].update(limits or {})
        self.fedgate.start()
        self.peer = Peer(lab, domain).listen()

    def says(self, kind, sender, to, inner=""):
        """Presence of the partner's user (a whole address, or its local part); kind None:
        available."""
        kind = f" type='{kind}'" if kind else ""
        sender = sender if "@" in sender else f"{sender}@{self.domain}"
        self.peer.reply(plan.CORP, f"<presence{kind} from='{sender}' "
                                   f"to='{to}@{plan.CORP}'>{inner}</presence>")

    def hears(self, *kinds, timeout=HANG_S):
        """The next presence stanza of one of these types at the partner; others are passed over."""
        while True:
            try:
                element = self.peer.inbox.get(timeout=timeout)
            except queue.Empty:
                raise LabError(f"no presence of type {kinds}") from None
            kind = element.get("type") or "available"
            if local(element) == "presence" and kind in kinds:
                return element

    def notified(self, state, timeout=HANG_S):
        """The next NOTIFY in this state at the pool."""
        while True:
            seen = Seen(self.pool.next_notify(timeout))
            if seen.state == state:
                return seen

    def watched(self, watcher, whom, show="available", note=None):
        """The partner's user watches ours: until it sees him."""
        self.says("subscribe", watcher, whom)
        dialog = self.pool.subscription()
        check(dialog.whom == f"{whom}@{plan.CORP}" and dialog.watcher == f"{watcher}@{self.domain}",
              "wrong pair", (dialog.whom, dialog.watcher))
        answer = dialog.notify("active", show, note)
        check(answer.status == 200, "NOTIFY answered", answer.start)
        check(self.hears("subscribed").get("from") == f"{whom}@{plan.CORP}", "wrong subscribed")
        self.hears("available")
        return dialog

    def watches(self, phone, whom, note=None):
        """Our user watches the partner's: until it sees him."""
        watch = Watch(phone, f"{whom}@{self.domain}")
        check(watch.answer.status == 200, "SUBSCRIBE answered", watch.answer.start)
        check(self.notified("pending").tuples == [], "a document while pending")
        asked = self.hears("subscribe")
        check(asked.get("from") == f"{phone.user}@{plan.CORP}", "wrong asker", asked.attrib)
        self.says("subscribed", whom, phone.user)
        self.says(None, f"{whom}", phone.user, f"<status>{note}</status>" if note else "")
        while True:
            seen = self.notified("active")
            if seen.show == "available":
                return watch

    def counts(self):
        contacts = self.fedgate.stats()["presence"]["contacts"]
        return contacts["in"]["granted"], contacts["out"]["granted"]


def ask(fedgate, **request):
    """One question on the admin socket."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(fedgate.admin_path)
        line.sendall(json.dumps(request).encode() + b"\n")
        data = b""
        while chunk := line.recv(65536):
            data += chunk
    return json.loads(data)
