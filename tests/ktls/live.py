#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole daemons whose records the kernel protects; run by tests/ktls/run inside user-mode-linux.

Every fedgate says tls.ktls "require". The kernel counts per network namespace, and each test has
one of its own: what /proc/net/tls_stat says is this test's.
"""
import os
import sys

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "live")]
from hostile_tls import (ATTACKS, BAD_MAC, BOTH, TO_CLIENT, TO_SERVER, V12, V13, Evil, ended)
from lab import Lab, Skip, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.xmpp import Component
from partners import Stage

JOE = "joe@app.corp.test"
MESSAGES = 40
SIZES = (1, 300, 3000, 40000)  # characters of text; the last is several records
# Linux looks at a TLS 1.2 record when it has its explicit nonce.
NONCE = bytes(8)
# It takes the outer type of a TLS 1.3 record for data, whatever is there; what is inside is right.
UNSEEN = {("type", V13)}
# A record that is all padding is one that cannot be opened.
OTHER_ALERT = {"no type": {BAD_MAC}}


def kernel():
    """The kernel's counters."""
    try:
        with open("/proc/net/tls_stat", encoding="ascii") as stat:
            return {line.split()[0]: int(line.split()[1]) for line in stat if line.strip()}
    except FileNotFoundError:
        raise Skip("this kernel has no TLS: see tests/ktls/run") from None


def require(fedgate, backend="wolfssl"):
    fedgate.config["tls"].update(ktls="require", backend=backend)


def traffic(say, hears):
    for i in range(MESSAGES):
        text = f"{i} " + "x" * SIZES[i % len(SIZES)]
        say(text)
        heard = hears(text, 20)
        check(heard is not None, "not heard", i)


def records_by_the_kernel(fedgate, version):
    """What /stats says of the streams: one each way at least, all with both directions given."""
    streams = fedgate.stats()["streams"]
    check({s["direction"] for s in streams} == {"in", "out"}, "a direction is missing", streams)
    for stream in streams:
        check(stream["records"] == "kernel" and stream["tls"] == version, "not as it was to be",
              stream)


def went_through_the_kernel(sessions):
    """So many connections, both directions of each, and nothing that could not be opened."""
    now = kernel()
    check(min(now["TlsTxSw"], now["TlsRxSw"]) >= sessions, "too few kernel sessions", now)
    check(now["TlsTxSw"] == now["TlsRxSw"], "only one direction was given to the kernel", now)
    check(now["TlsDecryptError"] == 0, "the kernel could not open records", now)


def prosody(backend, version):
    """Prosody speaks first, fedgate dials back: a stream in each role."""
    kernel()
    with Lab(f"ktls-{backend}") as lab:
        stage = Stage(lab, "prosody", {})
        require(stage.fedgate, backend)
        stage.start()
        stage.both_ways()
        stage.authenticated_by("external")
        traffic(lambda text: stage.ann.say(JOE, text), stage.joe.hears)
        traffic(lambda text: stage.joe.say(JOE, stage.ann.bare, text), stage.ann.hears)
        records_by_the_kernel(stage.fedgate, version)
        stage.fedgate.stop()
        went_through_the_kernel(2)
        now = kernel()
        check(now["TlsCurrTxSw"] == 0 and now["TlsCurrRxSw"] == 0, "sessions were left", now)


def fedgate_to_fedgate(backend, version):
    """Two of them, a component behind each: four ends of two streams."""
    kernel()
    with Lab(f"ktls-two-{backend}") as lab:
        corp_dns(lab)
        lab.dns.xmpp(plan.ADATUM, plan.PROSODY2)
        lab.certs.make(plan.ADATUM, name="adatum")
        # Two shards: incoming streams move home once they are authenticated.
        one = Fedgate(lab, partners=[partner(plan.ADATUM)], shards=2)
        two = Fedgate(lab, partners=[partner(plan.APP)], address=plan.PROSODY2, name="two",
                      shards=2)
        two.config["node"]["name"] = "edge.adatum.test"
        two.config["tls"].update(certificate=lab.certs.crt("adatum"), key=lab.certs.key("adatum"))
        two.config["domains"] = [{"name": plan.ADATUM, "next_hop": "app"}]
        del two.config["next_hops"]["pool"]
        for fedgate in (one, two):
            require(fedgate, backend)
            fedgate.start()
        joe = lab.own(Component(plan.APP, "inside"))
        sue = lab.own(Component(plan.ADATUM, "inside", address=plan.PROSODY2))
        there = f"sue@{plan.ADATUM}"
        traffic(lambda text: joe.say(JOE, there, text), sue.hears)
        traffic(lambda text: sue.say(there, JOE, text), joe.hears)
        for fedgate in (one, two):
            records_by_the_kernel(fedgate, version)
        two.stop()
        one.stop()
        went_through_the_kernel(4)
        now = kernel()
        check(now["TlsCurrTxSw"] == 0 and now["TlsCurrRxSw"] == 0, "sessions were left", now)


def hostile(role):
    """What is no lawful record, found out by the kernel or in what it leaves to us."""
    kernel()
    with Lab(f"ktls-hostile-{role}") as lab:
        on = Evil(lab, "wolfssl")
        wrong = []
        to_one = TO_SERVER if role == "client" else TO_CLIENT
        for name, versions, attack, right in ATTACKS + to_one:
            for version in BOTH:
                if version not in versions or (name, version) in UNSEEN:
                    continue
                hands = on.opened(role, version)
                on.fedgate.wait_stats("by the kernel", lambda stats: stats["streams"] and all(
                    stream["records"] == "kernel" for stream in stats["streams"]))
                hands.wire(attack(hands) + (NONCE if version == V12 else b""))
                try:
                    ended(hands, f"{name} {version}", right | OTHER_ALERT.get(name, set()))
                except AssertionError as error:
                    wrong.append(f"{name} {version}: {error}")
        check(not wrong, "\n" + "\n".join(wrong))
        on.inside_hears_nothing()


if __name__ == "__main__":
    main(case("prosody_tls13", prosody, "wolfssl", "TLSv1.3"),
         case("prosody_tls12", prosody, "mbedtls", "TLSv1.2"),
         case("fedgate_tls13", fedgate_to_fedgate, "wolfssl", "TLSv1.3"),
         case("fedgate_tls12", fedgate_to_fedgate, "mbedtls", "TLSv1.2"),
         case("hostile_client", hostile, "client"),
         case("hostile_server", hostile, "server"))
