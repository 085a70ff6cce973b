#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A partner that stops reading: traffic to the others goes on, and nothing is lost in silence."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.flood import Tally, send_all
from lab.peer import Peer
from lab.process import show_time, wait_until
from lab.xmpp import Component

HUNG = "hung.test"
GOOD = "scripted.test"
GOOD_ADDRESS = "127.77.0.10"
INSIDE = "u%d@app.corp.test/desk"
OUTSIDE = f"u%d@{GOOD}/home"
BIG_BYTES = 100_000
BIG_COUNT = 300  # more than the kernel's buffers and the queue hold
GOOD_COUNT = 2_000
TIMEOUT_S = 100
OLD_S = 600  # what is queued: nobody goes on because it got too old


def big(number):
    return (f"<message type='chat' from='{INSIDE % 0}' to='u@{HUNG}/x' id='big{number}'><body>"
            f"0:{number}:{'y' * BIG_BYTES}</body></message>").encode()


def hung_partner():
    with Lab("hung") as lab:
        corp_dns(lab)
        # Not what is meant here: pings and their answers.
        fedgate = Fedgate(lab, partners=[partner(HUNG, acks="off"), partner(GOOD, acks="off")])
        fedgate.config["log"]["level"] = "error"
        fedgate.config["limits"]["queue_age_s_max"] = OLD_S
        fedgate.start()
        lab.dns.xmpp(HUNG, plan.SCRIPTED)
        lab.dns.xmpp(GOOD, GOOD_ADDRESS)
        released = threading.Event()
        hung = Peer(lab, HUNG)
        late = Tally()

        def hang(stream):
            released.wait()
            late.take(stream)
        hung.on_stream = hang
        hung.listen()
        good = Peer(lab, GOOD, GOOD_ADDRESS)
        tally = Tally()
        good.on_stream = tally.take
        good.listen()
        stream = lab.own(Component(plan.APP, "inside", plan.FEDGATE, run=False)).stream
        stream.socket.settimeout(None)  # not by the reader, under the sender's feet
        back = Tally().follow(stream)
        begin = time.monotonic()
        for number in range(BIG_COUNT):
            stream.send(big(number))
        send_all(stream.send, GOOD_COUNT, INSIDE, OUTSIDE)
        tally.expect(GOOD_COUNT, TIMEOUT_S)
        seconds = time.monotonic() - begin
        # Five seconds are allowed.
        show_time(f"{GOOD_COUNT} to the other partner after", seconds)
        check(back.errors > 0, "nothing to the hung partner was answered with an error")
        released.set()
        wait_until("every stanza to the hung partner delivered or answered with an error",
                   lambda: late.total + back.errors == BIG_COUNT, TIMEOUT_S)


main(hung_partner)
