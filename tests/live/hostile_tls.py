#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A hostile record layer, in both roles and both versions: lawful handshakes, authenticated
streams, then records that no library would make. Each gets the right alert or a close, nothing of
it is taken for data, and nobody else notices."""
import os
import socket
import ssl
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.hostile import EVIL_ADDRESS, JOE
from lab.process import wait_until
from lab.tls_records import (ALERT, CCS, CLIENT_HELLO, CLOSE_NOTIFY, DATA, HANDSHAKE, HELLO_REQUEST,
                             KEY_UPDATE, NEW_SESSION_TICKET, PLAIN_MAX, Hands, connect, message,
                             record)
from lab.tls_tools import (Partners, accept_for, farewell, follows_key_updates, log_in, message_of,
                           say, take_message, take_stream)
from lab.xmpp import trust_everyone

MEGABYTE = 1 << 20
FLOOD = 2000
PADDED = 200
WISHES = 3000
UNEXPECTED, BAD_MAC, OVERFLOW, HANDSHAKE_FAILURE, ILLEGAL = 10, 20, 22, 40, 47
DECODE, VERSION, NO_RENEGOTIATION = 50, 70, 100
CUT = "TLS: closed without close_notify"
V12, V13 = "TLSv1.2", "TLSv1.3"
BOTH = (V12, V13)
VERSIONS = {V12: ssl.TLSVersion.TLSv1_2, V13: ssl.TLSVersion.TLSv1_3}
SENDER = "ann@p0.test"
SMUGGLED = message_of("smuggled", SENDER).encode()
ANSWERS_MAX = 80
FINISHED, CERTIFICATE_REQUEST = 20, 13
TICKET = message(NEW_SESSION_TICKET, b"\0\0\x1c\x20" + bytes(4) + b"\x08" + bytes(8)
                 + b"\0\x20" + bytes(32) + b"\0\0")
HELLO = message(CLIENT_HELLO, b"\x03\x03" + bytes(32) + b"\0\0\x02\xc0\x2f\x01\0")


def smuggled(hands):
    """A lawful record with a stanza that must not arrive."""
    return hands.seal(DATA, SMUGGLED)


def flipped(at):
    def attack(hands):
        data = bytearray(smuggled(hands))
        data[at] ^= 1
        return bytes(data)
    return attack


def shortened(hands):
    whole = smuggled(hands)
    return record(DATA, whole[5:-1])


def reordered(hands):
    first, second = smuggled(hands), smuggled(hands)
    return second + first


def replayed(hands):
    """The first of the two is good; what comes twice is an empty one, so that nothing arrives."""
    return hands.seal(DATA, b"") * 2


def skipped(hands):
    smuggled(hands)
    return smuggled(hands)


def sealed(kind, plain, **options):
    return lambda hands: hands.seal(kind, plain, **options)


def split_handshake(hands):
    """Application data between the halves of a message."""
    update = message(KEY_UPDATE, b"\0")
    return hands.seal(HANDSHAKE, update[:2]) + smuggled(hands) + hands.seal(HANDSHAKE, update[2:])


def in_clear(kind, body):
    """A record without protection in front of one with it."""
    return lambda hands: record(kind, body) + smuggled(hands)


# (name, versions, what makes the bytes, alerts that are right)
ATTACKS = (
    ("type", BOTH, flipped(0), {UNEXPECTED, BAD_MAC}),
    ("version", BOTH, flipped(2), {BAD_MAC, VERSION}),
    ("body", BOTH, flipped(30), {BAD_MAC}),
    ("tag", BOTH, flipped(-1), {BAD_MAC}),
    ("nonce", BOTH, flipped(5), {BAD_MAC}),
    ("shortened", BOTH, shortened, {BAD_MAC}),
    ("shorter than a tag", BOTH, lambda hands: record(DATA, bytes(5)), {BAD_MAC, DECODE}),
    ("no body", BOTH, lambda hands: record(DATA, b"") + smuggled(hands), {BAD_MAC, DECODE,
                                                                         UNEXPECTED}),
    ("header over the limit", (V13,), lambda hands: record(DATA, b"x", length=PLAIN_MAX + 257),
     {OVERFLOW}),
    ("header over the limit", (V12,), lambda hands: record(DATA, b"x", length=PLAIN_MAX + 2049),
     {OVERFLOW}),
    ("longest header", BOTH, lambda hands: record(DATA, b"x", length=65535), {OVERFLOW}),
    ("2^14+1 bytes", BOTH, sealed(DATA, b" " * (PLAIN_MAX + 1)), {OVERFLOW}),
    ("2^14+1 with padding", (V13,), sealed(DATA, b" ", padding=PLAIN_MAX), {OVERFLOW}),
    ("reordered", BOTH, reordered, {BAD_MAC}),
    ("replayed", BOTH, replayed, {BAD_MAC}),
    ("skipped", BOTH, skipped, {BAD_MAC}),
    ("text in the clear", BOTH, lambda hands: SMUGGLED,
     {UNEXPECTED, VERSION, OVERFLOW, DECODE}),
    ("one byte in the clear", BOTH, lambda hands: b"<" + smuggled(hands),
     {UNEXPECTED, VERSION, OVERFLOW, DECODE}),
    ("data record in the clear", BOTH, in_clear(DATA, SMUGGLED), {BAD_MAC}),
    ("alert in the clear", BOTH, in_clear(ALERT, CLOSE_NOTIFY), {UNEXPECTED, BAD_MAC}),
    ("hello in the clear", BOTH, in_clear(HANDSHAKE, HELLO), {UNEXPECTED, BAD_MAC}),
    ("ccs in the clear", BOTH, in_clear(CCS, b"\1"), {UNEXPECTED, BAD_MAC}),
    ("unknown type", BOTH, sealed(99, SMUGGLED), {UNEXPECTED}),
    ("sealed ccs", BOTH, sealed(CCS, b"\1"), {UNEXPECTED}),
    ("no type", (V13,), sealed(None, b"", padding=10), {UNEXPECTED}),
    ("wrong outer type", (V13,), sealed(DATA, b"smuggled", outer=HANDSHAKE), {UNEXPECTED, BAD_MAC}),
    ("empty handshake", BOTH, sealed(HANDSHAKE, b""), {UNEXPECTED, DECODE}),
    ("empty alert", BOTH, sealed(ALERT, b""), {UNEXPECTED, DECODE}),
    ("short alert", BOTH, sealed(ALERT, b"\2"), {DECODE}),
    ("long alert", BOTH, sealed(ALERT, b"\2\x28\0"), {DECODE}),
    ("finished again", BOTH, sealed(HANDSHAKE, message(FINISHED, bytes(32))), {UNEXPECTED}),
    ("key update of 2", (V13,), sealed(HANDSHAKE, message(KEY_UPDATE, b"\2")), {ILLEGAL, DECODE}),
    ("key update of nothing", (V13,), sealed(HANDSHAKE, message(KEY_UPDATE, b"")), {DECODE}),
    ("key update and more", (V13,), sealed(HANDSHAKE, message(KEY_UPDATE, b"\0") * 2),
     {UNEXPECTED}),
    ("key update", (V12,), sealed(HANDSHAKE, message(KEY_UPDATE, b"\0")), {UNEXPECTED}),
    ("data inside a message", (V13,), split_handshake, {UNEXPECTED}),
    ("endless message", BOTH, sealed(HANDSHAKE, b"\x04\xff\xff\xff" + bytes(100)),
     {UNEXPECTED, DECODE, OVERFLOW, ILLEGAL}),
    ("another hello", (V13,), sealed(HANDSHAKE, HELLO), {UNEXPECTED}),
)
TO_SERVER = (
    ("ticket", BOTH, sealed(HANDSHAKE, TICKET), {UNEXPECTED}),
    ("hello request", BOTH, sealed(HANDSHAKE, message(HELLO_REQUEST, b"")), {UNEXPECTED}),
)
TO_CLIENT = (
    ("certificate request", (V13,), sealed(HANDSHAKE, message(CERTIFICATE_REQUEST, bytes(11))),
     {UNEXPECTED, DECODE}),
)


class Evil(Partners):
    """Authenticated streams under our own hands, in either role."""

    def __init__(self, lab, backend, count=100):
        def change(config):
            config["tls"]["backend"] = backend
        self.last = None  # whose stream was opened by fedgate
        super().__init__(lab, count, change=change)
        self.listener = socket.create_server((EVIL_ADDRESS, 7000), backlog=100)
        lab.own(self.listener_end())

    def listener_end(self):
        class End:
            stop = self.listener.close
        return End()

    def context(self, version, server_side, domain="p0.test"):
        name = self.certificate(domain)
        context = trust_everyone(self.lab.certs.crt(name), self.lab.certs.key(name), server_side)
        context.minimum_version = context.maximum_version = VERSIONS[version]
        if server_side:
            context.num_tickets = 0
        return context

    def client(self, version):
        hands = connect(self.context(version, False), self.lab.root, plan.XMPPS_SERVER,
                        plan.FEDGATE, EVIL_ADDRESS, plan.APP)
        log_in(hands, sender="p0.test")
        hands.text = ""
        return hands

    def server(self, version):
        self.last = domain = self.left.pop()
        self.lab.dns.xmpp(domain, EVIL_ADDRESS, starttls=None, direct=7000)
        self.component.say("joe@app.corp.test", f"ann@{domain}", f"to {domain}", ident=domain)
        connected = accept_for(self.listener, domain)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hands = Hands(connected, self.context(version, True, domain), self.lab.root, True)
        take_stream(hands, domain)
        take_message(hands, f"to {domain}")
        wait_until("acknowledged", lambda: self.fedgate.partner(domain)["queue"]["unacked"] == 0)
        hands.text = ""
        return hands

    def streams(self):
        """Streams with our partners that are open."""
        rows = self.fedgate.stats()["partners"].items()
        return sum(row[way]["streams"] for domain, row in rows for way in ("in", "out")
                   if domain.startswith("p"))

    def opened(self, role, version):
        return getattr(self, role)(version)


def versions_of(backend):
    return BOTH if backend == "wolfssl" else (V12,)


def ended(hands, name, right):
    """The connection ends soon, with one of these alerts and nothing else."""
    hands.until_end()
    check(not hands.text, f"{name}: said", hands.text)
    check(len(hands.alerts) == 1 and hands.alerts[0] in right, f"{name}: alerts", hands.alerts,
          right)


def attacks(role, backend):
    with Lab(f"records-{role}") as lab:
        on = Evil(lab, backend)
        wrong = []
        before, count = on.totals(), 0
        rows = ATTACKS + (TO_SERVER if role == "client" else TO_CLIENT)
        for name, versions, attack, right in rows:
            for version in set(versions) & set(versions_of(backend)):
                hands = on.opened(role, version)
                hands.wire(attack(hands))
                count += 1
                try:
                    ended(hands, f"{name} {version}", right)
                except AssertionError as error:
                    wrong.append(str(error))
        check(not wrong, "\n" + "\n".join(wrong))
        on.grown(before, tls_record_errors=count, streams_lost=count)
        on.inside_hears_nothing()


# -- floods ----------------------------------------------------------------------------------------
def key_updates(value):
    def flood(hands):
        out = []
        for _ in range(FLOOD):
            out.append(hands.seal(HANDSHAKE, message(KEY_UPDATE, value)))
            hands.out.renew()
        return b"".join(out)
    return flood


def many(kind, plain, count=FLOOD, **options):
    return lambda hands: b"".join(hands.seal(kind, plain, **options) for _ in range(count))


def ticket_in_bytes(hands):
    """A long ticket, a byte in each record."""
    start = b"\x04" + struct.pack(">I", 60000)[1:]
    return hands.seal(HANDSHAKE, start) + many(HANDSHAKE, b"t")(hands)


FLOODS = (
    ("empty data", BOTH, many(DATA, b"")),
    ("padding", (V13,), many(DATA, b"", PADDED, padding=PLAIN_MAX)),
    ("key updates", (V13,), key_updates(b"\0")),
    ("key updates that want answers", (V13,), key_updates(b"\1")),
    ("warnings", BOTH, many(ALERT, b"\x01\x5a")),
)
FLOODS_OF = {
    "client": (("hellos", (V12,), many(HANDSHAKE, HELLO)),),
    "server": (("tickets", BOTH, many(HANDSHAKE, TICKET)),
               ("a ticket in bytes", (V13,), ticket_in_bytes),
               ("hello requests", (V12,), many(HANDSHAKE, message(HELLO_REQUEST, b"")))),
}


def floods(role, backend):
    """Work for nothing has an end: the stream is closed, memory stays, answers are few."""
    with Lab(f"floods-{role}") as lab:
        on = Evil(lab, backend)
        for name, versions, flood in FLOODS + FLOODS_OF[role]:
            for version in set(versions) & set(versions_of(backend)):
                hands = on.opened(role, version)
                before = on.rss()
                hands.wire(flood(hands))
                hands.until_end()
                said = hands.text.replace("</stream:stream>", "" if "key" in name else "?")
                check(not said, f"{name} {version}: said", hands.text)
                check(len(hands.messages) + len(hands.alerts) <= ANSWERS_MAX,
                      f"{name} {version}: answers", len(hands.messages), len(hands.alerts))
                grown = on.rss() - before
                check(grown < 16 * MEGABYTE, f"{name} {version}: grown by", grown)
                on.calm()
        on.inside_hears_nothing()


def answered_once(role):
    """Wishes with a byte of data between them, from a peer that does not read: its patience is not
    used up, but the answers are not kept for it."""
    with Lab(f"wishes-{role}") as lab:
        on = Evil(lab, "wolfssl")
        again = {"client": HELLO, "server": message(HELLO_REQUEST, b"")}[role]
        wishes = [(V12, again)]
        if follows_key_updates(on):
            wishes.append((V13, message(KEY_UPDATE, b"\1")))
        for version, wish in wishes:
            hands = on.opened(role, version)
            out = []
            for _ in range(WISHES):
                out.append(hands.seal(HANDSHAKE, wish))
                if version == V13:
                    hands.out.renew()
                out.append(hands.seal(DATA, b" "))
            hands.wire(b"".join(out))
            hands.send("</stream:stream>").until("</stream:stream>")
            # One, and one more for each time that fedgate said something in between; close_notify.
            check(len(hands.messages) + len(hands.alerts) <= 5, f"{version}: answers",
                  len(hands.messages), len(hands.alerts))
            hands.socket.close()
        on.inside_hears_nothing()


# -- what is strange but lawful --------------------------------------------------------------------
def lawful(backend):
    """Records of every size, padding, empty ones, warnings and new keys between halves of a stanza:
    all of it arrives, in order."""
    with Lab("lawful") as lab:
        on = Evil(lab, backend)
        for version in versions_of(backend):
            is_13 = version == V13
            can_renew = is_13 and follows_key_updates(on)
            hands = on.client(version)
            for number in range(4):
                text = f"{version} {number} " + "x" * (PLAIN_MAX + 1000)
                stanza = message_of(text, SENDER).encode()
                out = hands.seal(DATA, stanza[:1]) + hands.seal(DATA, b"")
                out += hands.seal(DATA, stanza[1:1 + PLAIN_MAX])
                if is_13:
                    out += hands.seal(DATA, b"", padding=PLAIN_MAX)
                    if can_renew:
                        out += hands.seal(HANDSHAKE, message(KEY_UPDATE, b"\0"))
                        hands.out.renew()
                    out += hands.seal(DATA, stanza[1 + PLAIN_MAX:-1], padding=number * 1000)
                else:
                    out += hands.seal(ALERT, b"\x01\x5a")
                    out += hands.seal(DATA, stanza[1 + PLAIN_MAX:-1])
                out += b"".join(hands.seal(DATA, bytes([byte])) for byte in stanza[-1:] + b" \n")
                at = 0
                while at < len(out):  # borders of segments that are none of records
                    hands.wire(out[at:at + 1371])
                    at += 1371
                on.hears(text)
            farewell(hands)
            check(hands.alerts == [0], "alerts", hands.alerts)
        check(not on.strange, "the inside got more", on.strange)


def renegotiation(role):
    """TLS 1.2: the wish is refused with a warning, the stream goes on."""
    wish = HELLO if role == "client" else message(HELLO_REQUEST, b"")
    for backend in ("wolfssl", "mbedtls"):
        with Lab(f"again-{role}") as lab:
            on = Evil(lab, backend)
            hands = on.opened(role, V12)
            domain = on.last
            hands.wire(hands.seal(HANDSHAKE, wish))
            wait_until("an answer", lambda: hands.take(0.1) is None or hands.alerts
                       or hands.is_ended)
            check(hands.alerts == [NO_RENEGOTIATION], "alerts", hands.alerts)
            check(not hands.messages, "another handshake", hands.messages)
            if role == "client":
                say(on, hands, "still there", sender=SENDER)
            else:
                on.component.say(JOE, f"ann@{domain}", "still there")
                take_message(hands, "still there", 2)
            hands.send("</stream:stream>").until("</stream:stream>")
            hands.socket.close()
            on.inside_hears_nothing()


# -- ends -----------------------------------------------------------------------------------------
def cut(hands):
    hands.socket.close()


def cut_in_record(hands):
    hands.wire(smuggled(hands)[:40])
    hands.socket.close()


def notified(hands):
    hands.wire(hands.seal(ALERT, CLOSE_NOTIFY))
    hands.socket.close()


def notified_and_more(hands):
    hands.wire(hands.seal(ALERT, CLOSE_NOTIFY) + smuggled(hands))
    hands.until_end()


def fatal(hands):
    hands.wire(hands.seal(ALERT, b"\x02\x28") + smuggled(hands))
    hands.until_end()
    check(not hands.alerts and not hands.text, "an alert was answered", hands.alerts, hands.text)


def closed_and_cut(hands):
    """XML's farewell is enough: who then drops TLS has lost nothing."""
    hands.send("</stream:stream>").until("</stream:stream>")
    hands.socket.close()


