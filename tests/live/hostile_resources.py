#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that take: connections, memory, time. What they get is bounded, and others go on."""
import os
import resource
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, LabError, check, main, plan
from lab.hostile import (EVIL, EVIL_ADDRESS, GOOD, JOE, LIZ, Ground, Raw, Server,
                         component_or_none, header, serve_external)
from lab.process import HANG_S, show_time, wait_until
from lab.xmpp import END, NS_COMPONENT, NS_SASL, Component, Stream, trust_everyone

MEGA = 1 << 20
ANN = f"ann@{EVIL}"


def connections_per_address():
    """The cap on unauthenticated connections: per address, freed by leaving and by proving."""
    def change(config):
        config["limits"]["connections_per_address_max"] = 8
        config["gateway"]["partner_connection_limit"] = 50
    with Lab("per-address") as lab:
        on = Ground(lab, {}, change)

        def connections():
            return sum(shard["conn_open"] for shard in on.fedgate.stats()["shards"])

        def alive():
            for raw in raws:
                raw.take(0.01)
            return sum(not raw.is_ended for raw in raws)
        raws = []
        for _ in range(30):
            try:
                raws.append(Raw())
            except OSError:
                pass
        wait_until("8 to stay", lambda: alive() <= 8)
        on.calm()
        check(alive() == 8, "expected 8 to stay, did", alive())
        most = connections()
        Raw(source="127.77.0.12").send(header(to="x.test")).until_end()
        for raw in raws:
            raw.close()
        wait_until("their end", lambda: connections() <= most - 8)
        context = on.evil_tls()
        authenticated = []
        for _ in range(12):  # one after the other, each leaves the count when proved
            raw = Raw().starttls(context)
            raw.send(header()).until("</stream:features>")
            raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>=</auth>").until("<success")
            authenticated.append(raw)
        on.calm()


def idle_thousands():
    """2,000 connections that say nothing, half of them on the TLS port: a good one is served, the
    memory is bounded, and all are gone after the deadline."""
    count = 2000
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, most))

    def change(config):
        config["gateway"]["stream_establishment_timeout_s"] = 6
    with Lab("idle") as lab:
        on = Ground(lab, {}, change)
        begin = on.rss()
        raws = [Raw((plan.XMPP_SERVER, plan.XMPPS_SERVER)[n % 2], f"127.77.3.{n % 200 + 1}")
                for n in range(count)]
        on.calm()
        check(on.rss() - begin < count * 64 * 1024, "kB each:", (on.rss() - begin) / count / 1024)
        raw = Raw().starttls(on.evil_tls())
        raw.send(header()).until("EXTERNAL")
        deadline = time.monotonic() + HANG_S
        left = raws
        while left and time.monotonic() < deadline:
            for raw in left:
                raw.take(0.0)
            left = [raw for raw in left if not raw.is_ended]
        check(not left, "still connected", len(left))
        on.calm()


