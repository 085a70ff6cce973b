#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The load generator's XMPP side (bench/load): against itself, through fedgate both ways with every
kind of proof, streams that come and go; and a relay of the test's own that loses, repeats,
disorders or damages one stanza: each of them must be found out."""
import os
import socket
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, load_tool, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.load_tool import PROGRAM, SUFFIX, found
from lab.process import HANG_S

SICK = 50  # the stanza that the relay treats badly
AT_RELAY = (plan.FEDGATE, plan.XMPPS_SERVER)
AT_SINK = (plan.SCRIPTED, plan.XMPP_SERVER)
END = b"</message>"


def load(lab, *options):
    """A run: (exit status, the figures)."""
    if SUFFIX not in lab.certs.made:
        lab.certs.make(f"*.{SUFFIX}", name=SUFFIX)
    return load_tool.load(plan.APP, "--cert", lab.certs.crt(SUFFIX), "--key", lab.certs.key(SUFFIX),
                          *options)


def clean(result, count):
    status, row = result
    check(status == 0 and not found(row), "trouble", row)
    check(row["delivered"] == count == row["latency"]["count"], "not all measured", row)
    return row


# -- against itself --------------------------------------------------------------------------------
def itself(*options, count=3000, kind="tls"):
    with Lab("load_xmpp") as lab:
        return clean(load(lab, "--source", kind, "--sink", kind, "--target", "%s:%d" % AT_SINK,
                          "--listen", "%s:%d" % AT_SINK, "--count", count, *options), count)


def itself_in_bulk():
    itself("--workload", "bulk")


def itself_fan_in():
    row = itself("--workload", "fan-in")
    check(row["streams_in"] == 256, "streams", row)


def itself_one_at_a_time():
    itself("--workload", "one", "--streams", 3, count=300)


def itself_at_a_rate():
    row = itself("--workload", "open", "--rate", 2000, "--streams", 8, count=1000)
    check(row["own_lag"]["count"] == 1000, "how late the tool was is not told", row)


def itself_without_tls():
    row = itself("--workload", "bulk", kind="tcp")
    check(row["tls"] == "", "TLS in plain TCP", row)


def itself_large_and_small():
    itself("--workload", "bulk", "--size", 65536, count=100)
    itself("--workload", "bulk", "--size", 200)


def itself_in_a_mix():
    for options in (["--workload", "bulk"], ["--workload", "fan-in", "--size", 1024],
                    ["--workload", "bulk", "--size", 16384], ["--workload", "bulk", "--shards", 2]):
        itself("--mix", "real", *options)


def itself_on_two_threads():
    itself("--workload", "bulk", "--shards", 2)
    itself("--workload", "fan-in", "--shards", 2)
    itself("--workload", "open", "--rate", 2000, "--shards", 2, count=1000)


# -- through fedgate -------------------------------------------------------------------------------
PROOFS = {"external": {}, "direct": {},
          "dialback": {"sasl": "not_supported", "dialback": True},
          "plain-dialback": {"tls": "not_supported", "sasl": "not_supported", "dialback": True}}


def carried(mode, proof, *options, streams=8, count=2000, is_apart=False):
    with Lab("load_xmpp") as lab:
        corp_dns(lab)
        names = [f"p{number:05}.{SUFFIX}" for number in range(streams)]
        for name in names:
            lab.dns.xmpp(name, plan.SCRIPTED)
        fedgate = Fedgate(lab, partners=[partner(name, **PROOFS[proof]) for name in names])
        fedgate.start()
        is_direct = proof == "direct"
        port = plan.XMPPS_SERVER if is_direct else plan.XMPP_SERVER
        how = ["--direct"] if is_direct else ["--auth", proof]
        if is_apart:
            how += ["--apart", fedgate.process.pid]
        row = clean(load(lab, "--mode", mode, "--streams", streams, "--count", count,
                         "--target", f"{plan.FEDGATE}:{port}", "--listen", "%s:%d" % AT_SINK,
                         "--component", f"{plan.FEDGATE}:{plan.COMPONENT}", *how, *options), count)
        methods = fedgate.authenticated(names[0])[mode]
        fedgate.stop()
    return row, methods


def proved(mode, proof, method):
    _, methods = carried(mode, proof, "--workload", "bulk")
    check(set(methods) == {method}, "another proof", methods)


def in_by_certificate():
    proved("in", "external", "external")


def in_by_certificate_direct():
    proved("in", "direct", "external")


def in_by_dialback():
    # The key is verified: the certificate of the source would do, but is not looked at by --auth.
    _, methods = carried("in", "dialback", "--workload", "bulk")
    check(set(methods) <= {"dialback_tls", "certificate"} and methods, "another proof", methods)


def in_by_dialback_without_tls():
    proved("in", "plain-dialback", "dialback_plain")


def out_by_certificate():
    proved("out", "external", "external")


def out_by_dialback():
    proved("out", "dialback", "dialback_tls")


def out_by_dialback_without_tls():
    proved("out", "plain-dialback", "dialback_plain")


def in_with_a_mix():
    carried("in", "external", "--workload", "bulk", "--mix", "real")
    carried("in", "external", "--workload", "fan-in", "--mix", "real", streams=40)


def out_with_a_mix():
    carried("out", "external", "--workload", "bulk", "--mix", "real")


def streams_that_come_and_go():
    row, methods = carried("in", "external", "--workload", "open", "--rate", 1000, "--churn", 10,
                           count=2000)
    check(methods["external"] > 3, "no stream came again", methods, row)


def receivers_that_hang():
    row, _ = carried("in", "external", "--workload", "bulk", "--hold", 0.5, "--window", 200)
    check(row["seconds"] > 0.5 and row["during_hold"] < 2000, "nobody hung", row)


def with_the_server_apart():
    """They take turns: in none of them more can pass than may be in flight."""
    for mode, workload, window in (("in", "fan-in", 40), ("out", "fan-in", 40),
                                   ("in", "bulk", 400), ("out", "bulk", 400)):
        row, _ = carried(mode, "external", "--workload", workload, "--window", window,
                         streams=40, is_apart=True)
        apart = row["apart"]
        check(apart["rounds"] * window >= row["delivered"], "it was not stopped", row)
        check(apart["server_s"] > 0 and apart["server_cpu_s"] > 0 and apart["empty_cpu_us"] > 0,
              "nothing is told of it", row)


def apart_from_nobody():
    with Lab("load_xmpp") as lab:
        lab.certs.make(f"*.{SUFFIX}", name=SUFFIX)
        done = subprocess.run([PROGRAM, "--mode", "relay", "--workload", "bulk", "--target",
                               "%s:%d" % AT_SINK, "--listen", "%s:%d" % AT_SINK, "--apart", "1x",
                               "--cert", lab.certs.crt(SUFFIX), "--key", lab.certs.key(SUFFIX)],
                              capture_output=True, text=True, timeout=HANG_S)
    check(done.returncode == 70 and "PID" in done.stderr, "no process, no word", done)


def only_streams():
    with Lab("load_xmpp") as lab:
        corp_dns(lab)
        lab.dns.xmpp(f"p00000.{SUFFIX}", plan.SCRIPTED)
        fedgate = Fedgate(lab, partners=[partner(f"p0000{number}.{SUFFIX}")
                                         for number in range(8)])
        fedgate.start()
        status, row = load(lab, "--mode", "in", "--workload", "bulk", "--streams", 8, "--parallel",
                           8, "--cycles", 60, "--target", f"{plan.FEDGATE}:{plan.XMPP_SERVER}",
                           "--component", f"{plan.FEDGATE}:{plan.COMPONENT}",
                           "--ca", lab.certs.crt("ca"), "--ca-key", lab.certs.key("ca"))
        fedgate.stop()
    check(status == 0 and row["streams"] == 60, "streams", row)


# -- a relay that goes wrong once ------------------------------------------------------------------
class Relay:
    """TLS in, TLS out; the stanza number SICK is treated as `fault` says."""

    def __init__(self, lab, fault):
        self.fault = fault
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(lab.certs.crt(SUFFIX), lab.certs.key(SUFFIX))
        self.listener = socket.create_server(AT_RELAY)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        try:
            with self.context.wrap_socket(self.listener.accept()[0], server_side=True) as source, \
                    client.wrap_socket(socket.create_connection(AT_SINK, HANG_S)) as sink:
                self.pass_on(source, sink)
        except OSError:
            pass

    def pass_on(self, source, sink):
        kept = b""
        number = 0
        rest = b""
        while got := source.recv(65536):
            *stanzas, rest = (rest + got).split(END)
            for stanza in stanzas:
                number += 1
                sick = self.fault if number == SICK else ""
                stanza += END
                if sick == "swap":
                    kept = stanza
                elif sick != "lose":
                    sink.sendall({"repeat": 2 * stanza, "type": stanza.replace(b"chat", b"chit"),
                                  "damage": stanza.replace(b"noon", b"n00n")}.get(sick, stanza))
                    sink.sendall(kept if number == SICK + 1 else b"")

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self.listener.close()


def through(fault, *options):
    with Lab("load_xmpp") as lab:
        lab.certs.make(f"*.{SUFFIX}", name=SUFFIX)
        relay = Relay(lab, fault)
        try:
            status, row = load(lab, "--mode", "relay", "--workload", "bulk", "--streams", 1,
                               "--count", 200, "--target", "%s:%d" % AT_RELAY,
                               "--listen", "%s:%d" % AT_SINK, "--stall", 2, *options)
        finally:
            relay.stop()
    return status, found(row)


def nothing_wrong():
    check(through("") == (0, {}), "trouble where there is none")


def lost():
    # The next one comes out of its turn.
    check(through("lose") == (1, {"lost": 1, "out_of_order": 1}), "not found out")


def repeated():
    check(through("repeat") == (1, {"duplicated": 1}), "not found out")


def disordered():
    status, trouble = through("swap")
    check(status == 1 and set(trouble) == {"out_of_order"}, "not found out", trouble)


def damaged():
    status, trouble = through("damage")
    check(status == 1 and trouble["damaged"] == 1 and trouble["lost"] == 1, "not found out",
          trouble)


def damaged_in_a_mix():
    check(through("", "--mix", "real") == (0, {}), "trouble where there is none")
    status, trouble = through("type", "--mix", "real")
    check(status == 1 and trouble["damaged"] == 1 and trouble["lost"] == 1, "not found out",
          trouble)


main(itself_in_bulk, itself_fan_in, itself_one_at_a_time, itself_at_a_rate, itself_without_tls,
     itself_large_and_small, itself_in_a_mix, itself_on_two_threads, in_by_certificate,
     in_by_certificate_direct, in_by_dialback, in_by_dialback_without_tls, out_by_certificate,
     out_by_dialback, out_by_dialback_without_tls, in_with_a_mix, out_with_a_mix,
     streams_that_come_and_go, receivers_that_hang, with_the_server_apart, apart_from_nobody,
     only_streams, nothing_wrong, lost, repeated, disordered, damaged, damaged_in_a_mix)
