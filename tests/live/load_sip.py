#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The load generator's SIP side (bench/load): through fedgate both ways; and a gateway of the
test's own that loses, repeats, disorders, damages, refuses or forgets to answer one message: each
of them must be found out."""
import os
import re
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner, sip_hop
from lab.load_tool import SUFFIX, found, load
from lab.process import HANG_S
from lab.sip import SipWire, answer_to, compose

COUNT = 200
SICK = 50  # the message that the gateway treats badly
AT_GATEWAY = (plan.FEDGATE, plan.SIP_TCP)
AT_SINK = (plan.PHONES, plan.SIP_TCP)


# -- through fedgate -------------------------------------------------------------------------------
def stand_still(fedgate, stop):
    """As on a machine with other things to do: answers fall due together."""
    while not stop.wait(0.4):
        fedgate.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        fedgate.process.send_signal(signal.SIGCONT)


def carried(mode, *options, tls=False, count=2000, may_refuse=False):
    with Lab("load_sip") as lab:
        corp_dns(lab)
        lab.dns.xmpp(f"p00000.{SUFFIX}", plan.SCRIPTED)
        lab.certs.make(f"*.{SUFFIX}", "pool.corp.test", name=SUFFIX)
        fedgate = Fedgate(lab, partners=[partner(f"p00000.{SUFFIX}")], hop=sip_hop(tls=tls))
        fedgate.start()
        stop = threading.Event()
        pauses = threading.Thread(target=stand_still, args=(fedgate, stop), daemon=True)
        if may_refuse:
            pauses.start()
        port = plan.SIP_TLS if tls else plan.SIP_TCP
        status, row = load(plan.CORP, "--mode", mode, "--cert", lab.certs.crt(SUFFIX),
                           "--key", lab.certs.key(SUFFIX), "--count", count,
                           "--target", f"{plan.FEDGATE}:{plan.XMPP_SERVER}",
                           "--listen", f"{plan.SCRIPTED}:{plan.XMPP_SERVER}",
                           "--sip", f"{plan.FEDGATE}:{port}",
                           "--sip-listen", f"{plan.KAMAILIO}:{port}", *options)
        stop.set()
        if may_refuse:
            pauses.join()  # not while it stands still
        fedgate.stop()
    if may_refuse:
        check(set(found(row)) <= {"errors"} and row["delivered"] > 0, "trouble", row)
        return
    check(status == 0 and not found(row), "trouble", row)
    check(row["delivered"] == count and row["latency"]["count"] == count, "not all measured", row)


def xmpp_to_sip():
    carried("xmpp-sip", "--workload", "fan-in", "--streams", 64)


def sip_to_xmpp():
    carried("sip-xmpp", "--workload", "fan-in", "--streams", 256, "--sip-lines", 2)


def burst_is_answered():
    """Queues are bounded (480), and a connection's output: no answer may be lost to that."""
    carried("sip-xmpp", "--workload", "fan-in", "--streams", 16000, "--parallel", 1000,
            count=100000, may_refuse=True)


def sip_to_xmpp_at_a_rate():
    carried("sip-xmpp", "--workload", "open", "--rate", 1000, "--streams", 512, "--sip-tls",
            tls=True)


# -- a gateway that goes wrong once ----------------------------------------------------------------
class Gateway:
    """Takes MESSAGEs of the tool's source and hands them to its sink as a gateway would."""

    def __init__(self, fault):
        self.fault = fault
        self.number = 0
        self.kept = None
        self.sink = None
        self.listener = socket.create_server(AT_GATEWAY)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        wire = SipWire(self.listener.accept()[0])
        try:
            while (message := wire.read()) is not None:
                self.number += 1
                self.take(wire, message, self.fault if self.number == SICK else "")
        except OSError:
            pass

    def take(self, wire, message, fault):
        if fault != "silent":
            wire.send(answer_to(message, 486 if fault == "refuse" else 200))
        forwarded = self.translate(message, fault)
        if fault == "keep":
            self.kept = forwarded
            return
        for _ in range({"refuse": 0, "lose": 0, "repeat": 2}.get(fault, 1)):
            self.send(forwarded)
        # The same user's next message overtakes the one that was kept.
        if self.kept and self.kept[0] == forwarded[0]:
            self.send(self.kept)
            self.kept = None

    @staticmethod
    def translate(message, fault):
        user, partner_domain = re.match(r"MESSAGE sip:(u\d+)@(\S+) ", message.start).groups()
        body = message.body.replace(b"meet", b"mEEt", 1) if fault == "damage" else message.body
        return user, compose(f"MESSAGE sip:{user}@{plan.CORP} SIP/2.0", [
            ("Via", f"SIP/2.0/TCP {plan.FEDGATE};branch={message.get('call-id')}"),
            ("Max-Forwards", "69"), ("From", f"<sip:{user}@{partner_domain}>;tag=1"),
            ("To", f"<sip:{user}@{plan.CORP}>"), ("Call-ID", message.get("call-id")),
            ("CSeq", "1 MESSAGE")], body, "text/plain")

    def send(self, forwarded):
        if not self.sink:
            self.sink = SipWire(socket.create_connection(AT_SINK, HANG_S, (plan.FEDGATE, 0)))
        self.sink.send(forwarded[1])

    def stop(self):
        self.listener.close()


def through(fault, *more):
    with Lab("load_sip"):
        gateway = Gateway(fault)
        try:
            status, row = load(plan.CORP, "--source", "sip", "--sink", "sip", "--streams", 4,
                               "--count", COUNT, "--sip", "%s:%d" % AT_GATEWAY,
                               "--sip-listen", "%s:%d" % AT_SINK,
                               "--stall", 2, *(more or ("--workload", "fan-in")))
        finally:
            gateway.stop()
    return status, found(row)


def nothing_wrong():
    check(through("") == (0, {}), "trouble where there is none")


def lost():
    check(through("lose") == (1, {"lost": 1}), "not found out")


def repeated():
    check(through("repeat") == (1, {"duplicated": 1}), "not found out")


def disordered():
    status, trouble = through("keep", "--workload", "open", "--rate", 200)
    check(status == 1 and set(trouble) == {"out_of_order"}, "not found out", trouble)


def damaged():
    check(through("damage") == (1, {"damaged": 1, "lost": 1}), "not found out")


def refused():
    check(through("refuse") == (1, {"errors": 1}), "not found out")


def unanswered():
    status, trouble = through("silent")
    check(status == 1 and trouble.get("unanswered") == 1, "not found out", trouble)


main(xmpp_to_sip, sip_to_xmpp, burst_is_answered, sip_to_xmpp_at_a_rate, nothing_wrong, lost,
     repeated, disordered, damaged, refused, unanswered)
