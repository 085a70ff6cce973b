#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Floods between a partner's stream and a component: each stanza once, in order per pair."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, long_run, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.flood import Tally, send_all
from lab.peer import Peer
from lab.splitter import Splitter
from lab.xmpp import Component

SCRIPTED = "scripted.test"
COUNT = 100_000
SPLIT_COUNT = 500
RECORD_COUNT = 200
TIMEOUT_S = 240
OUTSIDE = "u%d@scripted.test/home"
INSIDE = "u%d@app.corp.test/desk"
SPLIT_PORT = 15269


class Stage:
    """fedgate, a component inside and a scripted partner; perhaps splitters on both sides."""

    def __init__(self, lab, backend, shards, preset, split):
        self.lab = lab
        corp_dns(lab)
        fedgate = Fedgate(lab, partners=[partner(SCRIPTED)], preset=preset, shards=shards,
                          backend=backend)
        fedgate.config["log"]["level"] = "info"
        self.fedgate = fedgate.start()
        peer_port = plan.XMPP_SERVER
        self.splitters = []
        self.component_address = plan.FEDGATE
        if split:
            self.splitters = [
                lab.own(Splitter(plan.SCRIPTED, SPLIT_PORT, plan.FEDGATE, plan.XMPP_SERVER)),
                lab.own(Splitter(plan.SCRIPTED, SPLIT_PORT + 1, plan.SCRIPTED, plan.XMPP_SERVER)),
                lab.own(Splitter(plan.SCRIPTED, plan.COMPONENT, plan.FEDGATE, plan.COMPONENT))]
            peer_port = SPLIT_PORT + 1
            self.component_address = plan.SCRIPTED
        lab.dns.xmpp(SCRIPTED, plan.SCRIPTED, starttls=peer_port)
        self.peer = Peer(lab)
        self.split = split

    def component(self):
        return self.lab.own(Component(plan.APP, "inside", self.component_address, run=False))

    def dial(self):
        if self.split:
            return self.peer.dial(plan.APP, plan.SCRIPTED, SPLIT_PORT, run=False)
        return self.peer.dial(plan.APP, run=False)

    def finish(self, count, begin, way):
        seconds = time.monotonic() - begin
        totals = self.fedgate.totals()
        # Two of them, the component's and the partner's of this direction, carry the flood.
        busy = [splitter for splitter in self.splitters if splitter.bytes > 200 * count]
        check(not self.splitters or len(busy) == 2, "the splitters were not on the way")
        if self.splitters:
            events = sum(shard["events"] for shard in self.fedgate.stats()["shards"])
            check(events > 100 * count, "bytes did not come alone; completions:", events)
        bad = {k: v for k, v in totals.items()
               if v and k.startswith(("bounced", "dropped", "spoofed"))}
        check(not bad, "counted as not delivered:", bad)
        print(f"{way}: {count} in {seconds:.1f} s, {count / seconds:.0f}/s")


def inwards(backend, shards, count=COUNT, preset="release", split=False, records=False):
    """Partner's stream -> component. records: each byte in a TLS record of its own."""
    with Lab("flood-in") as lab:
        stage = Stage(lab, backend, shards, preset, split)
        tally = Tally().follow(stage.component().stream)
        stream = stage.dial()

        def send(data):
            if not records:
                return stream.send(data)
            for at in range(len(data)):
                stream.send(data[at:at + 1])
        begin = time.monotonic()
        send_all(send, count, OUTSIDE, INSIDE)
        tally.expect(count, TIMEOUT_S)
        stage.finish(count, begin, "s2s -> component")


def outwards(backend, shards, count=COUNT, preset="release", split=False):
    """Component -> partner's server; the first message opens the stream."""
    with Lab("flood-out") as lab:
        stage = Stage(lab, backend, shards, preset, split)
        tally = Tally(stage.peer.answer_iq)
        stage.peer.on_stream = tally.take
        stage.peer.listen()
        stream = stage.component().stream
        # Errors would come back here.
        back = Tally().follow(stream)
        send_all(stream.send, 1, INSIDE, OUTSIDE)
        tally.expect(1, 20)
        begin = time.monotonic()
        send_all(stream.send, count, INSIDE, OUTSIDE, first=1)
        tally.expect(count, TIMEOUT_S)
        check(back.errors == 0, "errors came back to the component", back.errors)
        check(not stage.peer.trouble, "a stream to the peer failed", stage.peer.trouble)
        stage.finish(count, begin, "component -> s2s")


def tests():
    count = 10 * COUNT if long_run() else COUNT
    for backend in ("wolfssl", "mbedtls"):
        for shards in (1, 2):
            for way in (inwards, outwards):
                yield case(f"{way.__name__}_{backend}_{shards}", way, backend, shards, count)
        for way in (inwards, outwards):
            yield case(f"{way.__name__}_{backend}_bytes", way, backend, 2, SPLIT_COUNT,
                       "asan-ubsan", split=True)
        yield case(f"inwards_{backend}_records", inwards, backend, 1, RECORD_COUNT, "asan-ubsan",
                   records=True)


if __name__ == "__main__":
    main(*tests())