def slow_reader():
    """SEC-71: EVIL's server accepts our stream and reads nothing while the component floods it:
    what waits is bounded, GOOD is served by the same component within seconds."""
    def change(config):
        config["limits"]["queue_bytes_max"] = 2 * MEGA
    with Lab("slow-reader") as lab:
        on = Ground(lab, {}, change)
        name = lab.certs.need(EVIL)
        context = trust_everyone(lab.certs.crt(name), lab.certs.key(name), True)
        stop = threading.Event()

        def script(raw, n):
            serve_external(raw, context)
            stop.wait(40)
            raw.close()
        Server(lab, EVIL_ADDRESS, script)
        begin = on.rss()
        body = "x" * 4000
        sent = [0]

        def flood():
            try:
                for n in range(5000):
                    on.component.say(JOE, ANN, body, ident=f"f{n}")
                    sent[0] = n + 1
            except OSError:
                pass
        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        worst = 0.0
        while thread.is_alive() or worst == 0.0:
            mark = time.monotonic()
            on.stream.send(f"<message from='{LIZ}' to='{JOE}'><body>in</body></message>")
            on.hears("in")
            worst = max(worst, time.monotonic() - mark)
            if sent[0] >= 5000:
                break
            time.sleep(0.2)
        show_time("GOOD waited for at most", worst)
        thread.join(HANG_S)
        check(not thread.is_alive(), "the component is stuck behind one partner", sent[0])
        on.component.say(JOE, LIZ, "out")
        check(on.good.inbox.get(timeout=HANG_S)[0].text == "out", "another text")
        check(on.rss() - begin < 80 * MEGA, "memory grew by MB", (on.rss() - begin) // MEGA)
        on.fedgate.wait_stats("refusals", lambda s: s["totals"]["bounced_queue_full"] > 1000, 10)
        stop.set()
        on.calm()


def reader_of_answers():
    """EVIL asks for many answers by another stream than it reads: bounded too."""
    def change(config):
        config["limits"]["queue_bytes_max"] = MEGA
    with Lab("answers") as lab:
        on = Ground(lab, {}, change)
        name = lab.certs.need(EVIL)
        context = trust_everyone(lab.certs.crt(name), lab.certs.key(name), True)
        Server(lab, EVIL_ADDRESS, lambda raw, n: (serve_external(raw, context), time.sleep(30)))
        raw = Raw().starttls(on.evil_tls())
        raw.send(header(to=plan.APP)).until("</stream:features>")
        raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>=</auth>").until("<success")
        raw.text = ""
        raw.send(header(to=plan.APP)).until("</stream:features>")
        begin = on.rss()
        ask = (f"<iq type='get' id='{'i' * 500}' from='{ANN}' to='joe@nobody.test'>"
               "<query xmlns='jabber:iq:version'/></iq>"
               f"<message from='{ANN}' to='{JOE}'><body>x</body></message>")
        raw.socket.settimeout(HANG_S)
        for _ in range(150):
            raw.socket.sendall(ask.encode() * 100)
        check(on.rss() - begin < 48 * MEGA, "memory grew by MB", (on.rss() - begin) // MEGA)
        heard = 0
        while heard < 15000:
            on.hears("x")
            heard += 1
        on.calm()


def deaf_component():
    """The component reads nothing while EVIL floods it: what waits is bounded, a second component
    cannot take the domain, and all arrives in order when the first one reads again."""
    count = 6000
    with Lab("deaf") as lab:
        on = Ground(lab, {})
        on.component.stop()
        on.component = lab.own(wait_until("deaf", lambda: component_or_none(run=False), 10))
        raw = Raw().starttls(on.evil_tls())
        raw.send(header()).until("</stream:features>")
        raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>=</auth>").until("<success")
        raw.text = ""
        raw.send(header()).until("</stream:features>")
        begin = on.rss()
        body = "y" * 2000

        def flood():
            raw.socket.settimeout(60)
            for n in range(count):
                raw.send(f"<message from='{ANN}' to='{JOE}'><body>{n}:{body}</body></message>")
        threading.Thread(target=flood, daemon=True).start()
        time.sleep(3)
        try:
            Component(plan.APP, "inside")
            check(False, "a second component took the domain")
        except LabError as refused:
            check("conflict" in str(refused), str(refused))
        check(on.rss() - begin < 64 * MEGA, "memory grew by MB", (on.rss() - begin) // MEGA)
        for n in range(count):
            element = on.component.stream.received(20)
            check(element is not END and element[0].text.startswith(f"{n}:"), "order or loss at", n)
        on.calm()


def components():
    """What a component may not do."""
    with Lab("components") as lab:
        on = Ground(lab, {})
        before = on.totals()

        def opened(domain):
            stream = Stream(plan.FEDGATE, plan.COMPONENT)
            stream.open(NS_COMPONENT, to=domain, version=None)
            return stream
        for domain, secret in ((plan.APP, "wrong"), (plan.APP, ""), ("x.test", "inside"),
                               (plan.CORP, "inside"), (GOOD, "inside")):
            try:
                Component(domain, secret, run=False)
                check(False, "accepted", domain, secret)
            except LabError as error:
                check("expected stream" in str(error) or "component refused" in str(error), error)
        for data in (b"\x00", b"<?xml version='1.0'?><a>", b"<stream:stream>" * 5,
                     b"<handshake>x</handshake>", b"x" * 100000):
            raw = Raw(plan.COMPONENT, "127.77.0.13")
            raw.send(data).until_end()
        stream = opened(plan.APP)
        stream.expect("stream")
        stream.send(f"<message from='{JOE}' to='{LIZ}'><body>early</body></message>")
        stream.expect("error")
        on.grown(before, components_refused=6)
        on.component.send(f"<message from='joe@{plan.CORP}' to='{LIZ}' id='s1'><body>spoof</body>"
                          "</message>")
        time.sleep(0.3)
        ended = not on.component.stream.thread.is_alive()
        check(on.good.inbox.empty(), "a spoofed stanza went out")
        if ended:  # hung up on for it: comes back
            on.component = lab.own(Component(plan.APP, "inside"))
        on.calm()


if __name__ == "__main__":
    main(connections_per_address, idle_thousands, slow_reader, reader_of_answers, deaf_component,
         components)
