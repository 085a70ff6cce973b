#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes instead of a handshake, in the middle of one, and around STARTTLS: in both roles it is
refused soon, nothing said in the clear counts inside, and nobody else notices."""
import os
import socket
import ssl
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.hostile import (EVIL_ADDRESS, FEATURE_EXTERNAL, FEATURE_TLS, Raw, answer_header, header)
from lab.process import HANG_S, wait_until
from lab.tls_records import ALERT, CCS, CLIENT_HELLO, DATA, HANDSHAKE, message, record
from lab.tls_tools import Partners, accept_for, log_in, message_of
from lab.xmpp import NS_TLS, trust_everyone

MEGABYTE = 1 << 20
FLOOD = 20000
SENDER = "ann@p0.test"
SMUGGLED = message_of("smuggled", SENDER)
STARTTLS = f"<starttls xmlns='{NS_TLS}'/>"
PROCEED = f"<proceed xmlns='{NS_TLS}'/>"
ANSWER_MAX = 64 * 1024
SOON_S = HANG_S  # well before any deadline


def hello(*, versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)):
    """The first flight of an OpenSSL client."""
    context = trust_everyone()
    context.minimum_version, context.maximum_version = versions
    outgoing = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=plan.APP).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


HELLO = hello()
HELLO_12 = hello(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2))
NO_SUITE = message(CLIENT_HELLO, b"\3\3" + bytes(32) + b"\0\0\2\x13\xff\1\0")
LONG_SESSION = message(CLIENT_HELLO, b"\3\3" + bytes(32) + b"\xff" + bytes(255)
                       + b"\0\2\xc0\x2f\1\0")
SHORT_VECTOR = message(CLIENT_HELLO, b"\3\3" + bytes(32) + b"\0\xff\xff\xc0\x2f\1\0")
COMPRESSED = message(CLIENT_HELLO, b"\3\3" + bytes(32) + b"\0\0\2\xc0\x2f\1\1")
# What no handshake can begin with; the same in both roles.
GARBAGE = (
    ("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("stream header", header().encode()),
    ("ssl 2", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80" + bytes(36)),
    ("noise", bytes(range(255, 0, -1))),
    ("long record", record(HANDSHAKE, b"\1", length=65535) + bytes(70000)),
    ("unknown type", record(99, b"x")),
    ("empty handshakes", record(HANDSHAKE, b"") * FLOOD),
    ("ccs flood", record(CCS, b"\1") * FLOOD),
    ("warnings", record(ALERT, b"\1\x5a") * FLOOD),
    ("fatal alert", record(ALERT, b"\2\x28")),
    ("close_notify", record(ALERT, b"\1\0")),
    ("data", record(DATA, SMUGGLED.encode())),
    ("endless message", b"".join([record(HANDSHAKE, b"\1\xff\xff\xff" + bytes(16380))]
                                 + [record(HANDSHAKE, bytes(16384))] * 400)),
    ("half a flight and the end", HELLO[:100]),
)
TO_SERVER = (
    ("no suite", record(HANDSHAKE, NO_SUITE)),
    ("long session id", record(HANDSHAKE, LONG_SESSION)),
    ("short vector", record(HANDSHAKE, SHORT_VECTOR)),
    ("compressed", record(HANDSHAKE, COMPRESSED)),
    ("server hello", record(HANDSHAKE, message(2, b"\3\3" + bytes(32) + b"\0\xc0\x2f\0"))),
    ("hello twice", HELLO + HELLO),
    ("hello and data", HELLO + record(DATA, SMUGGLED.encode())),
    ("hello and finished", HELLO_12 + record(HANDSHAKE, message(20, bytes(12)))),
    ("hello and ccs flood", HELLO + record(CCS, b"\1") * FLOOD),
    ("hello and noise", HELLO + bytes(range(256))),
)
TO_CLIENT = (
    ("mirror", None),
    ("wrong version", record(HANDSHAKE, message(2, b"\3\1" + bytes(32) + b"\0\xc0\x2f\0"))),
    ("unknown suite", record(HANDSHAKE, message(2, b"\3\3" + bytes(32) + b"\0\x00\x2f\0"))),
    ("compressing", record(HANDSHAKE, message(2, b"\3\3" + bytes(32) + b"\0\xc0\x2f\1"))),
    ("finished first", record(HANDSHAKE, message(20, bytes(12)))),
)


class Evil(Partners):
    """Partners whose servers are scripts, on one port for direct TLS and one for STARTTLS."""

    def __init__(self, lab, backend, count=40, is_short=False):
        def change(config):
            config["tls"]["backend"] = backend
            config["gateway"]["stream_establishment_timeout_s"] = 4 if is_short else int(5 * HANG_S)
        super().__init__(lab, count, change=change)
        self.listeners = [socket.create_server((EVIL_ADDRESS, port), backlog=100)
                          for port in (7000, 7001)]

    def accepted(self, starttls=False):
        """(connection of fedgate to the next partner, the partner)"""
        domain = self.left.pop()
        self.lab.dns.xmpp(domain, EVIL_ADDRESS, starttls=7001 if starttls else None,
                          direct=None if starttls else 7000)
        self.component.say("joe@app.corp.test", f"ann@{domain}", "x", ident=domain)
        raw = Raw.over(accept_for(self.listeners[starttls], domain))
        raw.domain = domain
        return raw

    def failed(self, domain):
        """The partner's last failure in words, once there is one."""
        return wait_until(f"failure of {domain}", lambda: (
            self.fedgate.partner(domain) or {"out": {}})["out"].get("last_failure"))

    def tls(self, domain, server_side=False):
        name = self.certificate(domain)
        return trust_everyone(self.lab.certs.crt(name), self.lab.certs.key(name), server_side)


