#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that we dial and that are not what they should be: no stanza goes where it must not, and
whoever sent one is told."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from dnslib import CNAME

from lab import Lab, check, main, plan
from lab.fedgate import partner
from lab.hostile import (EVIL, EVIL_ADDRESS, FEATURE_DIALBACK, FEATURE_EXTERNAL, FEATURE_TLS, GOOD,
                         JOE, LIZ, PLAIN, Ground, Server, answer_header, serve_external, serve_tls,
                         short)
from lab.process import HANG_S, wait_until
from lab.xmpp import NS_SASL, local, trust_everyone

ANN = f"ann@{EVIL}"
SECRET = "secret text"
EXTERNAL = {"sasl": "required", "dialback": False}
TLS_NS = "urn:ietf:params:xml:ns:xmpp-tls"
ERROR = ("<stream:error><{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'>{}</{}></stream:error>"
         "</stream:stream>")


def endless(raw, piece):
    for _ in range(2000):
        raw.socket.sendall(piece)


def scripts(lab):
    """name -> (row, script(raw, n, domain)): none of them may get to see a stanza."""
    def context(name):
        return trust_everyone(lab.certs.crt(name), lab.certs.key(name), True)

    lab.certs.make("s-selfsigned.test", name="selfsigned", ca="self")
    lab.certs.make("other.test", name="misnamed")
    lab.certs.make("s-expired.test", name="expired", days=-1)

    def plain(features, after=""):
        def script(raw, n, domain):
            answer_header(raw, features, domain)
            raw.send(after)
        return script

    def after_proceed(data):
        def script(raw, n, domain):
            answer_header(raw, FEATURE_TLS, domain)
            raw.until("<starttls")
            raw.send(f"<proceed xmlns='{TLS_NS}'/>" + data)
        return script

    def with_certificate(name, features=FEATURE_EXTERNAL, after=""):
        def script(raw, n, domain):
            serve_tls(raw, context(name or lab.certs.need(domain)), features, domain)
            raw.send(after)
        return script

    head = answer_header
    stanza = f"<message from='{LIZ}' to='{JOE}'><body>forged</body></message>"
    return {
        "strip": (EXTERNAL, plain("")),
        "stripdb": (EXTERNAL, plain(FEATURE_DIALBACK)),
        "fails": (EXTERNAL, plain(FEATURE_TLS, f"<failure xmlns='{TLS_NS}'/></stream:stream>")),
        "old": (EXTERNAL, lambda raw, n, d: head(raw, None, d, version=None)),
        "endless": (EXTERNAL, lambda raw, n, d: (head(raw, None, d), raw.send("<stream:features>"),
                                                 endless(raw, b"<x/>" * 1000))),
        "bighead": (EXTERNAL, lambda raw, n, d: raw.send(
            "<stream:stream a='" + "x" * (1 << 20))),
        "http": (EXTERNAL, lambda raw, n, d: raw.send("HTTP/1.1 400 Bad\r\n\r\n")),
        "closes": (EXTERNAL, lambda raw, n, d: raw.close()),
        "halfhead": (EXTERNAL, lambda raw, n, d: (raw.send("<stream:str"), raw.close())),
        "mute": (EXTERNAL, lambda raw, n, d: None),
        "mutelater": (EXTERNAL, plain(FEATURE_TLS, "")),
        "redirect": (EXTERNAL, plain(None, ERROR.format("see-other-host", plan.FEDGATE,
                                                        "see-other-host"))),
        "redirectself": (EXTERNAL, plain(None, ERROR.format("see-other-host", "s-redirectself.test",
                                                            "see-other-host"))),
        "hostunknown": (EXTERNAL, plain(None, ERROR.format("host-unknown", "", "host-unknown"))),
        "stanzafirst": (EXTERNAL, plain(FEATURE_TLS, stanza)),
        "successfirst": (EXTERNAL, plain(FEATURE_EXTERNAL, f"<success xmlns='{NS_SASL}'/>")),
        "otherfrom": (EXTERNAL, lambda raw, n, d: head(raw, FEATURE_EXTERNAL, GOOD)),
        "inject": (EXTERNAL, after_proceed(f"<stream:features>{FEATURE_EXTERNAL}")),
        "notls": (EXTERNAL, after_proceed("")),
        "tlsalert": (EXTERNAL, after_proceed("\x15\x03\x03\x00\x02\x02\x28")),
        "selfsigned": (EXTERNAL, with_certificate("selfsigned")),
        "misnamed": (EXTERNAL, with_certificate("misnamed")),
        "expired": (EXTERNAL, with_certificate("expired")),
        "starttlsagain": (EXTERNAL, with_certificate(None, FEATURE_TLS)),
        "nomechanism": (EXTERNAL, with_certificate(None, FEATURE_EXTERNAL.replace("EXT", "INT"))),
        "saslfails": (EXTERNAL, with_certificate(
            None, after=f"<failure xmlns='{NS_SASL}'><not-authorized/></failure>")),
        "challenges": (EXTERNAL, with_certificate(
            None, after=f"<challenge xmlns='{NS_SASL}'>=</challenge>" * 50)),
        "dbonly": (EXTERNAL, with_certificate(None, FEATURE_DIALBACK)),
        "stanzaintls": (EXTERNAL, with_certificate(None, after=stanza)),
        "dbrefuses": (PLAIN, lambda raw, n, d: (head(raw, FEATURE_DIALBACK, d), raw.send(
            f"<db:result from='{d}' to='{plan.APP}' type='invalid'/>"))),
        "dbother": (PLAIN, lambda raw, n, d: (head(raw, FEATURE_DIALBACK, d), raw.send(
            f"<db:result from='{GOOD}' to='{plan.APP}' type='valid'/>"
            f"<db:result from='{d}' to='{plan.CORP}' type='valid'/>"
            f"<db:result from='x.{d}' to='{plan.APP}' type='valid'/>"
            f"<db:verify from='{d}' to='{plan.APP}' id='1' type='valid'/>"))),
        "dberror": (PLAIN, lambda raw, n, d: (head(raw, FEATURE_DIALBACK, d), raw.send(
            f"<db:result from='{d}' to='{plan.APP}' type='error'><error type='cancel'>"
            "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>"))),
    }


