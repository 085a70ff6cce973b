#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Authenticated peers whose stanzas break the rules: forged, misaddressed, too big, or such that
whoever they are forwarded to would end the stream. Each is refused as RFC 6120 says, and disturbs
nobody. SEC numbers are those of the security cases that the tests stand for."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.hostile import EVIL, GOOD, JOE, LIZ, Ground, authenticated, closed_with
from lab.process import HANG_S
from lab.xmpp import error_of

BODY = "<body>x</body>"
BAD_NAMES = ("a}b", "a&#10;b", "a b", " ", "a|b", "a^b", "a\\b", "a&lt;b", "{a", "a`b")
SPOOFS = (
    (f"<message from='{LIZ}' to='{JOE}'>{BODY}</message>", "invalid-from"),
    (f"<message from='ann@sub.{EVIL}' to='{JOE}'>{BODY}</message>", "invalid-from"),
    (f"<message from='ann@not{EVIL}' to='{JOE}'>{BODY}</message>", "invalid-from"),
    (f"<message from='joe@{plan.CORP}' to='{JOE}'>{BODY}</message>", "invalid-from"),
    (f"<message from='{JOE}' to='{JOE}'>{BODY}</message>", "invalid-from"),
    (f"<message from='ann@stranger.test' to='{JOE}'>{BODY}</message>", "invalid-from"),
    (f"<message to='{JOE}'>{BODY}</message>", "improper-addressing"),
    (f"<message from='' to='{JOE}'>{BODY}</message>", "improper-addressing"),
    (f"<message from='/x' to='{JOE}'>{BODY}</message>", "improper-addressing"),
    (f"<message from='a@b@{EVIL}' to='{JOE}'>{BODY}</message>", "improper-addressing"),
    (f"<message from='ann@{EVIL}'>{BODY}</message>", "improper-addressing"),
    (f"<message from='ann@{EVIL}' to=''>{BODY}</message>", "improper-addressing"),
    (f"<message from='ann@{EVIL}' from='{LIZ}' to='{JOE}'>{BODY}</message>", "not-well-formed"),
    (f"<message xmlns='jabber:client' from='ann@{EVIL}' to='{JOE}'/>", "invalid-namespace"),
    (f"<presence from='{LIZ}' to='{JOE}'/>", "invalid-from"),
    (f"<iq type='get' id='1' from='{GOOD}' to='{plan.APP}'/>", "invalid-from"),
    ("<x xmlns='urn:x'/>", "unsupported-stanza-type"),
    ("<letter/>", "unsupported-stanza-type"),
    (f"<message from='ann@{EVIL}' to='{JOE}'><body>\ufffe</body></message>", "not-well-formed"),
    (f"<message from='ann@{EVIL}' to='{JOE}'><!-- --></message>", "restricted-xml"),
)


def spoofs(shards):
    """SEC-11 and every forged address on an authenticated stream, behind a good stanza."""
    with Lab("spoofs") as lab:
        ground = Ground(lab, {}, shards=shards)
        context = ground.evil_tls()
        wrong = []
        before = ground.totals()
        for n, (stanza, right) in enumerate(SPOOFS):
            raw = authenticated(context, (plan.XMPP_SERVER, plan.XMPPS_SERVER)[n % 2])
            raw.send(f"<message from='ann@{EVIL}' to='{JOE}'><body>true {n}</body></message>"
                     + stanza
                     + f"<message from='ann@{EVIL}' to='{JOE}'><body>late</body></message>")
            try:
                ground.hears(f"true {n}")
                closed_with(raw, right)
            except AssertionError as error:
                wrong.append(f"{stanza}: {error}")
        check(not wrong, "\n".join(wrong))
        ground.inside_hears_nothing()
        now = ground.totals()
        forged = sum(1 for _, right in SPOOFS if right == "invalid-from")
        check(now["spoofed"] - before["spoofed"] == forged, "spoofed counts",
              now["spoofed"] - before["spoofed"], "of", forged)


def wrong_targets():
    """Stanzas to domains that the stream is not for: answered, and after many of them closed."""
    with Lab("targets") as lab:
        ground = Ground(lab, {})
        raw = authenticated(ground.evil_tls())
        for to in ("ann@nobody.test", f"joe@{plan.CORP}", LIZ):
            raw.send(f"<message from='ann@{EVIL}' to='{to}' id='m'>{BODY}</message>")
        ground.calm()
        raw.hears_nothing_of("stream:error")
        raw.send(f"<message from='ann@{EVIL}' to='ann@nobody.test'>{BODY}</message>" * 5000)
        closed_with(raw, "host-unknown")
        ground.inside_hears_nothing()


def sizes():
    """SEC-59: a stanza of limit-1, limit and limit+1 bytes, whole and in pieces."""
    limit = 20000

    def change(config):
        config["limits"]["stanza_bytes_max"] = limit
    with Lab("sizes") as lab:
        ground = Ground(lab, {}, change)
        context = ground.evil_tls()
        frame = f"<message from='ann@{EVIL}' to='{JOE}' type='chat'><body>%s</body></message>"
        room = limit - len(frame % "")
        for piece in (1 << 20, 1000):
            raw = authenticated(context)
            for size in (room - 1, room):
                stanza = frame % ("x" * size)
                for at in range(0, len(stanza), piece):
                    raw.send(stanza[at:at + piece])
                ground.hears("x" * size)
            raw.send(" \n" * 200)  # between stanzas it counts for none
            stanza = frame % ("y" * (room + 1))
            for at in range(0, len(stanza), piece):
                raw.send(stanza[at:at + piece])
            closed_with(raw, "policy-violation")
        ground.inside_hears_nothing()


def namespaces():
    """A namespace name that is no URI: XML parsers which write namespace and name as one text take
    it for a fault in the XML and end the stream (the component here is of that kind: Python's).
    Refused both ways, and both streams live on."""
    with Lab("namespaces") as lab:
        ground = Ground(lab, {})
        for number, name in enumerate(BAD_NAMES):
            for form in (f"<x xmlns='{name}'/>", f"<p:x xmlns:p='{name}'>y</p:x>",
                         f"<x xmlns='urn:x' xmlns:never='{name}'/>"):
                ground.stream.send(f"<message from='{LIZ}' to='{JOE}' id='n{number}'>{form}"
                                   f"{BODY}</message>")
                told = ground.good.inbox.get(timeout=HANG_S)
                check(error_of(told) == ("modify", "bad-request"), name, error_of(told))
                ground.component.send(f"<message from='{JOE}' to='{LIZ}' id='c{number}'>{form}"
                                      f"{BODY}</message>")
                told = ground.component.gets_error(f"c{number}")
                check(told == ("modify", "bad-request"), name, told)
        ground.calm()
        ground.inside_hears_nothing()
        check(len(ground.good.accepted) == 1, "another stream was needed")


def tests():
    for shards in (1, 2):
        yield case(f"spoofs_{shards}", spoofs, shards)
    yield from (wrong_targets, sizes, namespaces)


if __name__ == "__main__":
    main(*tests())