def pour(raw, data):
    """Sends from a thread: the other side may stop reading."""
    threading.Thread(target=raw.send, args=(data,), daemon=True).start()


def garbage_as_client(backend):
    with Lab("garbage-c") as lab:
        on = Evil(lab, backend)
        before, rss = on.totals(), on.rss()
        failures = on.fedgate.stats()["shards"][0]["tls_failures"]
        rows = GARBAGE + TO_SERVER
        for name, data in rows:
            raw = Raw(plan.XMPPS_SERVER)
            pour(raw, data)
            if "half" in name:
                raw.socket.shutdown(socket.SHUT_WR)
            try:
                raw.until_end(SOON_S)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from None
            check(len(raw.text) < ANSWER_MAX and "<" not in raw.text[:1], f"{name}: said",
                  raw.text[:200])
            on.calm()
        check(on.rss() - rss < 24 * MEGABYTE, "grown by", on.rss() - rss)
        now = on.fedgate.stats()["shards"][0]["tls_failures"]
        check(now - failures == len(rows), "failures counted", now - failures, len(rows))
        on.untouched(before, "streams_in_failed", "streams_lost")
        on.inside_hears_nothing()


def garbage_as_server(backend):
    with Lab("garbage-s") as lab:
        on = Evil(lab, backend)
        rss = on.rss()
        for name, data in GARBAGE + TO_CLIENT:
            raw = on.accepted()
            first = raw.socket.recv(65536)
            check(first[0] == HANDSHAKE, "no hello came", first)
            pour(raw, first if data is None else data)
            if "half" in name:
                raw.socket.shutdown(socket.SHUT_WR)
            if backend == "mbedtls" and name == "warnings":
                on.calm()  # it reads on until the handshake's time is over
                raw.socket.shutdown(socket.SHUT_RDWR)
            try:
                raw.until_end(SOON_S)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from None
            check(len(raw.text) < ANSWER_MAX and "stream" not in raw.text, f"{name}: said",
                  raw.text[:200])
            row = on.failed(raw.domain)
            check("tls" in str(row), f"{name}: failed otherwise", row)
        check(on.rss() - rss < 24 * MEGABYTE, "grown by", on.rss() - rss)
        on.inside_hears_nothing()


def silence():
    """Handshakes that stop half-way are given up in time, and wait beside the living."""
    with Lab("silence") as lab:
        on = Evil(lab, "wolfssl", is_short=True)
        held = []
        for data in (b"", b"\x16", HELLO[:200], HELLO, HELLO_12):
            for _ in range(8):
                held.append(Raw(plan.XMPPS_SERVER).send(data))
        dialled = on.accepted()
        on.calm()
        for raw in held:
            raw.until_end()
        on.calm()
        dialled.close()
        check("tls" in str(on.failed(dialled.domain)), "failed otherwise")
        on.inside_hears_nothing()


def mangled(tls, incoming, outgoing, connected, change):
    """A handshake of which record number change[0] of ours is changed by change[1]. Returns whether
    there was such a record. Where our side sees it first, its alert goes out."""
    number, is_done = 0, False
    while True:
        try:
            tls.do_handshake()
            is_done = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            connected.sendall(outgoing.read())
            return number > change[0]
        said = outgoing.read()
        while said:
            length = 5 + int.from_bytes(said[3:5], "big")
            one, said = said[:length], said[length:]
            connected.sendall(change[1](one) if number == change[0] else one)
            number += 1
        if is_done:
            return number > change[0]
        try:
            got = connected.recv(65536)
        except TimeoutError:  # a length was changed: it waits for the rest
            connected.shutdown(socket.SHUT_WR)
            return number > change[0]
        if not got:
            return number > change[0]
        incoming.write(got)


