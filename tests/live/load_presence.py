#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The load generator's presence (bench/load): through fedgate both ways, with refreshes; and a
gateway of the test's own that loses, repeats, disorders, damages, refuses or forgets to answer one
NOTIFY, or lets a subscription end: each of them must be found out."""
import os
import re
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner, sip_hop
from lab.load_tool import SUFFIX, found, load
from lab.peer import Peer
from lab.process import HANG_S
from lab.sip import SipWire, answer_to, compose

PARTNER = f"p00000.{SUFFIX}"
AT_GATEWAY = (plan.FEDGATE, plan.SIP_TCP)
AT_TOOL = (plan.PHONES, plan.SIP_TCP)
COUNT = 60
SICK = 30  # the state that the gateway treats badly


# -- through fedgate -------------------------------------------------------------------------------
def carried(mode, *options, streams=64, tls=False):
    with Lab("load_presence") as lab:
        corp_dns(lab)
        lab.dns.xmpp(PARTNER, plan.SCRIPTED)
        lab.certs.make(f"*.{SUFFIX}", "pool.corp.test", name=SUFFIX)
        fedgate = Fedgate(lab, partners=[partner(PARTNER)],
                          hop=sip_hop(tls=tls, subscribe_rate_max=1000))
        fedgate.start()
        port = plan.SIP_TLS if tls else plan.SIP_TCP
        status, row = load(plan.CORP, "--mode", mode, "--cert", lab.certs.crt(SUFFIX),
                           "--key", lab.certs.key(SUFFIX), "--streams", streams,
                           "--target", f"{plan.FEDGATE}:{plan.XMPP_SERVER}",
                           "--listen", f"{plan.SCRIPTED}:{plan.XMPP_SERVER}",
                           "--sip", f"{plan.FEDGATE}:{port}",
                           "--sip-listen", f"{plan.KAMAILIO}:{port}",
                           *(("--sip-tls",) if tls else ()), *options)
        contacts = fedgate.stats()["presence"]
        fedgate.stop()
    check(status == 0 and not found(row), "trouble", row)
    check(row["watched"] == streams, "not all are watched", row)
    check(contacts["dialogs"] == {"in": 0, "out": 0}, "dialogs are left", contacts)
    return row


def notify_to_presence():
    row = carried("notify", "--workload", "fan-in", "--count", 5000, "--sip-lines", 2)
    check(row["delivered"] == 5000 and row["overtaken"] == 0, "not all came", row)


def notify_at_a_rate():
    row = carried("notify", "--workload", "open", "--rate", 500, "--count", 1000, tls=True)
    check(row["delivered"] == 1000 and row["own_lag"]["count"] == 1000, "not all came", row)


def presence_to_notify():
    row = carried("presence", "--workload", "fan-in", "--count", 64)
    check(row["delivered"] == 64 and row["overtaken"] == 0, "not all came", row)


def presence_is_overtaken():
    """Faster than a notifier may tell: the last states must come."""
    row = carried("presence", "--workload", "open", "--rate", 40, "--count", 240, streams=16)
    check(row["overtaken"] > 0 and row["delivered"] + row["overtaken"] == 240, "all came", row)


def refreshed_by_fedgate():
    """Not more often than every 10 s in one dialog, so it cannot keep a shorter subscription."""
    row = carried("notify", "--workload", "fan-in", "--expires", 20, "--gap", 1, "--seconds", 20,
                  streams=8)
    check(row["refreshes"] >= 8, "nothing was refreshed", row)


def refreshed_by_the_tool():
    """A notifier may refuse to grant less than a minute."""
    row = carried("presence", "--workload", "fan-in", "--expires", 60, "--seconds", 50, streams=8)
    check(row["refreshes"] >= 8, "nothing was refreshed", row)


# -- a gateway that goes wrong once ----------------------------------------------------------------
def user_of(address):
    return re.search(r"sip:(u\d+)@", address).group(1)


def tag_of(address):
    return re.search(r";tag=([^;,>\s]+)", address).group(1)


class Pair:
    """Two dialogs: the watcher's with us, ours with the presence server."""

    def __init__(self, user):
        self.user = user
        self.watcher = None   # its first SUBSCRIBE
        self.wire = None
        self.answered = None  # the presence server's 200
        self.cseq = {"SUBSCRIBE": 0, "NOTIFY": 0}


