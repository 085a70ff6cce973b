#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an idle authenticated stream holds: little, and no more after it was busy. Bytes of the
shards' pools; the whole process's are bench/idle's business."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.peer import Peer
from lab.xmpp import Component

GOOD = "good.test"
# With FEW streams each thread holds all the expanded keys it ever will (RECORD_EXPANDED_MAX, tls/).
FEW = 270
MANY = 390
# Connection, keys and peer, stream, parser, leg, pair: 2.6 KB.
STREAM_BYTES_MAX = 3000
BODY_BYTES = 30000
QUIET_S = 0.6  # the figure is written each turn; a tick wakes each shard once a second
LOOKS = 4


def pool_bytes(fedgate):
    """What the pools hold when nothing moves: the least of some looks, as looking takes memory."""
    looks = []
    for _ in range(LOOKS):
        time.sleep(QUIET_S)
        looks.append(sum(shard["pool_bytes"] for shard in fedgate.stats()["shards"]))
    return min(looks)


def say(stream, component, text):
    """A stanza arrives; the stream then ends in the middle of nothing."""
    stream.send(f"<message from='liz@{GOOD}' to='joe@{plan.APP}' type='chat' id='x&amp;y'>"
                f"<body>{text}</body><active xmlns='http://jabber.org/protocol/chatstates'/>"
                "</message>")
    component.hears(text)


def idle(backend):
    with Lab("idle") as lab:
        corp_dns(lab)
        lab.dns.xmpp(GOOD, plan.NOBODY)
        fedgate = Fedgate(lab, partners=[partner(GOOD, connection_limit=2 * MANY)], backend=backend)
        fedgate.config["log"]["level"] = "info"
        fedgate.start()
        component = lab.own(Component(plan.APP, "inside"))
        peer = Peer(lab, GOOD)
        streams = []
        sizes = {}
        for count in (FEW, MANY):
            while len(streams) < count:
                streams.append(peer.dial(plan.APP, run=False))
                say(streams[-1], component, f"hello {len(streams)}")
            sizes[count] = pool_bytes(fedgate)
        each = (sizes[MANY] - sizes[FEW]) / (MANY - FEW)
        check(each <= STREAM_BYTES_MAX, "bytes of the pool for each idle stream:", each)
        for number, stream in enumerate(streams):
            say(stream, component, f"{number} " + "busy " * (BODY_BYTES // 5) + "now")
        after = pool_bytes(fedgate)
        # The component's connection and the shard's own buffers may have grown a little.
        check(after - sizes[MANY] <= 4 * BODY_BYTES, "more than before the traffic:",
              after - sizes[MANY])
        for stream in streams:
            stream.close()
        fedgate.wait_stats("all streams gone", lambda stats: sum(
            shard["streams_in"] for shard in stats["shards"]) == 0)
        left = pool_bytes(fedgate) - (after - (MANY * each))
        check(left <= 4 * BODY_BYTES, "kept of streams that are gone:", left)
        print(f"{each:.0f} bytes of the pool for each idle stream, {backend}")


main(case("idle_wolfssl", idle, "wolfssl"), case("idle_mbedtls", idle, "mbedtls"))