def dialled():
    """One hostile server of each kind at the same time, two messages to each: no stanza is seen by
    any, every message is answered."""
    with Lab("dialled") as lab:
        rows = scripts(lab)

        def change(config):
            short(config)
            config["limits"]["queue_age_s_max"] = 20
            config["partners"] += [partner(f"s-{name}.test", **row)
                                   for name, (row, _) in rows.items()]
        on = Ground(lab, {}, change)
        servers = {}
        for n, (name, (_, script)) in enumerate(rows.items()):
            domain = f"s-{name}.test"
            lab.dns.xmpp(domain, f"127.77.2.{n + 1}")
            servers[name] = Server(
                lab, f"127.77.2.{n + 1}",
                lambda raw, n, script=script, domain=domain: script(raw, n, domain))
        open_ids = set()
        for name in rows:
            for k in range(2):
                open_ids.add(f"{name}-{k}")
                on.component.say(JOE, f"ann@s-{name}.test", SECRET, ident=f"{name}-{k}")
        end = time.monotonic() + 2 * HANG_S
        while open_ids and time.monotonic() < end:
            try:
                element = on.component.stream.received(1.0)
            except AssertionError:
                continue
            check(local(element) == "message" and element.get("type") == "error", "the inside got",
                  element.tag, element.attrib)
            check(element.get("id") in open_ids, "answered twice", element.get("id"))
            open_ids.discard(element.get("id"))
        check(not open_ids, "never answered:", sorted(open_ids))
        saw = [name for name, server in servers.items() if server.heard(SECRET)]
        check(not saw, "a stanza was sent to", saw)
        busy = {name: len(server.raws) for name, server in servers.items() if len(server.raws) > 8}
        check(not busy, "dialled too often", busy)
        for name in rows:
            failures = on.fedgate.partner(f"s-{name}.test")["out"]["failures"]
            check(failures, "no failure counted for", name)
        on.calm()