class Gateway:
    """Hands SUBSCRIBEs of the tool's sink to its source, and NOTIFYs back, as a gateway would."""

    def __init__(self, fault):
        self.fault = fault
        self.number = 0
        self.kept = None
        self.fetched = []  # NOTIFYs in answer to a fetch
        self.due = []  # (side, status) of what was hostile ...
        self.got = []  # ... and how it was answered
        self.pairs = {}
        self.lock = threading.Lock()
        self.source = None
        self.listener = socket.create_server(AT_GATEWAY)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connected = self.listener.accept()[0]
            except OSError:
                return
            self.serve(SipWire(connected))

    def serve(self, wire):
        threading.Thread(target=self.run, args=(wire,), daemon=True).start()

    def run(self, wire):
        try:
            while (message := wire.read()) is not None:
                with self.lock:
                    if message.status is not None:
                        self.take_answer(wire, message)
                    elif message.method == "SUBSCRIBE":
                        self.subscribe(wire, message)
                    elif message.method == "NOTIFY":
                        self.notify(wire, message)
        except OSError:
            pass

    def be_hostile(self, pair):
        """To the watcher, then to the presence server; the statuses that are due."""
        watcher, user = pair.watcher, pair.user
        rising = pair.cseq["NOTIFY"]
        told = {"Via": f"SIP/2.0/TCP {plan.FEDGATE};branch=z9hG4bKh", "Max-Forwards": "69",
                "From": f"<sip:{user}@{PARTNER}>;tag=g{user}", "To": watcher.get("from"),
                "Call-ID": watcher.get("call-id"), "CSeq": "", "Event": "presence",
                "Contact": f"<sip:{user}@{plan.FEDGATE}>", "Subscription-State": "active"}
        for number, (status, method, changes, body) in enumerate((
                (481, "NOTIFY", {"Call-ID": "nobody"}, b""),
                (481, "NOTIFY", {"To": f"<sip:{user}@{plan.CORP}>;tag=other"}, b""),
                (481, "NOTIFY", {"From": f"<sip:{user}@{PARTNER}>;tag=other"}, b""),
                (500, "NOTIFY", {"CSeq": "1 NOTIFY"}, b""),
                (500, "NOTIFY", {"Contact": "*"}, b""),
                (200, "NOTIFY", {"Subscription-State": ";"}, b""),
                (200, "NOTIFY", {}, b""),
                (200, "NOTIFY", {"Content-Type": "text/plain"}, b"<"),
                (200, "NOTIFY", {"Content-Type": "application/pidf+xml"}, b"<"),
                (405, "SUBSCRIBE", {}, b""), (405, "MESSAGE", {}, b""))):
            cseq = {"CSeq": f"{rising + number + 1} {method}"}
            self.due.append(("sink", status))
            pair.wire.send(compose(f"{method} sip:{user}@{plan.PHONES} SIP/2.0", list(
                {**told, **cseq, **changes}.items()), body))
        pair.cseq["NOTIFY"] = rising + 11
        asked = {**told, "From": f"<sip:{user}@{PARTNER}>;tag=w{user}",
                 "To": f"<sip:{user}@{plan.CORP}>;tag={tag_of(pair.answered.get('to'))}",
                 "Call-ID": f"gateway-{user}", "Expires": "60"}
        for status, method, changes in (
                (404, "SUBSCRIBE", {"To": f"<sip:u99999@{plan.CORP}>"}),
                (404, "SUBSCRIBE", {"From": f"<sip:mallory@{PARTNER}>;tag=1"}),
                (489, "SUBSCRIBE", {"Event": "dialog"}),
                (481, "SUBSCRIBE", {"To": f"<sip:{user}@{plan.CORP}>;tag=other"}),
                (481, "SUBSCRIBE", {"Call-ID": "nobody"}),
                (500, "SUBSCRIBE", {"CSeq": "1 SUBSCRIBE"}),
                (400, "SUBSCRIBE", {"To": f"<sip:{user}@{plan.CORP}>", "Contact": "*"}),
                (405, "NOTIFY", {})):
            self.due.append(("source", status))
            self.source.send(compose(f"{method} sip:{user}@{plan.CORP} SIP/2.0", list(
                {**asked, "CSeq": f"900 {method}", **changes}.items())))

    def take_answer(self, wire, message):
        if self.due and "z9hG4bKh" in message.get("via"):
            side = "source" if wire is self.source else "sink"
            self.got.append((side, message.status))
            return
        if (message.get("cseq").endswith("SUBSCRIBE")
                and "fetch" not in message.get("call-id")):
            self.pairs[user_of(message.get("from"))].answered = message

    def subscribe(self, wire, message):
        user = user_of(message.get("to"))
        pair = self.pairs.setdefault(user, Pair(user))
        if pair.watcher is None:
            pair.watcher, pair.wire = message, wire
        wire.send(answer_to(message, 200, tag=f"g{user}", extra=[
            ("Contact", f"<sip:{user}@{plan.FEDGATE}>"), ("Expires", message.get("expires"))]))
        self.ask_source(pair, message.get("expires"))

    def ask_source(self, pair, expires):
        user = pair.user
        if self.source is None:
            self.source = SipWire(socket.create_connection(AT_TOOL, HANG_S, (plan.FEDGATE, 0)))
            self.serve(self.source)
        pair.cseq["SUBSCRIBE"] += 1
        tag = f";tag={tag_of(pair.answered.get('to'))}" if pair.answered else ""
        self.source.send(compose(f"SUBSCRIBE sip:{user}@{plan.CORP} SIP/2.0", [
            ("Via", f"SIP/2.0/TCP {plan.FEDGATE};branch=z9hG4bKs{user}{pair.cseq['SUBSCRIBE']}"),
            ("Max-Forwards", "69"), ("From", f"<sip:{user}@{PARTNER}>;tag=w{user}"),
            ("To", f"<sip:{user}@{plan.CORP}>{tag}"), ("Call-ID", f"gateway-{user}"),
            ("CSeq", f"{pair.cseq['SUBSCRIBE']} SUBSCRIBE"), ("Event", "presence"),
            ("Contact", f"<sip:{user}@{plan.FEDGATE}>"), ("Expires", expires)]))

    def fetch(self, user):
        """Asks once, beside the dialog that goes on."""
        self.source.send(compose(f"SUBSCRIBE sip:{user}@{plan.CORP} SIP/2.0", [
            ("Via", f"SIP/2.0/TCP {plan.FEDGATE};branch=z9hG4bKf{user}"), ("Max-Forwards", "69"),
            ("From", f"<sip:{user}@{PARTNER}>;tag=f{user}"), ("To", f"<sip:{user}@{plan.CORP}>"),
            ("Call-ID", f"gateway-fetch-{user}"), ("CSeq", "1 SUBSCRIBE"), ("Event", "presence"),
            ("Contact", f"<sip:{user}@{plan.FEDGATE}>"), ("Expires", "0")]))

    def notify(self, wire, message):
        fault = ""
        if b"<note" in message.body and "active" in message.get("subscription-state"):
            self.number += 1
            fault = self.fault if self.number == SICK else ""
        if "gateway-fetch" in message.get("call-id"):
            self.fetched.append(message)
            wire.send(answer_to(message, 200))
            return
        if fault != "silent":
            wire.send(answer_to(message, 486 if fault == "refuse" else 200))
        pair = self.pairs[user_of(message.get("from"))]
        if fault == "fetch":
            self.fetch(pair.user)
        if fault == "hostile":
            self.be_hostile(pair)
        if fault == "keep":
            self.kept = (pair, message)
            return
        for _ in range({"refuse": 0, "lose": 0, "repeat": 2}.get(fault, 1)):
            self.forward(pair, message, fault)
        # The same user's next state overtakes the one that was kept.
        if self.kept and self.kept[0] is pair:
            self.forward(*self.kept, "")
            self.kept = None

    def forward(self, pair, message, fault):
        user, body = pair.user, message.body
        body = body.replace(f"sip:{user}@{plan.CORP}".encode(), f"pres:{user}@{PARTNER}".encode())
        state = message.get("subscription-state")
        if fault == "end":
            state = "terminated;reason=deactivated"
        if fault == "damage":
            body = body.replace(b"meet", b"mEEt", 1)
        if fault == "close":
            body = body.replace(b">open<", b">closed<")
        if fault == "stranger":
            body = body.replace(user.encode(), b"u00009", 1)
        pair.cseq["NOTIFY"] += 0 if fault == "cseq" else 1
        pair.wire.send(compose(f"NOTIFY sip:{user}@{plan.PHONES} SIP/2.0", [
            ("Via", f"SIP/2.0/TCP {plan.FEDGATE};branch=z9hG4bKn{user}{pair.cseq['NOTIFY']}"),
            ("Max-Forwards", "69"), ("From", f"<sip:{user}@{PARTNER}>;tag=g{user}"),
            ("To", pair.watcher.get("from")), ("Call-ID", pair.watcher.get("call-id")),
            ("CSeq", f"{pair.cseq['NOTIFY']} NOTIFY"), ("Event", "presence"),
            ("Contact", f"<sip:{user}@{plan.FEDGATE}>"), ("Subscription-State", state)], body,
            "application/pidf+xml"))

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # or accept() would keep the port
        self.listener.close()


