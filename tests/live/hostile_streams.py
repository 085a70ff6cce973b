#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that break the rules of XMPP streams: each gets the reaction RFC 6120 names, a counter, and
disturbs nobody. SEC numbers are those of the security cases that the tests stand for."""
import base64
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.hostile import (DIALBACK, EVIL, GOOD, JOE, LIZ, Ground, Raw, authenticated,
                         condition_of, header, refused, tls_context)
from lab.process import wait_until
from lab.xmpp import NS_SASL, NS_SERVER, NS_STREAM, trust_everyone

NS_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
STARTTLS = f"<starttls xmlns='{NS_TLS}'/>"
BODY = "<body>x</body>"
EARLY_BYTES = 65536

# (name, bytes instead of a header, conditions that are right)
BAD_OPENINGS = (
    ("http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", ("not-well-formed", "bad-format")),
    ("tls on the plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
     ("not-well-formed",)),
    ("no stream namespace", "<stream:stream to='app.corp.test'>",
     ("not-well-formed", "bad-namespace-prefix", "invalid-namespace")),
    ("wrong stream namespace", f"<stream:stream xmlns='{NS_SERVER}' xmlns:stream='urn:x'>",
     ("bad-namespace-prefix", "invalid-namespace")),
    ("wrong root", f"<stream:x xmlns='{NS_SERVER}' xmlns:stream='{NS_STREAM}'>",
     ("bad-format", "invalid-namespace", "bad-namespace-prefix")),
    ("client namespace", header().replace(NS_SERVER, "jabber:client"), ("invalid-namespace",)),
    ("doctype", "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]>" + header(),
     ("restricted-xml",)),
    ("comment", "<?xml version='1.0'?><!-- x -->", ("restricted-xml",)),
    ("processing instruction", "<?php x ?>", ("restricted-xml", "not-well-formed")),
    ("entity", header(to="&e;"), ("restricted-xml", "not-well-formed")),
    ("utf-16", "<?xml version='1.0' encoding='utf-16'?>" + header(), ("unsupported-encoding",)),
    ("utf-16 bytes", header().encode("utf-16"), ("unsupported-encoding", "not-well-formed")),
    ("bad utf-8", header(to="\udcc0\udcaf").encode("utf-8", "surrogateescape"),
     ("not-well-formed",)),
    ("control", header(to="a\x01b"), ("not-well-formed",)),
    ("nul", header(to="a\x00b"), ("not-well-formed",)),
    ("attribute twice", header(extra=" to='a'"), ("not-well-formed",)),
    ("version 2", header(version="2.0"), ("unsupported-version",)),
    ("version words", header(version="one"), ("unsupported-version",)),
    ("no to", header(to=None), ("improper-addressing", "host-unknown")),
    ("to is a user", header(to="joe@app.corp.test"), ("improper-addressing", "host-unknown")),
    ("to unknown", header(to="nobody.test"), ("host-unknown",)),
    ("to long", header(to="a" * 3000), ("improper-addressing", "host-unknown")),
    ("from is a user", header(sender="joe@evil.test"), ("improper-addressing", "invalid-from")),
    ("from is garbage", header(sender="&lt;&gt;"), ("improper-addressing", "invalid-from")),
    ("from unknown", header(sender="stranger.test"), ("policy-violation",)),
    ("from a suffix", header(sender="notevil.test"), ("policy-violation",)),
    ("from below", header(sender="evil.test.other.test"), ("policy-violation",)),
    ("from ourselves", header(sender=plan.CORP),
     ("undefined-condition", "invalid-from", "policy-violation")),
    ("pre-1.0 under TLS required", header(version=None), ("policy-violation",)),
    ("3000 attributes", header(extra="".join(f" a{n}='x'" for n in range(3000))),
     ("policy-violation",)),
    ("3000 namespaces", header(extra="".join(f" xmlns:a{n}='x'" for n in range(3000))),
     ("policy-violation",)),
    ("long attribute name", header(extra=f" {'a' * 9000}='x'"), ("policy-violation",)),
    ("long value", header(extra=f" a='{'x' * 70000}'"), ("policy-violation",)),
    ("whitespace", " " * (EARLY_BYTES + 10), ("policy-violation",)),
)

# (name, first-level bytes behind our features, conditions)
BAD_ELEMENTS = (
    ("stanza", f"<message from='ann@{EVIL}' to='{JOE}'>{BODY}</message>", ("not-authorized",)),
    ("iq", f"<iq type='get' id='1' from='{EVIL}' to='app.corp.test'/>", ("not-authorized",)),
    ("second header", header().partition("?>")[2] + "</stream:stream>",
     ("bad-format", "invalid-namespace", "unsupported-stanza-type")),
    ("second document", header(), ("restricted-xml", "not-well-formed")),
    ("unknown element", "<x xmlns='urn:x'/>", ("unsupported-stanza-type",)),
    ("client stanza", "<message xmlns='jabber:client'/>", ("invalid-namespace",)),
    ("text", "hello", ("bad-format", "not-well-formed")),
    ("wrong end tag", "<a></b>", ("not-well-formed",)),
    ("depth", "<a xmlns='urn:x'>" * 2000, ("policy-violation",)),
    ("breadth", "<a xmlns='urn:x'>" + "<b/>" * 3000, ("policy-violation",)),
    ("attributes", "<a " + " ".join(f"a{n}=''" for n in range(200)) + "/>",
     ("policy-violation",)),
    ("big text", "<a xmlns='urn:x'>" + "x" * 70000, ("policy-violation",)),
    ("whitespace", " \n" * (EARLY_BYTES // 2 + 10), ("policy-violation",)),
    ("cdata trick", f"<message><body><![CDATA[</body></message><presence from='{LIZ}'/>]]>"
     "</body></message>", ("not-authorized",)),
    ("stream end inside", "<a xmlns='urn:x'></stream:stream>", ("not-well-formed",)),
    ("declaration again", "<?xml version='1.0'?>", ("restricted-xml", "not-well-formed")),
)


def openings():
    """Whatever is not a stream header, whole and in single bytes (the short ones)."""
    with Lab("openings") as lab:
        ground = Ground(lab, {})
        before = ground.totals()
        wrong = []
        for name, data, right in BAD_OPENINGS:
            data = data.encode() if isinstance(data, str) else data
            for pieces in (False, True) if len(data) < 200 else (False,):
                raw = Raw()
                if pieces:
                    for at in range(len(data)):
                        raw.send(data[at:at + 1])
                else:
                    raw.send(data)
                try:
                    refused(raw, *right)
                except AssertionError as error:
                    wrong.append(f"{name}: {error}")
        check(not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong))
        ground.grown(before, streams_in_failed=len(BAD_OPENINGS))
        ground.untouched(before, "streams_out_failed", "spoofed")
        check(ground.fedgate.authenticated(EVIL) == {"in": {}, "out": {}}, "somebody came in")
        ground.calm()


def elements():
    """Elements that nobody may send before it is authenticated, with and without TLS (SEC-31)."""
    with Lab("elements") as lab:
        ground = Ground(lab, {})
        before = ground.totals()
        wrong = []
        context = ground.evil_tls()
        for name, data, right in BAD_ELEMENTS:
            for secured in (False, True):
                raw = Raw()
                if secured:
                    raw.starttls(context).send(header()).until("</stream:features>")
                else:
                    raw.send(header()).until("</stream:features>")
                raw.send(data)
                try:
                    refused(raw, *right)
                except AssertionError as error:
                    wrong.append(f"{name}, TLS {secured}: {error}")
        check(not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong))
        ground.grown(before, streams_in_failed=2 * len(BAD_ELEMENTS))
        ground.inside_hears_nothing()


def early_floods():
    """Many small elements, answered or ignored each: a bound ends that as well."""
    with Lab("early") as lab:
        ground = Ground(lab, DIALBACK)
        context = tls_context()
        floods = (
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
            "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
            "<r xmlns='urn:xmpp:sm:3'/>", "<enable xmlns='urn:xmpp:sm:3'/>",
            "<db:result from='x.test' to='app.corp.test'>k</db:result>",
            "<db:verify from='evil.test' to='app.corp.test' id='1'>k</db:verify>",
            "<db:verify from='evil.test' to='app.corp.test' id='1' type='valid'/>")
        for flood in floods:
            raw = Raw().starttls(context)
            raw.send(header()).until("</stream:features>")
            raw.send(flood * (EARLY_BYTES // len(flood) + 100))
            text = raw.until_end()
            check(condition_of(text) in ("policy-violation", "not-authorized"), flood,
                  text[-300:])
        ground.inside_hears_nothing()


def starttls_injection(backend="wolfssl"):
    """SEC-30: plaintext behind <starttls/> must not become part of the secured stream."""
    with Lab("inject") as lab:
        ground = Ground(lab, {}, lambda config: config["tls"].update(backend=backend))
        for behind in (f"<message from='ann@{EVIL}' to='{JOE}'>{BODY}</message>", header(), " ",
                       "\x16\x03\x01"):
            raw = Raw().send(header()).send(STARTTLS + behind)
            text = raw.until_end()
            check("</stream:stream>" in text or "<proceed" in text, "no orderly end", text)
            check("<features" not in text.split("<proceed")[-1], "went on", text)
        ground.inside_hears_nothing()


def tls_garbage(backend="wolfssl"):
    """Garbage, half a handshake, plain XML where TLS should begin; and plain on the TLS port."""
    with Lab("garbage") as lab:
        ground = Ground(lab, {}, lambda config: config["tls"].update(backend=backend))
        before = ground.totals()
        for garbage in (b"<stream:stream>" * 20, bytes(100), b"\x16\x03\x01\xff\xff" + bytes(70000),
                        b"\x15\x03\x03\x00\x02\x02\x28"):
            raw = Raw()
            raw.send(header()).until("</stream:features>")
            raw.send(STARTTLS).until("<proceed")
            raw.send(garbage).until_end()
            Raw(plan.XMPPS_SERVER).send(garbage).until_end()
        Raw(plan.XMPPS_SERVER).send(header()).until_end()
        half = Raw()
        half.send(header()).until("</stream:features>")
        half.send(STARTTLS).until("<proceed")
        half.close()
        ground.grown(before, streams_in_failed=4)
        ground.calm()


def slowloris():
    """A byte now and then, in every phase: the total deadline holds (T1: 3 s here)."""
    def change(config):
        config["gateway"]["stream_establishment_timeout_s"] = 3
    with Lab("slow") as lab:
        ground = Ground(lab, {}, change)
        context = ground.evil_tls()
        slow = []
        for port in (plan.XMPP_SERVER, plan.XMPPS_SERVER):
            slow.append((Raw(port), b""))  # says nothing at all
            slow.append((Raw(port), b" "))
        named = Raw()
        named.send(header()).until("</stream:features>")
        slow.append((named, b" "))
        handshake = Raw()
        handshake.send(header()).until("</stream:features>")
        handshake.send(STARTTLS).until("<proceed")
        slow.append((handshake, b"\x16"))
        secured = Raw().starttls(context)
        secured.send(header()).until("</stream:features>")
        slow.append((secured, b"<"))
        direct = Raw(plan.XMPPS_SERVER).tls(context)
        slow.append((direct, b" "))
        begin = time.monotonic()
        left = list(slow)
        while left and time.monotonic() - begin < 8:
            for raw, drop in list(left):
                if raw.send(drop).take(0.01) is False and raw.is_ended:
                    left.remove((raw, drop))
        check(not left, f"{len(left)} slow peers are still connected after 8 s",
              [slow.index(entry) for entry in left])
        ground.calm()


def certificates(backend="wolfssl"):
    """EXTERNAL without a certificate, with a wrong one, under TLS 1.2 and 1.3: never offered, and
    refused when tried all the same."""
    with Lab("certs") as lab:
        ground = Ground(lab, {}, lambda config: config["tls"].update(backend=backend))
        lab.certs.make(EVIL, name="selfie", ca="self")
        lab.certs.make(EVIL, name="old", days=-1)
        lab.certs.make("other.test", f"sub.{EVIL}", name="wrong")
        lab.certs.make(f"*.{EVIL}", name="wild")
        before = ground.totals()
        for name in (None, "selfie", "old", "wrong", "wild"):
            context = (trust_everyone(lab.certs.crt(name), lab.certs.key(name)) if name
                       else trust_everyone())
            raw = Raw().starttls(context)
            proof = base64.b64encode(EVIL.encode()).decode()
            raw.send(header())
            raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>{proof}</auth>")
            text = refused(raw, "not-authorized")
            check("EXTERNAL" not in text and "<success" not in text, "offered", name, text)
        ground.untouched(before, "streams_in_external")
        ground.grown(before, streams_in_failed=5)
        ground.calm()


AUTHZIDS = (
    ("=", True), (None, True), (EVIL, True), (EVIL.upper(), True),
    (GOOD, False), (f"ann@{EVIL}", False), (f"{EVIL}/x", False), (f"{EVIL}\0{GOOD}", False),
    (f"{EVIL}\0", False), (f"sub.{EVIL}", False), (" ", False), ("\n", False),
    ("x" * 3000, False), (b"\xff\xfe", False), (f"{EVIL}.evil", False))


def authzids():
    """SEC-17: the authorization identity is the stream's from or nothing."""
    with Lab("authzid") as lab:
        ground = Ground(lab, {})
        context = ground.evil_tls()
        wrong = []
        for authzid, good in AUTHZIDS:
            raw = Raw().starttls(context)
            raw.send(header()).until("</stream:features>")
            if authzid in ("=", None):
                proof = authzid or ""
            else:
                data = authzid if isinstance(authzid, bytes) else authzid.encode()
                proof = base64.b64encode(data).decode()
            raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>{proof}</auth>")
            if authzid is None:
                raw.until("<challenge")
                raw.send(f"<response xmlns='{NS_SASL}'/>")
            try:
                text = raw.until("<success" if good else "<failure")
                check(good or "invalid-authzid" in text, "failed otherwise", text[-200:])
            except AssertionError as error:
                wrong.append(f"{authzid!r}: {error}")
            raw.close()
        for bad in ("*", "YQ", "====", "YQ==YQ==", "\u00e9", "A" * 5000 + "!"):
            raw = Raw().starttls(context)
            raw.send(header()).until("</stream:features>")
            raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>{bad}</auth>")
            text = raw.until("<failure")
            raw.hears_nothing_of("<success")
            check("incorrect-encoding" in raw.text or "invalid-authzid" in raw.text, bad[:20],
                  text[-300:])
            raw.close()
        check(not wrong, "\n".join(wrong))
        ground.calm()


