#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""SIP that breaks the rules, towards fedgate: the status RFC 3261 names, others undisturbed."""
import base64
import io
import os
import sys
import tarfile
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.hostile import LIZ, Raw, tls_context
from lab.hostile_sip import dial, ground, request
from lab.process import HANG_S
from lab.sip import answer_to, parse

ARCHIVE = os.path.join(os.path.dirname(__file__), "..", "data", "rfc4475", "archive.b64")
def still_serves(on, wire=None, text="fine"):
    """A good MESSAGE, on that connection or a new one, is accepted and arrives."""
    wire = wire or dial()
    text = f"{text} {uuid.uuid4().hex}"
    wire.send(request(body=text.encode()))
    while (answer := wire.read()) is not None and answer.get("cseq") != "1 MESSAGE":
        pass
    check(answer is not None and answer.status == 202, "a good message was not accepted",
          answer and answer.start)
    while True:
        heard = on.good.inbox.get(timeout=HANG_S)
        if heard[0].text == text:
            return


REFUSALS = (
    ({"From": "<sip:joe@elsewhere.test>;tag=1"}, 403),
    ({"From": f"<sip:joe@{plan.APP}>;tag=1"}, 403),
    ({"From": f"<sip:{LIZ}>;tag=1"}, 403),
    ({"From": "<sip:joe@sub.corp.test>;tag=1"}, 403),
    ({"uri": "sip:x@stranger.test", "To": "<sip:x@stranger.test>"}, 403),
    ({"uri": "sip:ann@corp.test", "To": "<sip:ann@corp.test>"}, 482),
    ({"uri": "tel:+1555", "To": "<tel:+1555>"}, 416),
    ({"uri": "http://good.test/"}, 416),
    ({"uri": "sip:liz@"}, 400), ({"uri": f"sip:{LIZ} x"}, 400),
    ({"version": "SIP/7.0"}, 505),
    ({"Max-Forwards": "0"}, 483), ({"Max-Forwards": "x"}, 400), ({"Max-Forwards": "300"}, 400),
    ({"Via": "SIP/2.0/TCP edge.corp.test:5060;branch=z9hG4bK1"}, 482),
    ({"From": None}, 400), ({"To": None}, 400), ({"Call-ID": None}, 400), ({"CSeq": None}, 400),
    ({"CSeq": "1 OPTIONS"}, 400), ({"CSeq": "99999999999 MESSAGE"}, 400),
    ({"From": "\"unclosed <sip:joe@corp.test>;tag=1"}, 400),
    ({"Require": "nothing-we-know"}, 420),
    ({"Content-Type": "application/x-unknown"}, 415), ({"Content-Encoding": "gzip"}, 415),
    # Text that no stanza may hold: carried with replacements, or refused.
    ({"body": b"\xff\xfe\x00"}, (202, 400, 415, 488)),
    ({"body": b"\x00\x01<&]]>"}, (202, 400, 415, 488)),
    ({"method": "INVITE", "Contact": f"<sip:{plan.PHONES}>"}, 488),
    ({"method": "SUBSCRIBE"}, 400), ({"method": "NOTIFY"}, 415), ({"method": "PUBLISH"}, 405),
    ({"method": "REGISTER"}, 405), ({"method": "INFO"}, 405), ({"method": "BYE"}, (405, 481)),
    ({"method": "CANCEL"}, (405, 481)), ({"method": "NEGOTIATE"}, (405, 501)),
)


def refusals():
    """One request each that must be refused, all on one connection, which stays usable."""
    with Lab("sip-refuse") as lab:
        on = ground(lab)
        before = on.totals()
        wire = dial()
        wrong = []
        for row, right in REFUSALS:
            changes = {("uri" if k == "uri" else k): v for k, v in row.items()}
            right = right if isinstance(right, tuple) else (right,)
            try:
                wire.send(request(**changes))
                answer = wire.read()
                if answer is None or answer.status not in right:
                    wrong.append(f"{row}: expected {right}, got {answer and answer.start}")
                if answer is None:
                    wire = dial()
            except (OSError, TimeoutError) as error:
                wrong.append(f"{row}: {error!r}")
                wire = dial()
        wire.send(request(method="ACK"))  # never answered
        check(not wrong, "\n".join(wrong))
        still_serves(on, wire)
        now = on.totals()
        check(now["sip_loops"] - before["sip_loops"] >= 1, "loops not counted", now["sip_loops"])
        check(now["spoofed"] - before["spoofed"] == 4, "spoofed", now["spoofed"])
        on.calm()


def torture():
    """The messages of RFC 4475 at the daemon, whole and in single bytes: an answer or the end of
    the connection, never a hang or worse; the next connection serves."""
    with open(ARCHIVE, "rb") as archive:
        packed = base64.b64decode(archive.read())
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        messages = {os.path.basename(m.name): tar.extractfile(m).read() for m in tar if m.isfile()}
    check(len(messages) >= 49, "archive", len(messages))
    exact = {"ncl.dat": 400, "badvers.dat": 505, "scalar02.dat": 400, "mismatch01.dat": 400,
             "unkscm.dat": 416, "novelsc.dat": 416, "quotbal.dat": 400, "lwsstart.dat": 400,
             "insuf.dat": 400}
    with Lab("sip-torture") as lab:
        on = ground(lab)
        wrong = []
        for name, data in sorted(messages.items()):
            for piece in (len(data), 1):
                wire = dial()
                for at in range(0, len(data), piece):
                    try:
                        wire.send(data[at:at + piece])
                    except OSError:  # hung up on
                        break
                wire.socket.settimeout(HANG_S if name in exact else 0.05)
                try:
                    answer = wire.read()
                    got = answer.status if answer else "end"
                except OSError:
                    got = "silence"
                if name in exact and got != exact[name]:
                    wrong.append(f"{name} by {piece}: expected {exact[name]}, got {got}")
                wire.socket.close()
        check(not wrong, "\n".join(wrong))
        still_serves(on)
        on.calm()


