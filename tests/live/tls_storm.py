#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Storms of TLS handshakes: those of one address wait for each other, not others for them; who is
slow holds nobody up; the streams that are up go on."""
import os
import resource
import selectors
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.hostile import JOE, LIZ, Ground, Raw
from lab.process import HANG_S, wait_until
from lab.xmpp import trust_everyone

STORM = "127.77.3.%d"
ESTABLISH_S = 20


def more_descriptors():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, most))


class Handshake:
    """A client's side of TLS over memory, at any speed."""

    def __init__(self):
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = trust_everyone().wrap_bio(self.incoming, self.outgoing,
                                             server_hostname=plan.APP)
        self.is_done = False

    def step(self, received=b""):
        """What is to be sent now."""
        self.incoming.write(received)
        try:
            self.tls.do_handshake()
            self.is_done = True
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()


def shard(on):
    return on.fedgate.stats()["shards"][0]


def until(on, what, condition, timeout=HANG_S):
    return wait_until(what, lambda: condition(shard(on)), timeout)


def another_stream(on, timeout=HANG_S):
    """GOOD opens one more stream and says something on it. Returns how long that took."""
    begin = time.monotonic()
    stream = on.good.dial(plan.APP, run=False)
    text = f"storm {begin}"
    stream.send(f"<message from='{LIZ}' to='{JOE}' type='chat'><body>{text}</body></message>")
    on.hears(text, timeout)
    stream.close()
    return time.monotonic() - begin


def ground(lab, per_shard=64, per_address=8):
    def change(config):
        config["gateway"]["stream_establishment_timeout_s"] = ESTABLISH_S
        config["limits"]["handshakes_per_shard_max"] = per_shard
        config["limits"]["handshakes_per_address_max"] = per_address
    on = Ground(lab, change=change)
    # Its stream, ours, and the one on which it answers our pings: none of them is part of a storm.
    until(on, "GOOD's streams", lambda s: s["tls_handshakes"] >= 3)
    return on


def stall(count, source):
    """Connections that say hello and then nothing more."""
    raws = [Raw(plan.XMPPS_SERVER, source) for _ in range(count)]
    for raw in raws:
        raw.send(Handshake().step())
    return raws


def half_open():
    """400 half-open handshakes of one address: eight are in progress, the others wait; a partner
    at another address does not."""
    with Lab("half-open") as lab:
        on = ground(lab)
        before = shard(on)
        raws = stall(400, STORM % 1)
        now = until(on, "the storm", lambda s: s["handshakes_waiting"] >= 392 and s)
        check(now["handshakes_in_progress"] == 8, "in progress", now["handshakes_in_progress"])
        check(now["handshakes_waited"] - before["handshakes_waited"] == 392, "waited", now)
        for _ in range(3):
            another_stream(on)
        on.calm()
        now = shard(on)
        check(now["handshakes_waiting"] >= 300, "the storm was over too soon", now)
        for raw in raws:
            raw.close()
        # Those that left are noticed when their turn comes.
        until(on, "the end", lambda s: s["handshakes_waiting"] + s["handshakes_in_progress"] == 0,
              ESTABLISH_S + HANG_S)
        on.calm()


def slow():
    """200 handshakes at a byte per second take nobody's place."""
    with Lab("slow") as lab:
        on = ground(lab, per_shard=4, per_address=4)
        raws = [Raw(plan.XMPPS_SERVER, STORM % (n % 100 + 1)) for n in range(200)]
        hello = Handshake().step()
        stop = threading.Event()

        def drip():
            for n in range(len(hello) - 1):
                for raw in raws:
                    raw.send(hello[n:n + 1])
                if stop.wait(1.0):
                    return
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            for _ in range(5):
                another_stream(on)
                check(shard(on)["handshakes_in_progress"] == 0, "a slow one has a place")
                time.sleep(0.5)
            on.calm()
        finally:
            stop.set()
            thread.join()
        for raw in raws:
            raw.until_end(ESTABLISH_S + HANG_S)
        check(shard(on)["handshakes_waited"] == 0, "somebody had to wait")
        on.calm()


def places_are_leased():
    """Every place is held by somebody who has stopped half way, from many addresses: a partner gets
    one of them within seconds, not after their whole time."""
    with Lab("leased") as lab:
        on = ground(lab, per_shard=8, per_address=2)
        raws = [raw for n in range(10) for raw in stall(2, STORM % (n + 1))]
        until(on, "the storm", lambda s: s["handshakes_waiting"] >= 12)
        check(shard(on)["handshakes_in_progress"] == 8, "in progress", shard(on))
        begin = shard(on)
        took = another_stream(on, 3 * ESTABLISH_S)
        now = shard(on)
        check(now["handshakes_overdue"] > begin["handshakes_overdue"], "nobody had to go", now)
        print(f"a stream in {took:.1f} s")
        on.calm()
        for raw in raws:
            raw.close()


def complete(count, source):
    """count handshakes at once, as fast as they go; returns how many were completed."""
    selector = selectors.DefaultSelector()
    done = 0
    for _ in range(count):
        raw = Raw(plan.XMPPS_SERVER, source)
        raw.handshake = Handshake()
        raw.send(raw.handshake.step())
        selector.register(raw.socket, selectors.EVENT_READ, raw)
    deadline = time.monotonic() + 60
    while selector.get_map() and time.monotonic() < deadline:
        for key, _ in selector.select(1.0):
            raw = key.data
            try:
                data = raw.socket.recv(65536)
            except OSError:
                data = b""
            if data:
                raw.send(raw.handshake.step(data))
            if not data or raw.handshake.is_done:
                done += raw.handshake.is_done
                selector.unregister(raw.socket)
                raw.close()
    return done


def reconnection():
    """1,000 connections come back at once: all handshakes are done in the end, none is refused; the
    streams that are up carry all the time."""
    more_descriptors()
    with Lab("reconnection") as lab:
        on = ground(lab)
        before = shard(on)
        done = []
        thread = threading.Thread(target=lambda: done.append(complete(1000, STORM % 7)))
        thread.start()
        longest = 0.0
        while thread.is_alive():
            begin = time.monotonic()
            on.calm()
            longest = max(longest, time.monotonic() - begin)
        thread.join()
        now = shard(on)
        check(done == [1000], "handshakes done", done)
        check(now["handshakes_refused"] == before["handshakes_refused"], "refused", now)
        check(now["handshakes_waited"] > before["handshakes_waited"], "nobody waited", now)
        print(f"longest round of messages both ways: {longest * 1000:.0f} ms")
        on.calm()


if __name__ == "__main__":
    main(half_open, slow, places_are_leased, reconnection)