class XmppGateway(Gateway):
    """The same with watchers that are a partner's users."""

    def __init__(self, lab, fault):
        super().__init__(fault)
        self.peer = Peer(lab, plan.CORP, plan.FEDGATE)
        self.peer.on_stanza = self.stanza
        self.peer.listen()
        self.stream = None

    def stanza(self, _stream, element):
        user = element.get("from").split("@")[0]
        with self.lock:
            if self.stream is None:
                self.stream = self.peer.dial(PARTNER, plan.SCRIPTED)
            pair = self.pairs.setdefault(user, Pair(user))
            if element.get("type") in ("subscribe", "unsubscribe"):
                self.ask_source(pair, "3600" if element.get("type") == "subscribe" else "0")

    def say(self, user, kind="", inside=""):
        self.stream.send(f"<presence from='{user}@{plan.CORP}{'' if kind else '/sip'}' "
                         f"to='{user}@{PARTNER}'{kind and f' type={kind!r}'}>{inside}</presence>")

    def forward(self, pair, message, fault):
        if "terminated" in message.get("subscription-state"):
            self.say(pair.user, "unsubscribed")
            return
        note = re.search(r"<note>(.*)</note>", message.text)
        if not note:
            self.say(pair.user, "subscribed")
        text = note.group(1) if note else ""
        if fault == "damage":
            text = text.replace("meet", "mEEt", 1)
        user = "u00009" if fault == "stranger" else pair.user
        self.say(user, "unavailable" if fault == "close" else "",
                 f"<status>{text}</status>" if note else "")