def sources():
    """Who is not the next hop is hung up on, before a word of his is read."""
    with Lab("sip-source") as lab:
        on = ground(lab)
        before = on.totals()
        for _ in range(20):
            try:
                raw = Raw(plan.SIP_TCP)
            except ConnectionResetError:  # as fast as that
                continue
            raw.send(request()).until_end()
            check(raw.text == "", "answered", raw.text)
        for context in (tls_context(), on.evil_tls(), on.evil_tls("pool.corp.test.evil.test")):
            raw = Raw(plan.SIP_TLS)
            try:
                raw.tls(context, None)
            except OSError:  # refused inside the handshake
                continue
            raw.send(request()).until_end()
            check(raw.text == "", "answered over TLS", raw.text)
        Raw(plan.SIP_TLS).send(request()).until_end()
        Raw(plan.SIP_TLS).send(b"\x16\x03\x01\x02\x00" + bytes(600)).until_end()
        on.grown(before, sip_refused_source=23)
        on.untouched(before, "stanzas_in_sip", "sip_answered_ok")
        on.calm()


def framing():
    """Lengths and sizes on a stream, RFC 3261 18.3: where the border is lost the end follows."""
    with Lab("sip-frame") as lab:
        on = ground(lab)
        begin = on.rss()
        fatal = (
            {"Content-Length": None}, {"Content-Length": "-1"}, {"Content-Length": "x"},
            {"Content-Length": "5\r\nContent-Length: 6"},
            {"Content-Length": "99999999999999999999"},
            {"Content-Length": str(9 << 20)}, {"X": "y" * 40000},
            {"X": "y\r\n" + "Z: z\r\n" * 500 + "A: b"})
        for changes in fatal:
            wire = dial()
            try:
                wire.send(request(**changes))
                answers = []
                while (answer := wire.read()) is not None:
                    answers.append(answer.status)
            except OSError as error:
                check(not isinstance(error, TimeoutError), "still open after", changes, answers)
            wire.socket.close()
        wire = dial()  # too large, but its end is known: passed over
        wire.send(request(body=b"x" * (300 << 10)))
        check(wire.read().status == 413, "too large")
        wire.send(request())
        check(wire.read().status == 202, "behind it")
        for endless in (b"A" * MEGA, b"MESSAGE sip:x SIP/2.0\r\nVia: " + b"a" * MEGA,
                        request(Content_Length="100000000") + b"x" * MEGA, b"\x00" * MEGA):
            raw = Raw(plan.SIP_TCP, plan.PHONES)
            raw.send(endless).until_end()
        flood = Raw(plan.SIP_TCP, plan.PHONES)  # pings whose pongs nobody reads
        flood.socket.settimeout(2)
        try:
            for _ in range(40):
                flood.socket.sendall(b"\r\n\r\n" * 50000)
        except OSError:
            pass
        check(on.rss() - begin < 64 * MEGA, "memory grew", (on.rss() - begin) // MEGA)
        wire = dial()
        for at in request():
            wire.send(bytes([at]))
        check(wire.read().status == 202, "byte by byte")
        stray = answer_to(parse_of(request()), 200)
        wire.send(stray * 100)  # answers nobody asked for
        wire.send(b"\r\n\r\n\r\n")
        still_serves(on, wire)
        on.calm()


MEGA = 1 << 20


def parse_of(data):
    return parse(data.partition(b"\r\n\r\n")[0])


def pipeline():
    """10,000 requests without waiting; each is answered once, by its own Call-ID."""
    count = 10000
    with Lab("sip-pipe") as lab:
        on = ground(lab)
        wire = dial()
        wire.socket.settimeout(HANG_S)
        asked = {uuid.uuid4().hex for _ in range(count)}

        def send():
            for n, call in enumerate(asked):
                method = ("OPTIONS", "MESSAGE", "SUBSCRIBE")[n % 3]
                wire.send(request(method=method, Call_ID=call, Max_Forwards="0" if n % 3 == 1
                                  else "70"))

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        left = set(asked)
        while left:
            answer = wire.read()
            check(answer is not None, "hung up on with so many unanswered:", len(left))
            check(answer.get("call-id") in left, "answered twice or never asked",
                  answer.get("call-id"))
            left.discard(answer.get("call-id"))
        sender.join(HANG_S)
        on.calm()


def gone_senders():
    """Connections closed before their answer, some mid-message: the messages are not lost twice."""
    with Lab("sip-gone") as lab:
        on = ground(lab)
        for n in range(60):
            wire = dial()
            data = request(body=b"left")
            wire.send(data if n % 2 else data[:n * 4 + 1])
            wire.socket.close()
        for _ in range(30):
            check(on.good.inbox.get(timeout=HANG_S)[0].text == "left", "another text")
        still_serves(on)
        on.calm()


if __name__ == "__main__":
    main(refusals, torture, sources, framing, pipeline, gone_senders)
