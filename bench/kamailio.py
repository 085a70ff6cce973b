# SPDX-License-Identifier: GPL-2.0-or-later
"""Kamailio's presence server as a yardstick of bench/presence: each of some pairs has a watcher;
what a user publishes (PUBLISH) goes out to the watcher (NOTIFY). Plain TCP, all in its memory."""
import socket
import threading
import time
import uuid

from lab import plan
from lab.kamailio import Kamailio
from lab.presence import pidf
from lab.sip import SipWire, answer_to, compose
from measure import exact_cpu_of

WINDOW = 64
STALL_S = 60


class Crowd:
    """Users and watchers over one connection."""

    def __init__(self):
        connected = socket.create_connection((plan.KAMAILIO, plan.SIP_TCP), 60, (plan.PHONES, 0))
        connected.settimeout(None)
        self.here = "%s:%d" % connected.getsockname()[:2]
        self.wire = SipWire(connected)
        self.etags = {}
        self.refused = []
        self.notified = 0
        self.room = threading.Semaphore(WINDOW)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while (message := self.wire.read()) is not None:
                if message.method == "NOTIFY":
                    self.wire.send(answer_to(message, 200, "OK"))
                    self.notified += bool(message.body)
                elif message.status >= 200:
                    if message.status >= 300:
                        self.refused.append(message.start)
                    if message.get("sip-etag"):
                        self.etags[message.get("call-id")] = message.get("sip-etag")
                    self.room.release()
        except OSError:
            pass

    def send(self, method, number, fields, body=""):
        self.room.acquire(timeout=STALL_S)
        self.wire.send(compose(f"{method} sip:u{number:06}@{plan.CORP} SIP/2.0", [
            ("Via", f"SIP/2.0/TCP {self.here};branch=z9hG4bK{uuid.uuid4().hex}"),
            ("Max-Forwards", "70"), ("To", f"<sip:u{number:06}@{plan.CORP}>"),
            ("Event", "presence"), ("Expires", "3600"), *fields], body,
            "application/pidf+xml" if body else None))

    def publish(self, number, turn):
        user, ident = f"sip:u{number:06}@{plan.CORP}", f"p{number}"
        match = [("SIP-If-Match", self.etags[ident])] if ident in self.etags else []
        self.send("PUBLISH", number, [
            ("From", f"<{user}>;tag={uuid.uuid4().hex[:8]}"), ("Call-ID", ident),
            ("CSeq", f"{turn + 1} PUBLISH"), *match],
            pidf(user, ("away", "dnd", "xa")[turn % 3], f"round {turn}."))

    def subscribe(self, number):
        self.send("SUBSCRIBE", number, [
            ("From", f"<sip:w{number:06}@{plan.CORP}>;tag={uuid.uuid4().hex[:8]}"),
            ("Call-ID", f"s{number}"), ("CSeq", "1 SUBSCRIBE"),
            ("Accept", "application/pidf+xml"),
            ("Contact", f"<sip:w{number:06}@{self.here};transport=tcp>")])

    def wait(self, count):
        """Until so many documents have arrived in NOTIFYs; how many have not."""
        until = time.monotonic() + STALL_S
        while self.notified < count and time.monotonic() < until:
            time.sleep(0.01)
        return max(0, count - self.notified)


def measure(lab, pairs, reps):
    """CPU microseconds of Kamailio per change, a list; and what was missing or refused."""
    server = Kamailio(lab, tls=False, debug=1, presence={})
    server.start()
    pid = server.process.pid
    crowd = Crowd()
    for number in range(pairs):
        crowd.publish(number, 0)
    while len(crowd.etags) < pairs and not crowd.refused:
        time.sleep(0.01)
    for number in range(pairs):
        crowd.subscribe(number)
    missing = crowd.wait(pairs)
    costs = []
    for turn in range(1, reps + 1):
        before, count = exact_cpu_of(pid), crowd.notified
        for number in range(pairs):
            crowd.publish(number, turn)
        missing += crowd.wait(count + pairs)
        costs.append(1e6 * (exact_cpu_of(pid) - before) / pairs)
    server.stop()
    return costs, missing + len(crowd.refused), crowd.refused[:1]