def run_through(gateway, sink, more):
    try:
        status, row = load(plan.CORP, "--source", "notify", "--sink", sink, "--streams", 4,
                           "--count", COUNT, "--sip", "%s:%d" % AT_GATEWAY,
                           "--sip-listen", "%s:%d" % AT_TOOL, "--stall", 2,
                           *(more or ("--workload", "fan-in")))
    finally:
        gateway.stop()
    return status, found(row)


def through(fault, *more):
    with Lab("load_presence"):
        return run_through(Gateway(fault), "notify", more)


def to_xmpp(fault, *more):
    with Lab("load_presence") as lab:
        lab.certs.make(f"*.{SUFFIX}", name=SUFFIX)
        return run_through(XmppGateway(lab, fault), "presence", (
            "--target", f"{plan.FEDGATE}:{plan.XMPP_SERVER}", "--listen",
            f"{plan.SCRIPTED}:{plan.XMPP_SERVER}", "--cert", lab.certs.crt(SUFFIX), "--key",
            lab.certs.key(SUFFIX), *(more or ("--workload", "fan-in"))))


def nothing_wrong():
    check(through("") == (0, {}), "trouble where there is none")


def lost():
    check(through("lose") == (1, {"lost": 1}), "not found out")


def lost_at_a_rate():
    """Others follow, and none may be overtaken; where one may, it is no loss."""
    at_a_rate = ("--workload", "open", "--rate", 100)
    check(through("lose", *at_a_rate) == (1, {"lost": 1}), "not found out")
    check(through("lose", *at_a_rate, "--gap", 1) == (0, {}), "it was overtaken")


