# SPDX-License-Identifier: GPL-2.0-or-later
"""The ground of the tests of who may do what: fedgate with both kinds of inside (a component and a
pool played by the test) and scripted partners, and a way to know that nothing else came."""
import itertools
import queue
import time
from xml.etree import ElementTree

from . import plan
from .fedgate import Fedgate, corp_dns, partner
from .peer import Peer
from .process import HANG_S, show_time, wait_until
from .sip import Phone, ScriptedPool, answer_to
from .stage import check
from .xmpp import END, Component, local

HOP = {"kind": "sip", "uri": f"sip:{plan.PHONES}:{plan.SIP_TCP};transport=tcp",
       "trusted_addresses": ["127.0.0.0/8"], "options_interval_s": 0}
FEDERATED, VERIFIED, UNVERIFIED = "federated", "public_verified", "public_unverified"
DOMAINS = {FEDERATED: "trusted.test", VERIFIED: "known.test", UNVERIFIED: "open.test"}
OPEN = DOMAINS[UNVERIFIED]
TYPES = {domain: {"type": kind} for kind, domain in DOMAINS.items()}
ADDRESSES = tuple(f"127.77.2.{n}" for n in range(1, 9))


class Pool(ScriptedPool):
    """Knows everybody but those whose name begins with ghost; `slow` seconds until it says so."""

    slow = 0.0

    def _serve(self, wire):
        try:
            while (message := wire.read()) is not None:
                if "sip:ghost" in message.start:
                    time.sleep(self.slow)
                    wire.send(answer_to(message, 404, "Not Found"))
                    continue
                if message.method == "MESSAGE":
                    self.inbox.put(message)
                wire.send(answer_to(message, 200, "OK"))
        except OSError:
            pass


def text(element):
    """The element as text; namespaces have the same prefixes whatever stream it came on."""
    raw = ElementTree.tostring(element, "unicode")
    for namespace in ("jabber:server", "jabber:component:accept"):
        raw = raw.replace(f'xmlns:ns0="{namespace}"', 'xmlns:ns0="content"')
    return raw


class Rules:
    """`partners`: domain -> changes of its row; each has a server that dials and listens."""

    def __init__(self, lab, partners, change=None, shards=1):
        self.lab = lab
        self.number = itertools.count()
        corp_dns(lab)
        for domain, address in zip(partners, ADDRESSES):
            lab.dns.xmpp(domain, address)
        rows = [partner(domain, **changes) for domain, changes in partners.items()]
        self.fedgate = Fedgate(lab, partners=rows, hop=HOP, shards=shards)
        self.fedgate.config["limits"]["drain_timeout_s"] = 3
        if change:
            change(self.fedgate.config)
        self.pool = lab.own(Pool())
        self.fedgate.start()
        self.component = lab.own(Component(plan.APP, "inside"))
        self.peers = {domain: Peer(lab, domain, address).listen()
                      for domain, address in zip(partners, ADDRESSES)}
        self.phones = {}

    @property
    def config(self):
        return self.fedgate.config

    def ident(self):
        return f"r{next(self.number)}"

    # -- from a partner ------------------------------------------------------------------------
    def partner_says(self, domain, to, xml):
        """Sends a stanza to a user of ours, on the stream for his domain."""
        self.peers[domain].reply(to.split("/")[0].split("@")[-1], xml)

    def settle(self, domain, ours=plan.APP):
        """What came inside and what went back to the partner up to now: (inside, back). A ping
        through the same queues ends both."""
        ident = self.ident()
        self.peers[domain].reply(ours, f"<iq type='get' id='{ident}' from='{domain}' to='{ours}'>"
                                       "<ping xmlns='urn:xmpp:ping'/></iq>")
        inside = []
        if ours == plan.APP:
            inside = self._inside_until(ident)
            self.component.send(f"<iq type='result' id='{ident}' from='{ours}' to='{domain}'/>")
        back = []
        while (element := self.peers[domain].inbox.get(timeout=HANG_S)).get("id") != ident:
            back.append(element)
        return inside, back

    def _inside_until(self, ident):
        inside = []
        while True:
            element = self.component.stream.received()
            check(element is not END, "the component's stream ended")
            if element.get("id") == ident:
                return inside
            inside.append(element)

    # -- from the inside -------------------------------------------------------------------------
    def settle_out(self, domain):
        """What the partner got and what came back inside up to now: (partner, inside). The ping
        of our domain itself is answered by the peer."""
        ident = self.ident()
        self.component.send(f"<iq type='get' id='{ident}' from='{plan.APP}' to='{domain}'>"
                            "<ping xmlns='urn:xmpp:ping'/></iq>")
        inside = self._inside_until(ident)
        got = []
        while True:
            try:
                got.append(self.peers[domain].inbox.get_nowait())
            except queue.Empty:
                return got, inside

    def phone(self, user):
        if user not in self.phones:
            self.phones[user] = self.lab.own(Phone(user, plan.FEDGATE))
        return self.phones[user]

    # -- rules -----------------------------------------------------------------------------------
    def reload(self, what):
        """Takes self.config over; returns when it is in force."""
        seen = len(self.loads())
        begin = time.monotonic()
        self.fedgate.reload()
        wait_until(f"reload: {what}", lambda: len(self.loads()) > seen, 10)
        show_time(f"{what}: in force after", time.monotonic() - begin)

    def loads(self):
        return [line for line in self.fedgate.log_text().splitlines() if " config_loaded " in line]

    def refusals(self):
        return [line for line in self.fedgate.log_text().splitlines()
                if " stanza_refused " in line]

    def wait_refusal(self, *tokens):
        """A line of the log that says so; the log is written behind the stanzas."""
        return wait_until(f"stanza_refused with {tokens}", lambda: [
            line for line in self.refusals() if all(token in line for token in tokens)], 5)


def one(elements, name, **attributes):
    """The only element of the list, with that name and these attributes."""
    check(len(elements) == 1, f"expected one {name}, got", [text(e) for e in elements])
    check(local(elements[0]) == name, f"expected {name}, got", text(elements[0]))
    for key, value in attributes.items():
        check(elements[0].get(key) == value, f"{key} is not {value}:", text(elements[0]))
    return elements[0]


def none(elements, what):
    check(not elements, f"{what}:", [text(e) for e in elements])
