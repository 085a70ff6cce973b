#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Next hops that break the rules: every message is delivered or answered, and nobody who writes to
others is held up."""
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.hostile import EVIL, EVIL_ADDRESS, LIZ
from lab.hostile_sip import HOP, HostilePool, ground, hang_up, request
from lab.peer import Peer
from lab.process import HANG_S, show_time, wait_until
from lab.sip import answer_to, compose
from lab.xmpp import error_of

MEGA = 1 << 20

def changed(message, status, old, new):
    return answer_to(message, status).replace(old, new)


def by_bytes(wire, message):
    for at in answer_to(message, 486):
        wire.send(bytes([at]))


# name -> (reaction, conditions that the sender may be told; None = delivered)
LOST = {"remote-server-timeout", "remote-server-not-found", "recipient-unavailable",
        "service-unavailable"}
POOLS = {
    "silent": (lambda w, m, n: None, LOST),
    "garbage": (lambda w, m, n: w.send(b"\x00\xff garbage\r\n\r\n" * 50), LOST),
    "half": (lambda w, m, n: (w.send(answer_to(m, 200)[:40]), hang_up(w)), LOST),
    "closes": (lambda w, m, n: hang_up(w), LOST),
    "busy": (lambda w, m, n: w.send(answer_to(m, 503)), LOST),
    "branch": (lambda w, m, n: w.send(changed(m, 200, b"branch=", b"branch=x")), LOST),
    "method": (lambda w, m, n: w.send(changed(m, 200, b" MESSAGE\r\n", b" OPTIONS\r\n")), LOST),
    "trying": (lambda w, m, n: w.send(answer_to(m, 100) * 100), LOST),
    "zero": (lambda w, m, n: w.send(answer_to(m, 999)), LOST),
    "huge": (lambda w, m, n: w.send(b"SIP/2.0 200 " + b"x" * (1 << 20)), LOST),
    "long": (lambda w, m, n: w.send(compose(
        "SIP/2.0 200 OK", [("Via", m.get("via")), ("From", m.get("from")), ("To", m.get("to")),
                           ("Call-ID", m.get("call-id")), ("CSeq", m.get("cseq"))],
        b"x" * (300 << 10))), LOST | {None}),
    "bytes": (lambda w, m, n: by_bytes(w, m), LOST),
    "twice": (lambda w, m, n: w.send(answer_to(m, 200) + answer_to(m, 486)), {None}),
    "bounce": (lambda w, m, n: w.send(answer_to(m, 302, extra=[("Contact", m.get("to"))])), LOST),
    "echo": (lambda w, m, n: (w.send(request()), w.send(answer_to(m, 200))), {None}),
    "fine": (lambda w, m, n: w.send(answer_to(m, 200)), {None}),
}


def pools():
    """Next hops of every sort at once, three messages to one user each: every one is delivered or
    answered, within the time of one transaction and the bound of waiting."""
    def change(config):
        config["gateway"]["partner_connection_limit"] = 100
        for n, name in enumerate(POOLS):
            config["domains"].append({"name": f"{name}.test", "next_hop": name})
            config["next_hops"][name] = {
                "kind": "sip", "uri": f"sip:127.77.1.{n + 1}:{plan.SIP_TCP};transport=tcp",
                "options_interval_s": 0}
    with Lab("sip-pools") as lab:
        on = ground(lab, change)
        for n, name in enumerate(POOLS):
            lab.own(HostilePool(f"127.77.1.{n + 1}", POOLS[name][0]))
        asked = {}
        for name in POOLS:
            stream = on.good.dial(f"{name}.test", run=False)
            for k in range(3):
                asked[f"{name}-{k}"] = name
                stream.send(f"<message from='{LIZ}' to='joe@{name}.test' id='{name}-{k}'><body>x"
                            "</body></message>")
        before = on.totals()
        told = {}
        deadline = time.monotonic() + 2 * HANG_S
        wanted = {i for i, name in asked.items() if None not in POOLS[name][1]}
        while wanted - set(told) and time.monotonic() < deadline:
            try:
                got = on.good.inbox.get(timeout=1)
            except Exception:
                continue
            if got.get("type") == "error":
                check(got.get("id") not in told, "answered twice", got.get("id"))
                told[got.get("id")] = error_of(got)[1]
        check(not wanted - set(told), "never answered:", sorted(wanted - set(told)),
              on.totals()["sip_unreachable"] - before["sip_unreachable"])
        wrong = {i: c for i, c in told.items() if c not in POOLS[asked[i]][1]}
        check(not wrong, "wrong conditions", wrong)
        on.calm()


def queue_bytes():
    """A partner floods big messages to a next hop that answers nothing: the queue is bounded in
    bytes, the sender is told, others are not disturbed."""
    def change(config):
        config["limits"]["queue_bytes_max"] = 2 << 20
    with Lab("sip-bytes") as lab:
        on = ground(lab, change)
        lab.own(HostilePool(plan.PHONES, POOLS["silent"][0]))
        stream = on.good.dial(plan.CORP, run=False)
        begin = on.rss()
        body = "x" * 30000

        def flood():
            try:
                for n in range(3000):
                    stream.send(f"<message from='{LIZ}' to='u{n % 40}@{plan.CORP}' id='b{n}'><body>"
                                f"{body}</body></message>")
            except OSError:  # the end of the test
                pass
        threading.Thread(target=flood, daemon=True).start()
        for _ in range(10):
            time.sleep(0.5)
            on.calm()
        check(on.rss() - begin < 40 * MEGA, "memory grew by MB", (on.rss() - begin) // MEGA)


def one_recipient():
    """EVIL floods one recipient who never answers: GOOD's messages to others at the same next hop
    are not held up."""
    with Lab("sip-recipient") as lab:
        on = ground(lab, evil={})
        heard = []

        def react(wire, message, n):
            if "hole@" not in message.start:
                heard.append(message.text)
                wire.send(answer_to(message, 200))
        lab.own(HostilePool(plan.PHONES, react))
        flood = Peer(lab, EVIL, EVIL_ADDRESS).dial(plan.CORP, run=False)
        stream = on.good.dial(plan.CORP, run=False)

        def send():
            try:
                for n in range(20000):
                    flood.send(f"<message from='ann@{EVIL}' to='hole@{plan.CORP}' id='h{n}'><body>"
                               f"{'x' * 200}</body></message>")
            except OSError:  # the end of the test
                pass
        threading.Thread(target=send, daemon=True).start()
        on.fedgate.wait_stats("flood", lambda s: s["totals"]["stanzas_in_partner"] > 500, 10)
        begin = time.monotonic()
        for n in range(200):
            stream.send(f"<message from='{LIZ}' to='joe{n}@{plan.CORP}' id='j{n}'><body>j{n}</body>"
                        "</message>")
        wait_until("GOOD's messages", lambda: len(set(heard)) >= 200, 10)
        show_time("GOOD's messages took", time.monotonic() - begin)
        on.calm()


def stop_with_silent_pool(shards):
    """SIGTERM while a next hop answers nothing: GOOD is told of each message, the exit is clean."""
    with Lab("sip-stop") as lab:
        on = ground(lab, shards=shards)
        lab.own(HostilePool(plan.PHONES, lambda w, m, n: w.send(answer_to(m, 404)) if n == 1
                            else None))
        stream = on.good.dial(plan.CORP, run=False)
        # An error first, so that there is a stream for answers: none is opened while stopping.
        stream.send(f"<message from='{LIZ}' to='first@{plan.CORP}' id='s'><body>x</body></message>")
        while on.good.inbox.get(timeout=HANG_S).get("id") != "s":
            pass
        count = 60
        for n in range(count):
            stream.send(f"<message from='{LIZ}' to='u{n % 9}@{plan.CORP}' id='s{n}'><body>x</body>"
                        "</message>")
        on.fedgate.wait_stats("out", lambda s: s["totals"]["stanzas_out_sip"] >= 10, 10)
        on.fedgate.process.send_signal(signal.SIGTERM)
        told = set()
        while len(told) < count:
            element = on.good.inbox.get(timeout=HANG_S)
            if element.get("type") == "error":
                check(element.get("id") not in told, "answered twice", element.get("id"))
                told.add(element.get("id"))
        check(on.fedgate.process.popen.wait(HANG_S) == 0, "exit status")


def probe_and_reload():
    """The next hop answers no OPTIONS and is taken out of the configuration meanwhile."""
    def change(config):
        config["next_hops"]["pool"]["options_interval_s"] = 5
    with Lab("sip-reload") as lab:
        on = ground(lab, change)
        pool = lab.own(HostilePool(plan.PHONES, POOLS["silent"][0]))
        wait_until("probe", lambda: pool.count >= 1, 10)
        on.fedgate.config["next_hops"]["other"] = dict(HOP, uri=f"sip:{plan.NOBODY};transport=tcp")
        del on.fedgate.config["next_hops"]["pool"]
        on.fedgate.config["domains"][0]["next_hop"] = "other"
        on.fedgate.reload()
        time.sleep(1.0)
        pool.stop()
        on.calm()


def down_and_back():
    """The pool goes away under traffic and comes back: each message arrives or is answered."""
    with Lab("sip-back") as lab:
        on = ground(lab)
        stream = on.good.dial(plan.CORP, run=False)
        got = []
        react = lambda w, m, n: (got.append(m.text), w.send(answer_to(m, 200)))
        told = {}

        def say(first, last):
            for n in range(first, last):
                stream.send(f"<message from='{LIZ}' to='u{n % 7}@{plan.CORP}' id='n{n}'>"
                            f"<body>n{n}</body></message>")

        def drain_inbox():
            while not on.good.inbox.empty():
                e = on.good.inbox.get()
                if e.get("type") == "error":
                    told[e.get("id")] = error_of(e)

        def settled(count):
            drain_inbox()
            return len(set(got) | set(told)) >= count
        pool = HostilePool(plan.PHONES, react)
        say(0, 50)
        wait_until("delivered", lambda: settled(50), 10)
        check(not told, "refused while up", told)
        pool.react = lambda w, m, n: hang_up(w)
        pool.stop()
        say(50, 100)
        wait_until("answered while down", lambda: settled(100), 30)
        pool = lab.own(HostilePool(plan.PHONES, react))
        wait_until("back", lambda: (say(100 + len(got), 101 + len(got)), time.sleep(0.5),
                                    any(t.startswith("n1") and int(t[1:]) >= 100 for t in got))[-1],
                   30)
        on.calm()


def tests():
    yield from (pools, queue_bytes, one_recipient)
    for shards in (1, 2):
        yield case(f"stop_with_silent_pool_{shards}", stop_with_silent_pool, shards)
    yield from (probe_and_reload, down_and_back)


if __name__ == "__main__":
    main(*tests())
