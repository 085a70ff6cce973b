#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reloads that ask more of TLS than live SIP connections have: those that fall short end within a
second and come back as they must, the others notice nothing, and every message ends delivered or
answered."""
import os
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.peer import Peer
from lab.process import HANG_S, wait_until
from lab.sip_tls import TlsCaller, TlsPool
from lab.xmpp import local, message, text_of, trust_everyone

SCRIPTED = "scripted.test"
POOL = "pool.corp.test"
ANN = f"ann@{SCRIPTED}"
TLS_1_2 = ssl.TLSVersion.TLSv1_2
TLS_1_3 = ssl.TLSVersion.TLSv1_3
COUNT = 300
RECIPIENTS = 16
GONE_S = 10  # a busy machine; the rule is one second


class Stage:
    """The pool speaks the highest version of `version`; a caller is trusted by its address."""

    def __init__(self, lab, version, shards=1):
        corp_dns(lab)
        lab.dns.xmpp(SCRIPTED, plan.SCRIPTED)
        lab.certs.make(POOL)
        self.pool = lab.own(TlsPool(trust_everyone(lab.certs.crt(POOL), lab.certs.key(POOL),
                                                   True)))
        self.pool.tls.maximum_version = version
        hop = {"kind": "sip", "uri": f"sip:{plan.PHONES}:{plan.SIP_TLS};transport=tls",
               "trusted_names": [POOL], "trusted_addresses": ["127.0.0.0/8"],
               "options_interval_s": 0}
        self.fedgate = Fedgate(lab, partners=[partner(SCRIPTED)], hop=hop, shards=shards)
        self.fedgate.start()
        self.texts = []
        self.returned = []
        self.peer = Peer(lab)
        self.peer.on_stanza = lambda _, e: self.note(e)
        self.stream = self.peer.listen().dial(plan.CORP)

    def note(self, stanza):
        if stanza.get("type") == "error":
            self.returned.append(stanza.get("id"))
        elif local(stanza) == "message":
            self.texts.append(text_of(stanza, "body"))

    def say(self, number):
        to = number % RECIPIENTS
        self.stream.send(message(f"joe{to}@{plan.CORP}", f"{number}", ident=f"{number}",
                                 sender=f"{ANN}/x"))

    def arrives(self, number):
        self.say(number)
        wait_until(f"number {number}", lambda: self.heard().count(str(number)) == 1, 40)

    def heard(self):
        return [text for _, text in self.pool.texts]

    def reload(self):
        generation = self.fedgate.stats()["config_generation"] + 1
        self.fedgate.reload()
        self.fedgate.wait_stats("reload", lambda s: s["config_generation"] == generation)

    def ask_for(self, version):
        self.fedgate.config["tls"]["min_version"] = version
        self.reload()

    def open_count(self):
        return sum(shard["conn_open"] for shard in self.fedgate.stats()["shards"])

    def refused(self):
        return self.fedgate.totals()["sip_tls_refused"]


def outwards(shards):
    """Under traffic, to a pool that could do better: its connections end and new ones carry on.
    Only what was on its way comes back."""
    with Lab(f"sip-version-out-{shards}") as lab:
        stage = Stage(lab, TLS_1_2, shards)
        pool = stage.pool
        for number in range(COUNT):
            stage.say(number)
        wait_until("traffic", lambda: len(pool.texts) > COUNT // 4, 40)
        carried = pool.connections
        check(carried >= 1 and set(pool.versions) == {"TLSv1.2"}, "at first", pool.versions)
        pool.tls.maximum_version = TLS_1_3
        stage.ask_for("1.3")
        wait_until("their end", lambda: pool.orderly == carried, GONE_S)
        check(stage.refused() == carried, "counted", stage.refused(), carried)
        stage.fedgate.process.wait_log("why=tls-version version=TLSv1.2")
        stage.arrives(COUNT)
        check(set(pool.versions[carried:]) == {"TLSv1.3"}, "the version now", pool.versions)
        wait_until("an end of each", lambda: len(set(stage.heard()) | set(stage.returned))
                   == COUNT + 1, 40)
        for what in (stage.heard(), stage.returned):
            check(len(set(what)) == len(what), "twice:", len(what), len(set(what)))
        check(len(stage.returned) <= RECIPIENTS, "what was not on its way came back",
              len(stage.returned))


def no_better():
    """A pool that has nothing higher is not used, messages to it are answered, until it has."""
    with Lab("sip-version-none") as lab:
        stage = Stage(lab, TLS_1_2)
        stage.arrives(0)
        stage.fedgate.wait_stats("its answer", lambda s: s["totals"]["sip_delivered"] == 1)
        stage.ask_for("1.3")
        wait_until("its end", lambda: stage.pool.at_once == 0, GONE_S)
        stage.say(1)
        wait_until("an answer", lambda: stage.returned == ["1"], HANG_S)
        hop = stage.fedgate.ctl("status", "--json")["sip"][0]
        check(hop["state"] != "up" and hop["last_failure"].startswith("tls"), "status", hop)
        stage.pool.tls.maximum_version = TLS_1_3
        wait_until("the next", lambda: stage.fedgate.log_text().count("sip_peer_up") == 2, 40)
        stage.arrives(2)
        check(stage.pool.versions == ["TLSv1.2", "TLSv1.3"] and "1" not in stage.heard(),
              stage.pool.versions, stage.heard())


def inwards():
    """A caller with 1.2 is closed upon in order and let in with 1.3 only, also when its handshake
    began before the reload; one with 1.3 stays."""
    with Lab("sip-version-in") as lab:
        stage = Stage(lab, TLS_1_3)
        old, new = (TlsCaller(trust_everyone()) for _ in range(2))
        old.tls.maximum_version = TLS_1_2
        for number, caller in enumerate((old, new)):
            answer = caller.ask(ANN, f"{number}")
            check(answer.status == 202, "at first", answer.start)
        check(new.wire.socket.version() == "TLSv1.3", new.wire.socket.version())
        before = stage.open_count()
        half = socket.create_connection((plan.FEDGATE, plan.SIP_TLS), HANG_S, (plan.PHONES, 0))
        wait_until("accepted", lambda: stage.open_count() == before + 1, HANG_S)
        stage.ask_for("1.3")
        old.wire.socket.settimeout(GONE_S)
        old.wait_closed()
        try:
            half = old.tls.wrap_socket(half, suppress_ragged_eofs=False)
            half.settimeout(GONE_S)
            got = half.recv(1)
        except OSError:
            got = b""
        check(got == b"", "a handshake that was under way", got)
        check(stage.refused() == 2, "counted", stage.refused())
        try:
            old.dial()
            check(False, "1.2 was agreed")
        except ssl.SSLError as error:
            check("PROTOCOL_VERSION" in str(error).upper(), "another alert:", error)
        answer = new.ask(ANN, "2")
        check(answer and answer.status == 202 and new.dials == 1, "1.3 did not stay", new.dials)
        old.tls.maximum_version = TLS_1_3
        answer = old.ask(ANN, "3")
        check(answer and answer.status == 202, "with 1.3", answer and answer.start)
        wait_until("all", lambda: sorted(stage.texts) == ["0", "1", "2", "3"], HANG_S)


def stays():
    """What is good enough is not touched, lowered or raised."""
    with Lab("sip-version-kept") as lab:
        stage = Stage(lab, TLS_1_3)
        for number, version in enumerate(("1.2", "1.3", "1.2", "1.3")):
            stage.arrives(number)
            stage.ask_for(version)
        stage.arrives(10)
        check(stage.pool.connections == 1 and stage.refused() == 0, stage.pool.versions)


def names():
    """Another pinned name: the connection to who has the old one ends, and comes back with it."""
    with Lab("sip-names") as lab:
        stage = Stage(lab, TLS_1_3)
        hop = stage.fedgate.config["next_hops"]["pool"]
        stage.arrives(0)
        hop["trusted_names"] = ["else.corp.test"]
        stage.reload()
        wait_until("its end", lambda: stage.pool.at_once == 0, GONE_S)
        stage.fedgate.process.wait_log("why=wrong-certificate")
        hop["trusted_names"] = [POOL]
        stage.reload()
        stage.arrives(1)


if __name__ == "__main__":
    main(case("outwards", outwards, 1), case("outwards_two_shards", outwards, 2), no_better,
         inwards, stays, names)