def repeated():
    check(through("repeat") == (1, {"duplicated": 1}), "not found out")


def disordered():
    status, trouble = through("keep", "--workload", "open", "--rate", 100)
    check((status, trouble) == (1, {"out_of_order": 1}), "not found out", trouble)
    status, trouble = through("keep", "--workload", "open", "--rate", 100, "--gap", 1)
    check((status, trouble) == (1, {"out_of_order": 1}), "an old state told last", trouble)


def damaged():
    for fault in ("damage", "close", "stranger", "cseq"):
        status, trouble = through(fault)
        check((status, trouble) == (1, {"damaged": 1, "lost": 1}), fault, trouble)


def refused():
    check(through("refuse") == (1, {"errors": 1}), "not found out")


def unanswered():
    status, trouble = through("silent")
    check(status == 1 and trouble.get("unanswered") == 1, "not found out", trouble)


def ended():
    status, trouble = through("end")
    check(status == 1 and trouble.get("damaged") and trouble.get("lost"), "not found out", trouble)


def fetched():
    """Asked once: the state in a dialog of its own; the others are left alone."""
    with Lab("load_presence"):
        gateway = Gateway("fetch")
        got = run_through(gateway, "notify", ())
    check(got == (0, {}), "trouble", got)
    check(len(gateway.fetched) == 1 and b"<note>" in gateway.fetched[0].body and
          "terminated" in gateway.fetched[0].get("subscription-state"), "the fetch",
          [message.headers for message in gateway.fetched])


def hostile():
    """What makes no sense is answered and counted, and nothing else suffers."""
    with Lab("load_presence"):
        gateway = Gateway("hostile")
        status, trouble = run_through(gateway, "notify", ())
    for side in ("sink", "source"):
        due, got = ([each for each in of if each[0] == side] for of in (gateway.due, gateway.got))
        check(due == got and due, side, due, got)
    check((status, trouble) == (1, {"damaged": 16}), "trouble", trouble)


def found_out_on_xmpp():
    """The same faults, in front of the partner's users."""
    at_a_rate = ("--workload", "open", "--rate", 100)
    check(to_xmpp("") == (0, {}), "trouble where there is none")
    for fault, trouble, more in (("lose", {"lost": 1}, ()), ("repeat", {"duplicated": 1}, ()),
                                 ("keep", {"out_of_order": 1}, at_a_rate),
                                 ("damage", {"damaged": 1, "lost": 1}, ()),
                                 ("close", {"damaged": 1, "lost": 1}, ()),
                                 ("stranger", {"damaged": 1, "lost": 1}, ())):
        got = to_xmpp(fault, *more)
        check(got == (1, trouble), fault, got)


main(notify_to_presence, notify_at_a_rate, presence_to_notify, presence_is_overtaken,
     refreshed_by_fedgate, refreshed_by_the_tool, nothing_wrong, lost, lost_at_a_rate, repeated,
     disordered, damaged, refused, unanswered, ended, fetched,
     hostile, found_out_on_xmpp)