def sasl_out_of_order():
    """SEC-18: auth twice, after success, response without exchange, abort, other mechanisms, and
    without TLS."""
    with Lab("sasl") as lab:
        ground = Ground(lab, {})
        context = ground.evil_tls()
        auth = f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>=</auth>"

        def at_features():
            raw = Raw().starttls(context)
            raw.send(header()).until("</stream:features>")
            return raw

        raw = Raw()
        raw.send(header()).until("</stream:features>")
        check("<mechanisms" not in raw.text, "EXTERNAL without TLS", raw.text)
        raw.send(auth)
        raw.hears_nothing_of("<success")
        check("encryption-required" in raw.text or condition_of(raw.text), "no answer", raw.text)
        for element, answer in (
                (f"<response xmlns='{NS_SASL}'>=</response>", "<failure"),
                (f"<abort xmlns='{NS_SASL}'/>", "<failure"),
                (f"<auth xmlns='{NS_SASL}' mechanism='PLAIN'>AGEAYg==</auth>", "invalid-mechanism"),
                (f"<auth xmlns='{NS_SASL}'/>", "<failure"),
                (f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'><x/></auth>", "<")):
            raw = at_features()
            raw.send(element).until(answer)
            raw.hears_nothing_of("<success")
            raw.close()
        raw = at_features()
        raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>!</auth>" * 10)
        text = raw.until_end()
        check(1 < text.count("<failure") <= 5, "attempts", text)
        raw = at_features()
        raw.send(auth + auth)  # the second stands where a new header must
        raw.until_end()
        raw = at_features()
        raw.send(auth).until("<success")
        raw.text = ""
        raw.send(header()).until("</stream:features>")
        raw.send(auth)
        raw.until("<failure" if "<failure" in raw.text else "<")
        ground.calm()


def changed_headers():
    """SEC-19: another from or to after TLS or after SASL; SEC-37: SNI of another domain of ours."""
    with Lab("headers") as lab:
        ground = Ground(lab, {})
        context = ground.evil_tls()
        auth = f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>=</auth>"
        for change, right in (({"sender": GOOD}, "improper-addressing"),
                              ({"to": plan.CORP}, "improper-addressing"),
                              ({"to": "nobody.test"}, "host-unknown")):
            refused(Raw().starttls(context).send(header(**change)), right)
            raw = Raw().starttls(context)
            raw.send(header()).until("</stream:features>")
            raw.send(auth).until("<success")
            raw.text = ""
            refused(raw.send(header(**change)), right)
        refused(Raw().starttls(context, name=plan.CORP), "host-unknown")
        raw = Raw(plan.XMPPS_SERVER).tls(context, name=plan.CORP)
        raw.send(header())
        check("<success" not in raw.until("<stream:"), "went on", raw.text)
        # A name that is nobody's domain may be the SRV target's.
        Raw().starttls(context, name="edge.corp.test").send(header()).until("EXTERNAL")
        ground.calm()


def acks_abuse():
    """SEC-76: enable twice, resume, h too high, a flood of <r/> whose answers nobody reads."""
    sm = "xmlns='urn:xmpp:sm:3'"
    with Lab("acks") as lab:
        ground = Ground(lab, {})
        context = ground.evil_tls()
        raw = authenticated(context)
        raw.send(f"<enable {sm}/><enable {sm} resume='true'/><resume {sm} previd='x' h='0'/>")
        raw.until("<enabled")
        raw.until("unexpected-request")
        raw.until("item-not-found")
        raw.send(f"<a {sm} h='5'/>")
        check(condition_of(raw.until_end()) == "undefined-condition", "h too high", raw.text)
        raw = authenticated(context)
        raw.send(f"<enable {sm}/>").until("<enabled")
        raw.socket.settimeout(3)
        begin = ground.rss()
        flood = f"<r {sm}/>".encode() * 5000
        try:
            for _ in range(100):
                raw.socket.sendall(flood)
        except OSError:  # no more is taken, or hung up on
            pass
        check(ground.rss() - begin < 64 << 20, "memory grew by", ground.rss() - begin)
        raw.close()
        ground.calm()


def log_injection():
    """SEC-78: what peers say stands in the log escaped, cut and on one line."""
    evil = "x\n2026-01-01T00:00:00Z error fake\r\x1b[31m\u2028"
    with Lab("logs") as lab:
        ground = Ground(lab, {})
        quoted = evil.replace("\n", "&#10;").replace("\r", "&#13;").replace("\x1b", "")
        Raw().send(header(to=quoted)).until_end()
        Raw().send(header(sender=quoted)).until_end()
        Raw().send(header() + f"<{'n' * 50}\u2028 xmlns='urn:x{quoted}'/>").until_end()
        Raw().send(f"{header()}<stream:error><undefined-condition "
                   "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text "
                   f"xmlns='urn:ietf:params:xml:ns:xmpp-streams'>{quoted}{'y' * 5000}</text>"
                   "</stream:error></stream:stream>").until_end()
        raw = Raw().starttls(ground.evil_tls())
        raw.send(header()).until("</stream:features>")
        data = base64.b64encode(evil.encode()).decode()
        raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>{data}</auth>").until("<failure")
        raw.close()
        authed = authenticated(ground.evil_tls())
        authed.send(f"<message from='{quoted}@stranger.test' to='{JOE}'/>").until_end()
        ground.calm()
        wait_until("log", lambda: "stream_error" in ground.fedgate.log_text(), 5)
        with open(ground.fedgate.log, "rb") as log:
            lines = log.read().split(b"\n")
        for line in lines:
            check(len(line) < 4096 and b"\x1b" not in line and b"\r" not in line
                  and "\u2028".encode() not in line, "a bad line", line[:300])
            check(not line.startswith(b"2026-01-01"), "a forged line", line)


def tests():
    yield from (openings, elements, early_floods, starttls_injection, tls_garbage, slowloris,
                certificates, authzids, sasl_out_of_order, changed_headers)
    for test in (starttls_injection, tls_garbage, certificates):
        yield case(f"{test.__name__}_mbedtls", test, "mbedtls")
    yield from (acks_abuse, log_injection)


if __name__ == "__main__":
    main(*tests())
