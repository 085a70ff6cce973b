#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""When a partner is asked what has arrived: not for each stanza, but for every one in the end, and
before the node stops; what a dead partner did not confirm is answered, each stanza once."""
import os
import re
import signal
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.flood import Tally, send_all
from lab.peer import Peer
from lab.process import HANG_S, wait_until
from lab.xmpp import Component

SCRIPTED = "scripted.test"
OUTSIDE = "u%d@scripted.test/home"
INSIDE = "u%d@app.corp.test/desk"
SM = "urn:xmpp:sm:3"
UNIT = re.compile(rb"<message\b.*?</message>|<iq\b.*?</iq>|<enable\b[^>]*>|<r\b[^>]*>"
                  rb"|</stream:stream>", re.S)


class Asked(Peer):
    """A partner that notes what it is asked behind which stanza, and answers while it likes."""

    def __init__(self, lab, mode):
        super().__init__(lab)
        self.mode = mode
        self.tally = Tally(self.answer_iq)
        self.on_stream = self.take
        self.answers = True
        self.asked_behind = []  # how many messages stood before each question
        self.confirmed = 0
        self.closed_behind = None
        self.stream = None

    def _answer(self, stream, features):
        if features == "" and self.mode == "acks":
            features = f"<sm xmlns='{SM}'/>"
        super()._answer(stream, features)

    def take(self, stream):
        self.stream = stream
        stream.socket.settimeout(None)
        held, data = b"", stream.raw
        try:
            while data or (data := stream.socket.recv(1 << 16)):
                held, data = held + data, b""
                end = 0
                for unit in UNIT.finditer(held):
                    self.one(stream, unit.group(0))
                    end = unit.end()
                held = held[end:]
        except OSError:
            pass

    def one(self, stream, unit):
        if unit.startswith(b"<enable"):
            stream.send(f"<enabled xmlns='{SM}'/>")
        elif unit.startswith((b"<r", b"<iq")):
            self.asked_behind.append(self.tally.total)
            if self.answers:
                self.confirmed = self.tally.total
                if self.mode == "acks":
                    stream.send(f"<a xmlns='{SM}' h='{self.tally.total}'/>")
                else:
                    self.tally._answer(unit)
        elif unit == b"</stream:stream>":
            self.closed_behind = self.tally.total
            stream.close()
        else:
            self.tally._count(unit)

    def die(self):
        """Without a word: the connection is reset, and nobody listens any more."""
        self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stop()


class Ground:
    def __init__(self, lab, mode, shards=1):
        corp_dns(lab)
        lab.dns.xmpp(SCRIPTED, plan.SCRIPTED)
        self.peer = Asked(lab, mode).listen()
        row = partner(SCRIPTED, acks="auto" if mode == "acks" else "ping")
        self.fedgate = Fedgate(lab, partners=[row], shards=shards)
        self.fedgate.config["limits"]["drain_timeout_s"] = 8  # the component says no farewell
        self.fedgate.start()
        self.component = lab.own(Component(plan.APP, "inside", run=False))
        self.back = Tally().follow(self.component.stream)

    def send(self, count, first=0):
        send_all(self.component.stream.send, first + count, INSIDE, OUTSIDE, first)

    def wait_confirmed(self, count):
        self.fedgate.wait_stats(f"{count} confirmed",
                                lambda s: s["totals"]["stanzas_acked"] == count)


def paced(mode, shards=1):
    """The first stanza is asked about at once; in a flood few are; the last one is in the end,
    though nothing follows it."""
    with Lab(f"asks-{mode}") as lab:
        ground = Ground(lab, mode, shards)
        peer = ground.peer
        ground.send(1)
        ground.wait_confirmed(1)
        check(peer.asked_behind == [1], "asked behind", peer.asked_behind)
        total = 1
        for size in (1, 2, 3000, 1, 40):
            ground.send(size, total)
            total += size
            peer.tally.expect(total, 60)
            ground.wait_confirmed(total)
            check(peer.asked_behind[-1] == total, "asked behind", peer.asked_behind[-1], total)
        questions = len(peer.asked_behind)
        check(questions <= total // 4, f"{questions} questions for {total} stanzas")
        check(ground.back.errors == 0, "answered with errors", ground.back.errors)


def dead(mode):
    """The partner confirms the first hundred, takes more, and dies: what it did not confirm is
    answered with an error, each once; what it confirmed is not."""
    with Lab(f"dead-{mode}") as lab:
        ground = Ground(lab, mode)
        peer = ground.peer
        ground.send(100)
        peer.tally.expect(100, 60)
        ground.wait_confirmed(100)
        peer.answers = False
        ground.send(300, 100)
        peer.tally.expect(400, 60)
        peer.die()
        wait_until("300 errors", lambda: ground.back.errors >= 300, HANG_S)
        totals = ground.fedgate.totals()
        check(ground.back.errors == 300, "answered with errors:", ground.back.errors)
        check(totals["bounced_unacked"] == 300 and totals["stanzas_acked"] == 100, totals)


def stopped(mode):
    """An orderly stop asks for what is unasked before it closes: nobody is told of a failure."""
    with Lab(f"stop-{mode}") as lab:
        ground = Ground(lab, mode)
        peer = ground.peer
        ground.send(1)
        ground.wait_confirmed(1)
        ground.send(30, 1)  # within a moment of the last question
        peer.tally.expect(31, 60)
        process = ground.fedgate.process.popen
        process.send_signal(signal.SIGTERM)
        process.wait(HANG_S)
        check(peer.asked_behind[-1] == 31, "asked behind", peer.asked_behind)
        check(peer.confirmed == 31 and peer.closed_behind == 31, peer.confirmed,
              peer.closed_behind)
        check(ground.back.errors == 0, "answered with errors", ground.back.errors)


if __name__ == "__main__":
    main(*[case(f"paced_{mode}", paced, mode) for mode in ("acks", "ping")],
         case("paced_two_shards", paced, "acks", 2),
         *[case(f"dead_{mode}", dead, mode) for mode in ("acks", "ping")],
         *[case(f"stopped_{mode}", stopped, mode) for mode in ("acks", "ping")])
