#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A partner that sends as fast as it is read, and a component that answers each message: what is
waited for lies behind what waits. Everything is answered and nothing is refused, however the
partner confirms."""
import os
import queue
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.flood import BODY, Tally
from lab.peer import Peer
from lab.process import wait_until
from lab.xmpp import Component

ECHO = "echo.test"
COUNT = 40_000
BATCH = 20
TEXT = "y" * 1000
END = b"</message>"


def message(sender, to, number):
    return (f"<message type='chat' from='{sender}' to='{to}' id='e{number}'><body>0:{number}:{TEXT}"
            "</body></message>")


class Echo:
    """The component: blocks in writing, as most do; so it reads no faster than it is read."""

    def __init__(self, lab):
        self.stream = lab.own(Component(plan.APP, "inside", plan.FEDGATE, run=False)).stream
        self.stream.socket.settimeout(None)
        self.errors = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        held = b""
        try:
            while data := self.stream.socket.recv(1 << 16):
                held += data
                cut = held.rfind(END) + len(END)
                if cut < len(END):
                    continue
                whole, held = held[:cut], held[cut:]
                self.errors += len(re.findall(rb"""<message\b[^>]*type=["']error""", whole))
                self.stream.send("".join(
                    message(f"u@{plan.APP}/d", f"v@{ECHO}/x", int(number))
                    for _, number in BODY.findall(whole)).encode())
        except OSError:
            pass  # the end of the test


def echoes(acks):
    with Lab("echo") as lab:
        corp_dns(lab)
        fedgate = Fedgate(lab, partners=[partner(ECHO, acks=acks)])
        fedgate.config["log"]["level"] = "error"
        fedgate.start()
        lab.dns.xmpp(ECHO, plan.SCRIPTED)
        peer = Peer(lab, ECHO)
        answers = queue.Queue()  # in its turn behind what was to be sent before, as servers do
        tally = Tally(answer_iq=lambda ident, to, sender: answers.put(
            f"<iq type='result' id='{ident}' from='{to}' to='{sender}'/>"))
        peer.on_stream = tally.take
        peer.listen()
        inside = Echo(lab)
        stream = peer.dial(plan.APP)
        stream.socket.settimeout(None)
        stream.send(message(f"v@{ECHO}/x", f"u@{plan.APP}/d", 0))
        wait_until("the way back", lambda: tally.total == 1, 10)
        for first in range(1, COUNT, BATCH):
            while not answers.empty():
                stream.send(answers.get())
            stream.send("".join(message(f"v@{ECHO}/x", f"u@{plan.APP}/d", number)
                                for number in range(first, min(first + BATCH, COUNT))))

        def is_over():
            while not answers.empty():
                stream.send(answers.get())
            return tally.total + tally.errors + inside.errors >= COUNT
        wait_until("all answered", is_over, 60)
        check((tally.total, tally.errors, inside.errors) == (COUNT, 0, 0), "echoed", tally.total,
              "answered with errors:", tally.errors, "outside,", inside.errors, "inside")
        check(fedgate.totals()["bounced_queue_full"] == 0, "the queue was full")
        check(tally.trouble is None, tally.trouble)


def tests():
    for acks in ("ping", "off"):
        yield case(f"confirmed_by_{acks}", echoes, acks)


if __name__ == "__main__":
    main(*tests())
