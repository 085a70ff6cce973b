#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""SIP connections whose TLS keys are used up are replaced: each message arrives once, each has its
own answer, nothing is answered with an error. Needs a build with all assertions: there a test may
lower the limits per key."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, Skip, case, check, main, plan
from lab.fedgate import Fedgate, binary, corp_dns, partner
from lab.peer import Peer
from lab.process import HANG_S, wait_until
from lab.sip_tls import TlsCaller, TlsPool, tls_1_2
from lab.xmpp import error_of, local, message, text_of, trust_everyone

SCRIPTED = "scripted.test"
POOL = "pool.corp.test"
LIMITS = "12 100000"
CIPHERS = "ECDHE+AESGCM"
COUNT = 600
RECIPIENTS = 16


class Stage:
    def __init__(self, lab, backend="wolfssl", shards=1):
        with open(binary(), "rb") as program:
            if b"FEDGATE_TEST_RECORD_LIMITS" not in program.read():
                raise Skip("this build's limits per key cannot be lowered")
        os.environ["FEDGATE_TEST_RECORD_LIMITS"] = LIMITS
        corp_dns(lab)
        lab.dns.xmpp(SCRIPTED, plan.SCRIPTED)
        lab.certs.make(POOL)
        self.pool = lab.own(TlsPool(tls_1_2(
            trust_everyone(lab.certs.crt(POOL), lab.certs.key(POOL), True), CIPHERS)))
        hop = {"kind": "sip", "uri": f"sip:{plan.PHONES}:{plan.SIP_TLS};transport=tls",
               "trusted_names": [POOL], "trusted_addresses": ["127.0.0.0/8"],
               "options_interval_s": 0}
        self.fedgate = Fedgate(lab, partners=[partner(SCRIPTED)], hop=hop, shards=shards,
                               backend=backend)
        self.fedgate.config["log"]["level"] = "info"
        self.fedgate.start()
        self.peer = Peer(lab)
        for context in (self.peer.server_tls, self.peer.client_tls):
            tls_1_2(context, "ECDHE+CHACHA20")  # whose keys are never used up
        self.texts = []
        self.errors = []
        self.peer.on_stanza = lambda _, e: self.note(e)
        self.peer.listen()

    def note(self, stanza):
        if stanza.get("type") == "error":
            self.errors.append(error_of(stanza))
        elif local(stanza) == "message":
            self.texts.append(text_of(stanza, "body"))

    def flood(self, count):
        stream = self.peer.dial(plan.CORP)
        for number in range(count):
            to = number % RECIPIENTS
            stream.send(message(f"joe{to}@{plan.CORP}", f"{to}:{number}", ident=f"n{number}",
                                sender=f"ann@{SCRIPTED}/x"))

    def expect(self, count):
        self.fedgate.wait_stats("all answered", lambda s: self.errors
                                or s["totals"]["sip_delivered"] >= count, 120)
        check(not self.errors, "answered with errors:", self.errors[:3])
        by_recipient = [[] for _ in range(RECIPIENTS)]
        for _, text in self.pool.texts:
            to, number = text.split(":")
            by_recipient[int(to)].append(int(number))
        for to, got in enumerate(by_recipient):
            check(got == list(range(to, count, RECIPIENTS)), "not each once and in order:", got)
        self.all_good()

    def all_good(self):
        totals = self.fedgate.totals()
        bad = {k: v for k, v in totals.items() if v and k.startswith(
            ("bounced", "dropped", "sip_unreachable", "sip_rejected", "sip_bad", "spoofed",
             "sip_answered_error"))}
        check(not bad, "counted:", bad)
        return totals


def outwards(backend, shards=1):
    """Connections to the pool are replaced under traffic, and closed when all on them is over."""
    with Lab(f"sip-worn-{backend}") as lab:
        stage = Stage(lab, backend, shards)
        stage.flood(COUNT)
        stage.expect(COUNT)
        pool = stage.pool
        wait_until("the used-up connections closed", lambda: pool.at_once <= 2 * shards, 30)
        totals = stage.all_good()
        check(totals["tls_worn"] >= 3, "too few were replaced:", totals["tls_worn"])
        check(pool.most_at_once >= 2, "the old connection was gone before the new one")
        check(pool.unanswered == 0, "closed with requests unanswered:", pool.unanswered)
        check(pool.orderly >= 3 and pool.orderly + pool.at_once == pool.connections,
              "not all closed in order:", (pool.orderly, pool.at_once, pool.connections))
        print(f"{backend}: {totals['tls_worn']} used up, {pool.connections} connections")


