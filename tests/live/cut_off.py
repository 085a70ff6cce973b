#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams to partners that end in the middle of much output, and stanzas that are too much for one:
each message arrives once or is answered, and nothing too large stands in the way of others."""
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.flood import BODY, Tally, send_all
from lab.peer import Peer
from lab.process import wait_until
from lab.xmpp import Component

AFAR = "afar.test"
INSIDE = "u%d@app.corp.test/desk"
OUTSIDE = f"u%d@{AFAR}/home"
COUNT = 3_000
SEND_BUFFER = "4096 16384 32768"  # as small as a long way's: a flight of records goes out in parts
SEGMENT = 536
RESET = struct.pack("ii", 1, 0)


class Ground:
    def __init__(self, lab, **options):
        corp_dns(lab)
        self.fedgate = Fedgate(lab, partners=[partner(AFAR, acks="auto", **options)])
        self.fedgate.config["log"]["level"] = "info"
        self.fedgate.start()
        lab.dns.xmpp(AFAR, plan.SCRIPTED)
        self.peer = Peer(lab, AFAR)
        self.stream = lab.own(Component(plan.APP, "inside", plan.FEDGATE, run=False)).stream
        self.stream.socket.settimeout(None)
        self.back = Tally().follow(self.stream)


class Breaks:
    """A partner that resets its first stream when it has received so many bytes, at a time when
    nothing comes any more that it has not seen; all later ones it reads to the end. It confirms
    nothing."""

    def __init__(self, peer, bytes_first):
        self.bytes_first = bytes_first
        self.seen = []
        self.lock = threading.Lock()
        peer.on_stream = self.take
        peer.lab.own(peer)
        peer.listener = socket.socket()
        peer.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        peer.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        peer.listener.bind((peer.address, plan.XMPP_SERVER))
        peer.listener.listen(16)
        threading.Thread(target=peer._accept, daemon=True).start()

    def take(self, stream):
        with self.lock:
            self.seen.append([])
            mine, is_first = self.seen[-1], len(self.seen) == 1
        stream.socket.settimeout(None)
        if not is_first:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        held, total = stream.raw or b"", 0
        try:
            while data := stream.socket.recv(4096):
                held, total = held + data, total + len(data)
                cut = held.rfind(b"</message>") + len(b"</message>")
                if cut >= len(b"</message>"):
                    mine += [(int(pair), int(number)) for pair, number in BODY.findall(held[:cut])]
                    held = held[cut:]
                if is_first and total > self.bytes_first:
                    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    stream.socket.close()
                    return
        except OSError:
            pass


def read_in_part(bytes_first):
    """What the partner has read before it went is not sent to it again."""
    with Lab("cut") as lab:
        with open("/proc/sys/net/ipv4/tcp_wmem", "w", encoding="ascii") as bounds:
            bounds.write(SEND_BUFFER)
        ground = Ground(lab)
        partner_side = Breaks(ground.peer, bytes_first)
        seen, back = partner_side.seen, ground.back
        send_all(ground.stream.send, 16, INSIDE, OUTSIDE)
        wait_until("stream", lambda: seen and len(seen[0]) == 16, 10)
        send_all(ground.stream.send, COUNT, INSIDE, OUTSIDE, first=16)
        wait_until("all arrived or answered",
                   lambda: sum(map(len, seen[1:])) + back.errors == COUNT, 30)
        first, later = set(seen[0]), [number for stream in seen[1:] for number in stream]
        check(len(first) > 100, "the first stream carried", len(first), "test too weak")
        check(len(later) > 100, "nothing was left to be sent again: test too weak")
        check(not first & set(later), "twice:", len(first & set(later)))
        check(len(later) == len(set(later)), "twice on later streams")


def message(number, text):
    return (f"<message type='chat' from='{INSIDE % 0}' to='{OUTSIDE % 0}' id='b{number}'><body>"
            f"0:{number}:{text}</body></message>").encode()


def carries(texts, arrive):
    """The messages with these texts: those arrive, on one stream; all others are answered."""
    with Lab("long") as lab:
        ground = Ground(lab)
        tally = Tally(answer_iq=ground.peer.answer_iq)
        seen = []
        lock = threading.Lock()

        def take(stream):
            with lock:
                seen.append(stream)
            tally.take(stream)
        ground.peer.on_stream = take
        ground.peer.listen()
        ground.stream.send(b"".join(message(number, text) for number, text in enumerate(texts)))
        wait_until("all arrived or answered",
                   lambda: tally.total + ground.back.errors == len(texts), 20)
        check(tally.total == arrive, tally.total, "of", arrive, "arrived")
        check(len(seen) == 1, len(seen), "streams were needed")


def written_longer():
    """60 KB that need 360 KB when they are written: more than limits.stanza_bytes_max allows."""
    carries(["x", "'" * 60_000 + "&#10;", "y"], 2)


def behind_small_ones():
    """A large one right behind as many small ones as are written at once."""
    carries(["s" * 100] * 700 + ["y" * 250_000, "z"], 702)


def tests():
    for bytes_first in (340_000, 380_000):
        yield case(f"read_in_part_{bytes_first // 1000}", read_in_part, bytes_first)
    yield from (written_longer, behind_small_ones)


if __name__ == "__main__":
    main(*tests())
