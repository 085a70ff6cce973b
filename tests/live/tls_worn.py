#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS keys that are used up: the stream is replaced under traffic, each stanza arrives once and in
order, whatever the partner confirms with. Needs a build with all assertions: there a test may lower
the limits per key."""
import os
import re
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, Skip, case, check, main, plan
from lab.fedgate import Fedgate, binary, corp_dns, partner
from lab.flood import Tally, send_all
from lab.peer import Peer
from lab.process import HANG_S, wait_until
from lab.xmpp import Component

SCRIPTED = "scripted.test"
OUTSIDE = "u%d@scripted.test/home"
INSIDE = "u%d@app.corp.test/desk"
COUNT = 6000
LIMITS = "12 100000"
SM = "urn:xmpp:sm:3"
UNIT = re.compile(rb"<message\b.*?</message>|<iq\b.*?</iq>|<enable\b[^>]*>|<r\b[^>]*>"
                  rb"|</stream:stream>", re.S)


def is_closed(stream):
    """Whether the other side has said farewell or is gone; reads what is there."""
    stream.socket.settimeout(0.0)
    try:
        while data := stream.socket.recv(65536):
            stream.raw += data
        return True
    except (ssl.SSLWantReadError, BlockingIOError):
        return b"</stream:stream>" in stream.raw
    except OSError:
        return True
    finally:
        stream.socket.settimeout(HANG_S)


class Counter(Peer):
    """A partner that counts, confirms as told, and closes when it is asked to."""

    def __init__(self, lab, confirms, version=ssl.TLSVersion.TLSv1_2):
        super().__init__(lab)
        self.confirms = confirms
        for context in (self.server_tls, self.client_tls):
            # TLS 1.2: keys that cannot be renewed within a session, of a cipher that wears them.
            context.maximum_version = version
            context.set_ciphers("ECDHE+AESGCM")
        self.tally = Tally(self.answer_iq)
        self.on_stream = self.take
        self.most_at_once = 0
        self.at_once = 0
        self.farewells = 0
        self.dials_refused = 0

    def _answer(self, stream, features):
        if features == "" and self.confirms == "acks":
            features = f"<sm xmlns='{SM}'/>"
        super()._answer(stream, features)

    def reply(self, to, text):
        """Its own streams are worn as well, closed by fedgate, and dialled again. Read here only: a
        TLS object of Python is not for two threads."""
        with self.reply_lock:
            stream = self.replies.get(to)
            if stream is None or is_closed(stream):
                if stream:
                    stream.close()
                self.replies[to] = stream = self.dial(to, run=False)
            stream.send(text)

    def take(self, stream):
        with self.tally.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        stream.socket.settimeout(None)
        got, held, data = 0, b"", stream.raw
        try:
            while data or (data := stream.socket.recv(1 << 16)):
                held, data = held + data, b""
                end = 0
                for unit in UNIT.finditer(held):
                    got += self.one(stream, unit.group(0), got)
                    end = unit.end()
                held = held[end:]
        except OSError:
            pass
        with self.tally.lock:
            self.at_once -= 1

    def one(self, stream, unit, got):
        """Acts on one element; 1 for a stanza."""
        if unit.startswith(b"<enable"):
            stream.send(f"<enabled xmlns='{SM}'/>")
        elif unit.startswith(b"<r"):
            stream.send(f"<a xmlns='{SM}' h='{got}'/>")
        elif unit == b"</stream:stream>":
            self.farewells += 1
            stream.close()
        elif unit.startswith(b"<iq"):
            if self.confirms == "ping":
                self.tally._answer(unit)
            return 1
        else:
            self.tally._count(unit)
            return 1
        return 0


def has_debug_hooks():
    """Whether the program under test lets us lower the limits."""
    with open(binary(), "rb") as program:
        return b"FEDGATE_TEST_RECORD_LIMITS" in program.read()


class Stage:
    def __init__(self, lab, confirms, shards=1, **options):
        if not has_debug_hooks():
            raise Skip("this build's limits per key cannot be lowered")
        os.environ["FEDGATE_TEST_RECORD_LIMITS"] = LIMITS
        corp_dns(lab)
        lab.dns.xmpp(SCRIPTED, plan.SCRIPTED)
        self.peer = Counter(lab, confirms, **options).listen()
        row = partner(SCRIPTED, acks={"acks": "auto", "ping": "ping", "none": "off"}[confirms])
        self.fedgate = Fedgate(lab, partners=[row], shards=shards)
        self.fedgate.config["log"]["level"] = "info"
        self.fedgate.start()
        self.component = lab.own(Component(plan.APP, "inside", run=False))
        self.back = Tally().follow(self.component.stream)

    def flood(self, count=COUNT, begin=0):
        """In portions, so that many streams are needed one after the other."""
        for first in range(begin, count, 200):
            send_all(self.component.stream.send, first + 200, INSIDE, OUTSIDE, first)
            if first == 0:  # the queue holds 4,096 until there is a stream
                wait_until("the first stream", lambda: self.peer.tally.total > 0)
            time.sleep(0.02)


def outwards(confirms, shards=1):
    with Lab(f"worn-{confirms}") as lab:
        stage = Stage(lab, confirms, shards)
        count = COUNT
        stage.flood(count)
        stage.peer.tally.expect(count, 120)
        # A record holds as many messages as wait for it: one that is late takes more.
        while stage.fedgate.totals()["tls_worn"] < 3 and count < 20 * COUNT:
            stage.flood(count + 200, count)
            count += 200
            stage.peer.tally.expect(count, 120)
        check(stage.back.errors == 0, "answered with errors", stage.back.errors)
        totals = stage.fedgate.totals()
        check(totals["tls_worn"] >= 3, "too few streams were replaced:", totals["tls_worn"])
        wait_until("streams to be closed in order", lambda: stage.peer.farewells >= 3)
        check(stage.peer.most_at_once >= 2, "the old stream was gone before the new one")
        bad = {k: v for k, v in totals.items()
               if v and k.startswith(("bounced", "dropped", "streams_lost", "streams_truncated"))}
        check(not bad, "counted:", bad)
        print(f"{confirms}: {totals['tls_worn']} streams replaced")


def renewed():
    """TLS 1.3, and a library that gives out its secrets: keys are renewed in the session."""
    with Lab("renewed") as lab:
        stage = Stage(lab, "acks", version=ssl.TLSVersion.TLSv1_3)
        if not stage.fedgate.stats()["tls"]["key_updates"]:
            raise Skip("this library does not give out traffic secrets")
        stage.flood()
        stage.peer.tally.expect(COUNT, 120)
        now = stage.fedgate.stats()
        check(now["totals"]["tls_worn"] == 0, "streams were replaced", now["totals"]["tls_worn"])
        check(now["shards"][0]["tls_key_updates_out"] >= 3, "too few key updates", now["shards"][0])
        row = [s for s in now["streams"] if s["direction"] == "out"][0]
        check((row["tls"], row["records"]) == ("TLSv1.3", "user"), "another kind of stream", row)


def no_successor():
    """The partner takes no second connection while the first is there: the first is given no more
    and closed, the next one is dialled then; nothing is lost."""
    with Lab("worn-alone") as lab:
        stage = Stage(lab, "ping")
        served = stage.peer._serve
        first = threading.Lock()

        def one_at_a_time(connected):
            if stage.peer.tally.total and not first.acquire(blocking=False):
                stage.peer.dials_refused += 1
                connected.close()
                return
            try:
                served(connected)
            finally:
                if first.locked():
                    first.release()
        stage.peer._serve = one_at_a_time
        first.acquire()
        stage.flood(1000)
        count = 1000
        deadline = time.monotonic() + 2 * HANG_S
        while not stage.peer.farewells and time.monotonic() < deadline:
            send_all(stage.component.stream.send, count + 20, INSIDE, OUTSIDE, count)
            count += 20
            time.sleep(0.2)
        check(stage.peer.farewells, "the used-up stream was never closed")
        send_all(stage.component.stream.send, count + 200, INSIDE, OUTSIDE, count)
        stage.peer.tally.expect(count + 200, 90)
        check(stage.back.errors == 0, "answered with errors", stage.back.errors)
        check(stage.peer.dials_refused >= 3, "tried too few times:", stage.peer.dials_refused)


def inwards():
    """A partner's own stream, used up by what it sends: closed in order, what it sent is taken."""
    with Lab("worn-in") as lab:
        stage = Stage(lab, "ping")
        sent = 0
        while stage.fedgate.totals()["tls_worn"] == 0:
            stream = stage.peer.dial(plan.APP, run=False)
            for _ in range(60):  # a record each
                send_all(stream.send, sent + 1, OUTSIDE, INSIDE, sent)
                sent += 1
            check(sent < 600, "the key is never used up")
            stream.socket.settimeout(HANG_S)
            while b"</stream:stream>" not in stream.raw:
                data = stream.socket.recv(65536)
                check(data, "the connection ended without </stream:stream>")
                stream.raw += data
            stream.send("</stream:stream>")
            check(stream.socket.recv(65536) == b"", "no close_notify behind it")
        stage.back.expect(sent, 30)
        totals = stage.fedgate.totals()
        check(totals["streams_lost"] == 0, "counted as lost", totals["streams_lost"])


if __name__ == "__main__":
    main(*[case(f"outwards_{mode}", outwards, mode) for mode in ("acks", "ping", "none")],
         case("outwards_two_shards", outwards, "ping", 2), inwards, renewed, no_successor)
