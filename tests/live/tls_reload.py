#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reloads under traffic: certificates, keys, trust and lists change while numbered messages run
both ways over live streams on two shards. Nothing is lost, doubled or overtaken; new handshakes use
what is new; who is no longer trusted is out, and every message ends delivered or answered."""
import os
import shutil
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.hostile import JOE, Raw, tls_context
from lab.peer import Peer
from lab.process import HANG_S, wait_until
from lab.stage import LabError
from lab.xmpp import END, Component, local, message, text_of

PARTNERS = {"one.test": "127.77.0.21", "two.test": "127.77.0.22", "three.test": "127.77.0.23",
            "four.test": "127.77.0.24"}
# They open streams all the time; their homes are different shards, so that some streams move.
COMING = ("coming.test", "going.test")
RENEWALS = (("ec", "ca"), ("rsa", "ca"), ("ec384", "inter"), ("ec", "inter"), ("rsa", "ca"),
            ("ec", "ca"))
PAUSE_S = 0.004


class Traffic:
    """Numbered messages between JOE and one user of each partner, both ways, until stopped."""

    def __init__(self, component, peers):
        self.component = component
        self.peers = peers
        self.begin()
        threading.Thread(target=self.hear, daemon=True).start()

    def begin(self):
        """From zero, on new streams inwards."""
        self.streams = {name: peer.dial(plan.APP, run=False) for name, peer in self.peers.items()}
        self.sent = {}
        self.heard = {}  # by "one.test>" (inwards) and ">one.test" (outwards): numbers in order
        self.returned = {}  # errors, by where they come from
        self.trouble = []
        self.is_over = threading.Event()
        self.threads = []
        for name, peer in self.peers.items():
            self.sent[name + ">"] = self.sent[">" + name] = 0
            self.heard[name + ">"], self.heard[">" + name] = [], []
            self.returned[name + ">"], self.returned[">" + name] = [], []
            peer.on_stanza = lambda stream, e, name=name: self.note(">" + name, e)
        for name in self.peers:
            self.run(self.send_in, name)
        self.run(self.send_out)

    def run(self, function, *arguments):
        self.threads.append(threading.Thread(target=function, args=arguments, daemon=True))
        self.threads[-1].start()

    def note(self, way, element):
        if local(element) == "message" and element.get("type") == "error":
            self.returned[way].append(int(element.get("id")))
            return
        if local(element) != "message":
            self.trouble.append(f"{way}: {element.tag} {element.attrib}")
            return
        self.heard.setdefault(way, []).append(int(text_of(element, "body")))

    def send_in(self, name):
        while not self.is_over.is_set():
            number = self.sent[name + ">"]
            try:
                self.streams[name].send(message(JOE, str(number), sender=f"x@{name}"))
            except OSError as error:
                self.trouble.append(f"{name}: {error}")
                return
            self.sent[name + ">"] += 1
            time.sleep(PAUSE_S)

    def send_out(self):
        while not self.is_over.is_set():
            for name in self.peers:
                number = str(self.sent[">" + name])
                self.component.say(JOE, f"x@{name}", number, ident=number)
                self.sent[">" + name] += 1
            time.sleep(PAUSE_S)

    def hear(self):
        while (element := self.component.stream.queue.get()) is not END:
            self.note(str(element.get("from")).split("@")[-1] + ">", element)

    def least(self):
        return min(len(self.heard[way]) for way in self.sent)

    def stop(self):
        """Ends it. Every number arrived once, in order."""
        self.is_over.set()
        for thread in self.threads:
            thread.join(HANG_S)
        try:
            wait_until("the last messages", lambda: all(
                len(self.heard[way]) >= count for way, count in self.sent.items()), 20)
        except TimeoutError:
            check(False, "missing:", {way: (count, len(self.heard[way]))
                                      for way, count in self.sent.items()}, self.trouble[:3])
        check(not self.trouble, "trouble:", self.trouble[:5])
        check(not any(self.returned.values()), "errors came back:", self.returned)
        for way, count in self.sent.items():
            check(self.heard[way] == list(range(count)), "lost, doubled or overtaken:", way)
        return sum(self.sent.values())


class Coming:
    """A partner that opens a stream, sends a few numbers, closes, and begins again: its streams are
    accepted on any shard and move home, before, while and after a reload."""

    def __init__(self, lab, name, traffic):
        self.name = name
        self.peer = Peer(lab, name, plan.SCRIPTED)
        self.traffic = traffic
        self.count = 0
        self.stream_count = 0
        self.trouble = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def heard(self):
        return self.traffic.heard.get(self.name + ">", [])

    def run(self):
        try:
            while not self.is_over.is_set():
                stream = self.peer.dial(plan.APP, run=False)
                for number in range(self.count, self.count + 3):
                    stream.send(message(JOE, str(number), sender=f"x@{self.name}"))
                self.count += 3
                wait_until("what was sent", lambda: len(self.heard()) >= self.count, 15)
                stream.close()
                self.stream_count += 1
        except (LabError, OSError, TimeoutError) as error:
            self.trouble.append(str(error))

    def stop(self):
        self.is_over.set()
        self.thread.join(2 * HANG_S)
        check(not self.trouble, "coming and going:", self.trouble, self.stream_count)
        check(self.heard() == list(range(self.count)), "coming and going: lost or doubled")


def shown(port):
    """The certificate that a new handshake is shown."""
    raw = Raw(port, source=plan.SCRIPTED)
    if port == plan.XMPP_SERVER:
        raw.starttls(tls_context(), sender="one.test")
    else:
        raw.tls(tls_context())
    got = raw.socket.getpeercert(True)
    raw.close()
    return got


def der(path):
    with open(path, encoding="ascii") as pem:
        text = pem.read()
    return ssl.PEM_cert_to_DER_cert(text[:text.index("-----END CERTIFICATE-----") + 25] + "\n")


def put(source, target):
    """As a renewing program does: whole files only."""
    shutil.copy(source, target + ".part")
    os.rename(target + ".part", target)


class Stage:
    def __init__(self, lab, backend):
        self.lab = lab
        corp_dns(lab)
        for name, address in PARTNERS.items():
            lab.dns.xmpp(name, address)
        self.fedgate = Fedgate(lab, shards=2, backend=backend,
                               partners=[partner(name) for name in (*PARTNERS, *COMING)])
        folder = lab.folder("installed")
        self.crt, self.key, self.trust, self.crl = (
            os.path.join(folder, name) for name in ("edge.pem", "edge.key", "trust.pem", "crl.pem"))
        self.install("edge", lab.certs.trust)
        put(lab.certs.crl("empty"), self.crl)
        self.fedgate.config["tls"].update(certificate=self.crt, key=self.key, trust=self.trust,
                                          crl=self.crl)
        self.fedgate.start()
        self.component = lab.own(Component(plan.APP, "inside"))
        self.peers = {name: Peer(lab, name, address).listen()
                      for name, address in PARTNERS.items()}
        self.generation = 1

    def install(self, name, trust=None):
        put(self.lab.certs.crt(name), self.crt)
        put(self.lab.certs.key(name), self.key)
        if trust:
            put(trust, self.trust)

    def reload(self):
        self.fedgate.reload()
        self.generation += 1
        self.fedgate.wait_stats("reload", lambda s: s["config_generation"] == self.generation)


def renewals(backend):
    """The node's certificate and key are renewed again and again, of other kinds and authorities,
    trust and lists are written anew: live streams carry on as if nothing was."""
    with Lab("renewals") as lab:
        stage = Stage(lab, backend)
        traffic = Traffic(stage.component, stage.peers)
        wait_until("traffic on every stream", lambda: traffic.least() > 50, 20)
        before = stage.fedgate.totals()
        moved = sum(shard["conn_moved_in"] for shard in stage.fedgate.stats()["shards"])
        coming = [Coming(lab, name, traffic) for name in COMING]
        for number, (key, issuer) in enumerate(RENEWALS):
            name = lab.certs.make(plan.CORP, plan.APP, name=f"edge-{number}", key=key, ca=issuer)
            lab.certs.make("nobody.test", name=f"lost-{number}")
            put(lab.certs.crl(f"list-{number}", revoke=[f"lost-{number}"], number=number + 2),
                stage.crl)
            stage.install(name, lab.certs.trust)
            carried = traffic.least()
            stage.reload()
            for port in (plan.XMPPS_SERVER, plan.XMPP_SERVER):
                check(shown(port) == der(lab.certs.crt(name)), "the old certificate is shown", port)
            wait_until("more on every stream", lambda: traffic.least() > carried + 50, 20)
        for one in coming:
            one.stop()
        carried = traffic.stop()
        moved = sum(shard["conn_moved_in"] for shard in stage.fedgate.stats()["shards"]) - moved
        check(moved > 10, "next to nothing moved between the shards:", moved)
        after = stage.fedgate.totals()
        for counter in ("streams_lost", "streams_out_failed", "certificates_withdrawn", "spoofed"):
            check(after[counter] == before[counter], counter, after[counter])
        for name, peer in stage.peers.items():
            check(len(peer.accepted) == 1 and not peer.accepted[0].ended, "a new stream to", name)
        print(f"     {carried} messages, {2 * len(PARTNERS)} streams, {len(RENEWALS)} renewals; "
              f"{sum(one.stream_count for one in coming)} streams came, {moved} moved")


def distrust_and_back(backend):
    """The authority of all partners is taken from the trust file under traffic and put back: their
    streams end, their next connections fail with unknown-ca, and every message from inside is
    delivered or answered; afterwards all is as before."""
    with Lab("distrust") as lab:
        stage = Stage(lab, backend)
        stage.fedgate.config["limits"]["queue_age_s_max"] = 5
        stage.reload()
        traffic = Traffic(stage.component, stage.peers)
        wait_until("traffic on every stream", lambda: traffic.least() > 50, 20)
        put(lab.certs.crt("other"), stage.trust)
        stage.reload()
        wait_until("our streams to end",
                   lambda: all(peer.accepted[0].ended for peer in stage.peers.values()), 20)
        wait_until("unknown-ca", lambda: "chain=unknown-ca" in stage.fedgate.log_text(), 20)
        totals = stage.fedgate.totals()
        check(totals["certificates_withdrawn"] >= 2 * len(PARTNERS), "withdrawn", totals)
        time.sleep(0.5)
        put(lab.certs.trust, stage.trust)
        stage.reload()
        traffic.is_over.set()
        for thread in traffic.threads:
            thread.join(HANG_S)

        def ended(name):
            return set(traffic.heard[">" + name]) | set(traffic.returned[name + ">"])
        wait_until("an end of every message",
                   lambda: all(len(ended(name)) >= traffic.sent[">" + name] for name in PARTNERS),
                   40)
        for name in PARTNERS:
            for numbers in (traffic.heard[">" + name], traffic.returned[name + ">"]):
                check(len(set(numbers)) == len(numbers), "twice, at", name)
            check(traffic.returned[name + ">"], "the distrust was not felt at", name)
        # New streams, both ways.
        traffic.begin()
        wait_until("traffic on every stream", lambda: traffic.least() > 20, 40)
        check(traffic.stop() > 0, "nothing")


main(case("renewals", renewals, "wolfssl"), case("renewals_mbedtls", renewals, "mbedtls"),
     case("distrust_and_back", distrust_and_back, "wolfssl"))