def authenticated_server():
    """An authenticated server that sends stanzas on our stream, acknowledges too much, offers the
    features again: the stream ends, what was written is answered, the next attempt waits."""
    with Lab("server") as lab:
        on = Ground(lab, {}, short)
        name = lab.certs.need(EVIL)
        context = trust_everyone(lab.certs.crt(name), lab.certs.key(name), True)
        sm = "<sm xmlns='urn:xmpp:sm:3'/>"
        tricks = (f"<message from='{ANN}' to='{JOE}'><body>forged</body></message>",
                  f"<message from='{LIZ}' to='{JOE}'><body>forged</body></message>",
                  "<enabled xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='999'/>",
                  "<a xmlns='urn:xmpp:sm:3' h='-1'/>",
                  f"<success xmlns='{NS_SASL}'/>", "<db:result type='valid'/>", "</x>", "\x00")
        trick = [None]

        def script(raw, n):
            serve_external(raw, context, features=sm)
            raw.until(SECRET)
            raw.send(trick[0])
        server = Server(lab, EVIL_ADDRESS, script)
        for n, trick[0] in enumerate(tricks):
            on.component.say(JOE, ANN, f"{SECRET} {n}", ident=f"t{n}")
            wait_until("seen", lambda: server.heard(f"{SECRET} {n}"), 25)
            for raw in list(server.raws):
                raw.close()
            kind, condition = on.component.gets_error(f"t{n}")
            check(condition == "remote-server-timeout", kind, condition)
            on.calm()
        check(len(server.raws) <= 2 * len(tricks), "dialled too often", len(server.raws))
        on.inside_hears_nothing()


def dns():
    """Answers that lead nowhere, or everywhere."""
    with Lab("dns") as lab:
        names = ("nxdomain", "nodata", "dot", "refused", "thousand", "target", "cname", "manyaddr")

        def change(config):
            short(config)
            config["limits"]["queue_age_s_max"] = 15
            config["partners"] += [partner(f"{name}.test") for name in names]
        on = Ground(lab, {}, change)
        put = lab.dns
        put.put("nodata.test", "TXT")
        put.a("x.nodata.test", plan.NOBODY)
        put.srv("_xmpp-server._tcp.dot.test", (0, 0, 0, "."))
        put.srv("_xmpps-server._tcp.dot.test", (0, 0, 0, "."))
        put.a("refused.test", plan.NOBODY)
        put.srv("_xmpp-server._tcp.thousand.test", *[
            (n % 7, n % 5, plan.XMPP_SERVER, f"t{n}.thousand.test") for n in range(1000)])
        for n in range(1000):
            put.a(f"t{n}.thousand.test", plan.NOBODY)
        put.srv("_xmpp-server._tcp.target.test", (1, 1, 5269, "nowhere.test"),
                (1, 1, 0, "target.test"), (1, 1, 5269, "a" * 60 + ".test"))
        put.put("cname.test", "CNAME", CNAME("cname.test"))
        put.a("manyaddr.test", *[f"127.77.9.{n}" for n in range(1, 255)])
        begin = on.rss()
        for name in names:
            on.component.say(JOE, f"ann@{name}.test", "hello", ident=name)
        told = {}
        end = time.monotonic() + 2 * HANG_S
        while len(told) < len(names) and time.monotonic() < end:
            try:
                element = on.component.stream.received(1.0)
                told[element.get("id")] = element
            except AssertionError:
                continue
        check(set(told) == set(names), "never answered:", set(names) - set(told))
        asked = len([q for q in lab.dns.zones.queries if q[0].startswith("t") and "thousand" in q[0]
                     ])
        check(asked < 200, "look-ups for one partner:", asked)
        check(on.rss() - begin < 64 << 20, "memory grew", (on.rss() - begin) >> 20)
        on.calm()


if __name__ == "__main__":
    main(dialled, authenticated_server, dns)