# (what the peer does, counters that rise)
LOST, TRUNCATED, ALERTED = "streams_lost", "streams_truncated", "tls_alerts"
ENDS = ((cut, {LOST, TRUNCATED}), (cut_in_record, {LOST, TRUNCATED}), (notified, {LOST}),
        (notified_and_more, {LOST}), (fatal, {LOST, ALERTED}), (closed_and_cut, set()))


def ends(role, backend):
    with Lab(f"ends-{role}") as lab:
        on = Evil(lab, backend)
        for version in versions_of(backend):
            for end, rising in ENDS:
                hands = on.opened(role, version)
                before = on.totals()
                streams = on.streams()
                cuts = on.fedgate.log_text().count(CUT)
                end(hands)
                wait_until(f"end of {end.__name__}", lambda streams=streams: on.streams() < streams)
                now = on.totals()
                rose = {name for name in (LOST, TRUNCATED, ALERTED) if now[name] > before[name]}
                check(rose == rising, f"{end.__name__} {version}: counted", rose, rising)
                cuts += TRUNCATED in rising
                wait_until("the log", lambda cuts=cuts: on.fedgate.log_text().count(CUT) == cuts)
        on.inside_hears_nothing()


def tests():
    for backend in ("wolfssl", "mbedtls"):
        for role in ("client", "server"):
            yield case(f"records_as_{role}_{backend}", attacks, role, backend)
            yield case(f"floods_as_{role}_{backend}", floods, role, backend)
            yield case(f"ends_as_{role}_{backend}", ends, role, backend)
        yield case(f"lawful_{backend}", lawful, backend)
    for role in ("client", "server"):
        yield case(f"renegotiation_as_{role}", renegotiation, role)
        yield case(f"answered_once_as_{role}", answered_once, role)


if __name__ == "__main__":
    main(*tests())
