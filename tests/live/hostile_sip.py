#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""SIP servers that break the rules, towards fedgate and as its next hop: the status RFC 3261 names,
every message answered, and nobody else disturbed."""
import base64
import io
import os
import signal
import socket
import sys
import tarfile
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.hostile import EVIL, EVIL_ADDRESS, LIZ, Ground, Raw, tls_context
from lab.peer import Peer
from lab.process import wait_until
from lab.sip import SipWire, answer_to, compose, parse
from lab.stage import LabError
from lab.xmpp import error_of

ARCHIVE = os.path.join(os.path.dirname(__file__), "..", "data", "rfc4475", "archive.b64")
HOP = {"kind": "sip", "uri": f"sip:{plan.PHONES}:{plan.SIP_TCP};transport=tcp",
       "trusted_addresses": [plan.PHONES], "options_interval_s": 0}


def ground(lab, change=None, evil=None):
    def both(config):
        config["next_hops"]["pool"] = dict(HOP)
        if change:
            change(config)
    return Ground(lab, evil, both)


def request(method="MESSAGE", body=b"hello", **changes):
    """A good request as bytes; changes: header values by name with _ for -, None leaves one out;
    uri and version change the first line."""
    fields = {"Via": f"SIP/2.0/TCP {plan.PHONES}:5060;branch=z9hG4bK{uuid.uuid4().hex}",
              "Max-Forwards": "70", "From": f"<sip:joe@{plan.CORP}>;tag=1",
              "To": f"<sip:{LIZ}>", "Call-ID": uuid.uuid4().hex, "CSeq": f"1 {method}",
              "Content-Type": "text/plain", "Content-Length": str(len(body))}
    uri = changes.pop("uri", f"sip:{LIZ}")
    version = changes.pop("version", "SIP/2.0")
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    head = f"{method} {uri} {version}\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return head.encode("utf-8", "surrogateescape") + b"\r\n" + body


def dial(source=plan.PHONES, port=plan.SIP_TCP):
    raw = Raw(port, source)
    raw.socket.settimeout(5)
    return SipWire(raw.socket)


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
        heard = on.good.inbox.get(timeout=10)
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
    ({"method": "SUBSCRIBE"}, 405), ({"method": "NOTIFY"}, 405), ({"method": "PUBLISH"}, 405),
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
                wire.socket.settimeout(2.0 if name in exact else 0.05)
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
            {"body": b"x" * (300 << 10)}, {"X": "y" * 40000},
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
        wire.socket.settimeout(30)
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
        sender.join(5)
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
            check(on.good.inbox.get(timeout=10)[0].text == "left", "another text")
        still_serves(on)
        on.calm()


# --- the next hop itself misbehaves ---------------------------------------------------------------

class HostilePool:
    """Listens on address and hands each request to react(wire, request, n)."""

    def __init__(self, address, react):
        self.react = react
        self.count = 0
        self.listener = socket.create_server((address, plan.SIP_TCP))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(SipWire(connected),), daemon=True).start()

    def _serve(self, wire):
        try:
            while (message := wire.read()) is not None:
                if message.method:
                    self.count += 1
                    self.react(wire, message, self.count)
        except (OSError, AttributeError):
            pass

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


def hang_up(wire):
    wire.socket.shutdown(socket.SHUT_RDWR)


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
            stream = on.good.dial(f"{name}.test")
            for k in range(3):
                asked[f"{name}-{k}"] = name
                stream.send(f"<message from='{LIZ}' to='joe@{name}.test' id='{name}-{k}'><body>x"
                            "</body></message>")
        before = on.totals()
        told = {}
        deadline = time.monotonic() + 50
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
        stream = on.good.dial(plan.CORP)
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
        flood = Peer(lab, EVIL, EVIL_ADDRESS).dial(plan.CORP)
        stream = on.good.dial(plan.CORP)

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
        check(time.monotonic() - begin < 3, "took", time.monotonic() - begin)
        on.calm()


def stop_with_silent_pool():
    """SIGTERM while a next hop answers nothing: GOOD is told of each message, the exit is clean."""
    with Lab("sip-stop") as lab:
        on = ground(lab)
        lab.own(HostilePool(plan.PHONES, lambda w, m, n: w.send(answer_to(m, 404)) if n == 1
                            else None))
        stream = on.good.dial(plan.CORP)
        # An error first, so that there is a stream for answers: none is opened while stopping.
        stream.send(f"<message from='{LIZ}' to='first@{plan.CORP}' id='s'><body>x</body></message>")
        while on.good.inbox.get(timeout=10).get("id") != "s":
            pass
        count = 60
        for n in range(count):
            stream.send(f"<message from='{LIZ}' to='u{n % 9}@{plan.CORP}' id='s{n}'><body>x</body>"
                        "</message>")
        on.fedgate.wait_stats("out", lambda s: s["totals"]["stanzas_out_sip"] >= 10, 10)
        on.fedgate.process.send_signal(signal.SIGTERM)
        told = set()
        while len(told) < count:
            element = on.good.inbox.get(timeout=5)
            if element.get("type") == "error":
                check(element.get("id") not in told, "answered twice", element.get("id"))
                told.add(element.get("id"))
        check(on.fedgate.process.popen.wait(8) == 0, "exit status")


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
        stream = on.good.dial(plan.CORP)
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


if __name__ == "__main__":
    main(refusals, torture, sources, framing, pipeline, gone_senders, pools, queue_bytes,
         one_recipient, stop_with_silent_pool, probe_and_reload, down_and_back)