def flip(record_bytes):
    return record_bytes[:-1] + bytes([record_bytes[-1] ^ 1])


CHANGES = (flip, lambda one: one + one, lambda one: one[:5] + flip(one[5:6]) + one[6:])


def mangled_flights(role, backend):
    """Each record of a handshake flipped at its end or its beginning, or sent twice: no stream."""
    with Lab(f"flights-{role}") as lab:
        on = Evil(lab, backend, 60)
        versions = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3][:1 + (backend == "wolfssl")]
        count = 0
        for version in versions:
            for change in CHANGES:
                for number in range(8):
                    if role == "client":
                        raw, domain = Raw(plan.XMPPS_SERVER), "p0.test"
                    else:
                        raw = on.accepted()
                        domain = raw.domain
                    context = on.tls(domain, role == "server")
                    context.minimum_version = context.maximum_version = version
                    if role == "server":
                        context.num_tickets = 0
                        context.verify_mode = ssl.CERT_OPTIONAL
                        context.load_verify_locations(lab.certs.trust)
                    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                    tls = context.wrap_bio(incoming, outgoing, role == "server",
                                           plan.APP if role == "client" else None)
                    raw.socket.settimeout(1)
                    was_there = mangled(tls, incoming, outgoing, raw.socket, (number, change))
                    if not was_there:
                        raw.close()
                        if role == "server":
                            on.left.append(domain)
                        break
                    raw.until_end(SOON_S)
                    count += 1
        check(count > 6 * len(versions), "only", count)
        totals = on.totals()
        check(totals["streams_out_external"] == 1, "a stream in spite of it")
        on.inside_hears_nothing()


def behind_starttls(backend):
    """Bytes in the segment of <starttls/>, and of <proceed/>, are nobody's: not TLS's, not those of
    the stream inside TLS (CVE-2011-0411 and the like)."""
    with Lab("behind") as lab:
        on = Evil(lab, backend)
        auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>"
        for extra in (SMUGGLED, header(sender="p0.test") + auth + SMUGGLED, " ", "<", HELLO):
            raw = Raw()
            raw.send(header(sender="p0.test")).until("</stream:features>")
            raw.text = ""
            raw.send(STARTTLS.encode() + (extra if isinstance(extra, bytes) else extra.encode()))
            raw.until_end(SOON_S)
            check("<success" not in raw.text, "went on", raw.text[-300:])
        features = f"<stream:features>{FEATURE_EXTERNAL}</stream:features>"
        for extra in (features, "<stream:stream>", " ", "<", record(ALERT, b"\1\0")):
            raw = on.accepted(starttls=True)
            answer_header(raw, FEATURE_TLS, raw.domain)
            raw.until("<starttls")
            raw.text = ""
            raw.send(PROCEED.encode() + (extra if isinstance(extra, bytes) else extra.encode()))
            raw.until_end(SOON_S)
            check("<auth" not in raw.text and "<stream:stream" not in raw.text, "went on",
                  raw.text[-300:])
            on.failed(raw.domain)
        check(on.totals()["streams_out_external"] == 1, "authenticated all the same")
        on.inside_hears_nothing()


def tls_in_tls():
    """Another handshake, and HTTP, as data of the stream: bad XML, answered inside."""
    with Lab("inner") as lab:
        on = Evil(lab, "wolfssl")
        for data in (HELLO, b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100):
            for is_logged_in in (False, True):
                raw = Raw(plan.XMPPS_SERVER).tls(on.tls("p0.test"))
                if is_logged_in:
                    log_in(raw, sender="p0.test")
                text = raw.send(data).until_end(SOON_S)
                check("<stream:error>" in text and text.endswith("</stream:stream>"), "no error",
                      text[-300:])
        on.inside_hears_nothing()


def tests():
    for backend in ("wolfssl", "mbedtls"):
        for function in (garbage_as_client, garbage_as_server, behind_starttls):
            yield case(f"{function.__name__}_{backend}", function, backend)
        for role in ("client", "server"):
            yield case(f"mangled_flights_as_{role}_{backend}", mangled_flights, role, backend)
    yield silence
    yield tls_in_tls


if __name__ == "__main__":
    main(*tests())
