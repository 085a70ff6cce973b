#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A SIP next hop that fails, is probed, moves: SRV targets in turn, OPTIONS and pings, reload."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.hops import POOLS, Pool, sip_ground
from lab.hostile import LIZ, Raw
from lab.process import HANG_S, wait_until
from lab.sip import SipWire


def sip_failover():
    """The next hop's SRV targets in turn: 503 and a dead target lead to the next one, nothing is
    lost; a connection is used again and again."""
    with Lab("sip-srv") as lab:
        ground = sip_ground(lab)
        one, two = Pool(POOLS[0]), lab.own(Pool(POOLS[1]))
        stream = ground.good.dial(plan.CORP)

        def say(text, user="joe"):
            stream.send(f"<message from='{LIZ}' to='{user}@{plan.CORP}' id='{text}'>"
                        f"<body>{text}</body></message>")
        for n in range(5):
            say(f"first {n}")
            check(one.next_message().text == f"first {n}", "order")
        check(len(one.wires) == 1, "connections", len(one.wires))
        one.answer = 503
        say("busy")
        check(two.next_message().text == "busy", "after 503")
        say("more", "ann")
        check(two.next_message().text == "more", "after the change")
        # A pool answers after the test has its message: none may be under way when it goes.
        wait_until("seven answers", lambda: ground.totals()["sip_delivered"] == 7, 10)
        one.stop()
        two.stop()
        again = lab.own(Pool(POOLS[1]))  # the first target stays dead
        wait_until("connection", lambda: again.wires, 10)
        say("back")
        check(again.next_message(20).text == "back", "after both were gone")
        ground.calm()
        check(ground.totals()["sip_unreachable"] == 0, "a message was given up")


def sip_keepalive():
    """The next hop is probed with OPTIONS at its interval without any traffic; our own answer to
    OPTIONS and to a CRLF ping (RFC 5626 4.4.1)."""
    def change(config):
        config["next_hops"]["pool"]["options_interval_s"] = 5
    with Lab("sip-probe") as lab:
        pool = lab.own(Pool(POOLS[0]))
        sip_ground(lab, change)
        wait_until("two probes", lambda: len(pool.options) >= 2, 12)
        apart = pool.options[1][0] - pool.options[0][0]
        check(4 < apart < 9, "probes apart by", apart)
        probe = pool.options[0][1]
        check(probe.get("max-forwards") == "70" and "branch=z9hG4bK" in probe.get("via"),
              probe.start, probe.headers)
        raw = Raw(plan.SIP_TCP, plan.PHONES)
        raw.send("\r\n\r\n").take(HANG_S)
        check(raw.text == "\r\n", "answer to a ping:", raw.text)
        wire = SipWire(raw.socket)
        raw.socket.settimeout(HANG_S)
        wire.send(f"OPTIONS sip:edge.corp.test SIP/2.0\r\nVia: SIP/2.0/TCP {plan.PHONES};branch="
                  f"z9hG4bKo\r\nMax-Forwards: 1\r\nFrom: <sip:x@{plan.CORP}>;tag=1\r\nTo: "
                  "<sip:edge.corp.test>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n"
                  "\r\n")
        answer = wire.read()
        check(answer.status == 200 and "MESSAGE" in answer.get("allow"), answer.start,
              answer.headers)
        raw.close()


def next_hop_changes():
    """A next hop that moves in the configuration is left for its new place at once, and who is no
    longer trusted is hung up on."""
    with Lab("sip-moved") as lab:
        ground = sip_ground(lab)
        old, new = lab.own(Pool(POOLS[0])), lab.own(Pool(POOLS[1]))
        stream = ground.good.dial(plan.CORP)

        def say(text):
            stream.send(f"<message from='{LIZ}' to='joe@{plan.CORP}'><body>{text}</body></message>")
        say("old")
        check(old.next_message().text == "old", "first")
        caller = Raw(plan.SIP_TCP, plan.PHONES)
        caller.send("\r\n\r\n").take(HANG_S)
        ground.fedgate.config["next_hops"]["pool"].update(
            uri=f"sip:{POOLS[1]}:{plan.SIP_TCP};transport=tcp", trusted_addresses=[POOLS[1]])
        ground.fedgate.reload()
        caller.until_end()
        say("new")
        check(new.next_message().text == "new", "after the change")


if __name__ == "__main__":
    main(sip_failover, sip_keepalive, next_hop_changes)