def no_successor():
    """The pool takes no second connection for a while: the first carries on, then is replaced."""
    with Lab("sip-worn-alone") as lab:
        stage = Stage(lab)
        stage.flood(1)
        stage.expect(1)
        stage.pool.texts.clear()
        stage.pool.takes = False
        stage.flood(COUNT)
        stage.fedgate.wait_stats("all answered over the first",
                                 lambda s: s["totals"]["sip_delivered"] >= COUNT + 1, 120)
        check(stage.pool.connections == 1 and stage.pool.refused >= 1, "where did they go?",
              (stage.pool.connections, stage.pool.refused))
        stage.pool.takes = True
        wait_until("replaced", lambda: stage.pool.connections == 2 and stage.pool.orderly == 1, 30)
        check(not stage.errors, "answered with errors:", stage.errors[:3])
        stage.all_good()


def inwards(backend):
    """Incoming connections are closed in order in a pause of their sender."""
    with Lab(f"sip-worn-in-{backend}") as lab:
        stage = Stage(lab, backend)
        caller = TlsCaller(tls_1_2(trust_everyone(), CIPHERS))
        sent = 0
        for _ in range(3):
            for _ in range(20):
                answer = caller.ask(f"ann@{SCRIPTED}", f"n{sent}")
                check(answer and answer.status == 202, "answered", answer and answer.start)
                sent += 1
            caller.wait_closed()
        wait_until("all at the partner", lambda: len(stage.texts) >= sent, 20)
        check(stage.texts == [f"n{n}" for n in range(sent)], "not each once and in order")
        totals = stage.all_good()
        check(totals["tls_worn"] == 3 == caller.dials, "figures", totals["tls_worn"])


def inwards_without_pause():
    """A sender that makes no pause is closed upon in time, between two of its requests; one that
    crosses it was not taken."""
    with Lab("sip-worn-busy") as lab:
        stage = Stage(lab)
        caller = TlsCaller(tls_1_2(trust_everyone(), CIPHERS))
        taken = []
        number = 0
        deadline = time.monotonic() + 3 * HANG_S  # 32 s are its bound
        while time.monotonic() < deadline:
            answer = caller.ask(f"ann@{SCRIPTED}", f"n{number}")
            if answer is None:
                break
            check(answer.status == 202, "answered", answer.start)
            taken.append(f"n{number}")
            number += 1
        check(answer is None, "never closed")
        answer = caller.ask(f"ann@{SCRIPTED}", "over the next one")
        check(answer and answer.status == 202, "answered", answer and answer.start)
        taken.append("over the next one")
        wait_until("all at the partner", lambda: len(stage.texts) >= len(taken), 20)
        check(stage.texts == taken, "not each once and in order")
        stage.all_good()


def inwards_overlapping():
    """A sender that always has requests under way is refused after a while, so that the connection
    comes to its end; what was refused did not arrive, what was accepted did."""
    with Lab("sip-worn-overlap") as lab:
        stage = Stage(lab)
        caller = TlsCaller(tls_1_2(trust_everyone(), CIPHERS))
        sent = accepted = refused = crossed = 0
        deadline = time.monotonic() + 5 * HANG_S  # 64 s are its bound
        while not refused and time.monotonic() < deadline:
            while sent - accepted - crossed < 8:
                caller.send(f"ann@{SCRIPTED}", f"n{sent}")
                sent += 1
                time.sleep(0.01)  # their answers do not come together
            answer = caller.final()
            if answer is None:  # this machine stood still: a pause, at which it may be closed
                crossed = sent - accepted
                continue
            accepted += answer.status == 202
            refused += answer.status == 503
            check(answer.status == 202 or answer.get("retry-after") == "1", "answered",
                  answer.start)
        check(refused, "never refused")
        while (answer := caller.final()) is not None:
            accepted += answer.status == 202
            refused += answer.status == 503
        check(accepted + refused + crossed == sent, "not each answered:",
              (accepted, refused, crossed, sent))
        wait_until("all at the partner", lambda: len(stage.texts) >= accepted, 20)
        check(len(set(stage.texts)) == len(stage.texts) == accepted, "not each once")


if __name__ == "__main__":
    main(case("outwards_wolfssl", outwards, "wolfssl"),
         case("outwards_mbedtls", outwards, "mbedtls"),
         case("outwards_two_shards", outwards, "wolfssl", 2),
         case("inwards_wolfssl", inwards, "wolfssl"), case("inwards_mbedtls", inwards, "mbedtls"),
         no_successor, inwards_without_pause, inwards_overlapping)
