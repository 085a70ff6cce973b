#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Presence and contacts between real parts: Kamailio as the presence server of corp.test with
phones, Prosody or ejabberd as the partner with slixmpp. Contacts are added from either side, states
and notes seen, contacts removed and blocked; each of the parts is restarted, after which all is
right again without anybody's help."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.baresip import Baresip
from lab.ejabberd import Ejabberd
from lab.fedgate import Fedgate, corp_dns, partner, sip_hop
from lab.kamailio import Kamailio
from lab.presence import phone
from lab.process import wait_until
from lab.prosody import Prosody
from lab.slix import Slix

BOB = "bob@corp.test"
# What a phone publishes and what XMPP shows of it; and the other way round.
TO_XMPP = (("available", "at my desk"), ("away", "lunch"), ("dnd", "board meeting"),
           ("available", ""), ("unavailable", None))
TO_SIP = (("away", "tea"), ("dnd", "no calls"), ("xa", "holidays"), ("unavailable", None))


class Ground:
    """All four parts, bob's phone and ann's client."""

    def __init__(self, lab, kind, *, tls=True, presence=None, shards=1, **row):
        self.lab = lab
        corp_dns(lab)
        if kind == "prosody":
            self.domain, self.address = plan.FABRIKAM, plan.PROSODY
            self.server = Prosody(lab)
        else:
            self.domain, self.address = plan.CONTOSO, plan.EJABBERD
            self.server = Ejabberd(lab)
        lab.dns.xmpp(self.domain, self.address)
        self.kamailio = Kamailio(lab, tls=tls, presence=presence or {})
        self.fedgate = Fedgate(lab, partners=[partner(self.domain, **row)], hop=sip_hop(tls),
                               shards=shards)
        self.kind = kind
        self.ann_jid = f"ann@{self.domain}"
        self.ann = self.bob = None

    def start(self):
        self.server.start()
        self.kamailio.start()
        self.fedgate.start()
        if self.kind == "ejabberd":
            self.server.user("ann").stop()
        self.log_in()
        self.take_phone()
        return self

    def log_in(self):
        self.ann = self.lab.own(Slix(self.ann_jid, self.address, approves=True))

    def take_phone(self):
        self.bob = self.lab.own(phone("bob"))

    def befriend(self):
        """Each watches the other; bob publishes, ann is online."""
        self.bob.publish("available", "here")
        self.ann.add(BOB)
        self.ann.waits_for_subscription(BOB, "to")
        self.ann.sees(BOB, "available", "here")
        watch = self.bob.watch(self.ann_jid)
        check(watch.answer.status == 200, "bob's SUBSCRIBE", watch.answer.start)
        self.bob.sees("available")
        self.ann.waits_for_subscription(BOB, "both")
        return watch

    def both_ways(self, word):
        """A new state at either side arrives at the other, with its note."""
        self.bob.publish("dnd", f"bob {word}")
        self.ann.sees(BOB, "dnd", f"bob {word}")
        self.ann.show("away", f"ann {word}")
        self.bob.sees("away", f"ann {word}")
        self.bob.publish("available", f"bob back {word}")
        self.ann.sees(BOB, "available", f"bob back {word}")
        self.ann.show("available", f"ann back {word}")
        self.bob.sees("available", f"ann back {word}")

    def contact(self, direction):
        found = self.fedgate.ctl("contact", "show", "--direction", direction, BOB, self.ann_jid,
                                 "--json")["contacts"]
        return found[0] if found else None

    def state(self, direction):
        contact = self.contact(direction)
        return contact and contact["state"]


def contacts(kind, **options):
    """Added from either side, every state and note both ways, removed again."""
    with Lab(f"presence-{kind}") as lab:
        ground = Ground(lab, kind, **options).start()
        ann, bob = ground.ann, ground.bob

        bob.publish("available", "first")
        ann.add(BOB)
        ann.waits_for_subscription(BOB, "to")
        ann.sees(BOB, "available", "first")
        check(ground.state("in") == "granted", "no grant", ground.contact("in"))
        for show, note in TO_XMPP:
            bob.publish(show, note or None)
            ann.sees(BOB, show, note)

        watch = bob.watch(ground.ann_jid)
        check(watch.answer.status == 200, "SUBSCRIBE", watch.answer.start)
        first = bob.next_notify()
        check(first.state in ("pending", "active"), "the first NOTIFY", first)
        bob.sees("available")
        ann.waits_for_subscription(BOB, "both")
        check(ground.state("out") == "granted", "no grant", ground.contact("out"))
        for show, note in TO_SIP:
            ann.show(show, note or "")
            bob.sees(show, note)
        ann.show("available", "")
        bob.sees("available", False)

        check(watch.refresh().status == 200, "refresh", watch.answer.start)
        bob.sees("available")
        check(watch.end().status == 200, "end", watch.answer.start)
        bob.sees(None, state="terminated")

        ann.remove(BOB)
        ann.waits_for_subscription(BOB, "none")
        wait_until("no grant is left", lambda: ground.state("in") in (None, "none"))
        told = ann.count(BOB, "available")
        bob.publish("dnd", "nobody's business")
        bob.publish("available", "nobody's business")
        ann.add(BOB)  # everything before this has had its time when this is answered
        ann.sees(BOB, "available", "nobody's business")
        check(ann.count(BOB, "available") == told + 1, "seen without a contact",
              ann.presences[-5:])


def baresip():
    """A real phone: what it publishes and shows. It knows open, closed and busy; away is offline
    to it."""
    with Lab("presence-baresip") as lab:
        ground = Ground(lab, "prosody")
        ground.server.start()
        ground.kamailio.start()
        ground.fedgate.start()
        ground.log_in()
        bob = Baresip(lab, "bob", ground.ann_jid, presence=True).start()
        bob.shows_status("Online")
        ground.ann.show("dnd", "in a call")
        bob.shows_status("Busy")
        ground.ann.add(BOB)
        ground.ann.waits_for_subscription(BOB, "both")
        ground.ann.sees(BOB, "available")
        bob.command("presence_offline")
        ground.ann.sees(BOB, "unavailable")
        ground.ann.show("available")
        bob.shows_status("Online")
        bob.command("presence_online")
        ground.ann.sees(BOB, "available")


def blocked():
    """fedgatectl contact block: the watcher sees nobody any more and cannot come back; allow ends
    it. forget: as if it had never been."""
    with Lab("presence-blocked") as lab:
        ground = Ground(lab, "prosody").start()
        ann, bob = ground.ann, ground.bob
        ground.befriend()
        ground.fedgate.ctl("contact", "block", BOB, ground.ann_jid)
        ann.waits_for_subscription(BOB, "from")
        ann.sees(BOB, "unavailable")
        check(ground.state("in") == "blocked", "state", ground.contact("in"))
        refused = ann.count(BOB, "unsubscribed")
        ann.add(BOB)
        wait_until("refused", lambda: ann.count(BOB, "unsubscribed") > refused)
        bob.publish("dnd", "not for ann")
        ann.show("away", "for bob")
        bob.sees("away", "for bob")  # the other direction lives on
        ann.sees(BOB, "unavailable")
        ground.fedgate.ctl("contact", "allow", BOB, ground.ann_jid)
        ann.add(BOB)
        ann.waits_for_subscription(BOB, "both")
        ann.sees(BOB, "dnd", "not for ann")
        said = ground.fedgate.ctl("contact", "forget", BOB, ground.ann_jid)
        check(f"{BOB} and {ground.ann_jid}: forgotten\n" in said, "what forget says", said)
        ann.sees(BOB, "unavailable")
        wait_until("forgotten", lambda: ground.state("in") is None and ground.state("out") is None)


def restart(kind, part):
    """One part ends, by SIGTERM or SIGKILL, and starts again."""
    with Lab(f"presence-{part}") as lab:
        # What a presence server writes down it still knows; one that forgets is the next test.
        ground = Ground(lab, kind).start()
        ground.befriend()
        ground.both_ways("before")
        if part == "fedgate":
            ground.fedgate.stop()
            ground.fedgate.start()
        elif part == "fedgate_killed":
            ground.fedgate.kill()
            ground.fedgate.start()
        elif part == "kamailio":
            ground.kamailio.stop()
            ground.ann.sees(BOB, "available")  # silence of the pool is no absence
            ground.kamailio.start()
            # Its phones register, publish and watch again, as phones do; fedgate subscribes again.
            ground.bob.stop()
            ground.take_phone()
            ground.bob.publish("away", "pool is back")
            ground.ann.sees(BOB, "away", "pool is back")
            check(ground.bob.watch(ground.ann_jid).answer.status == 200, "SUBSCRIBE")
            ground.bob.sees("available")
        elif part == "server":
            ground.server.kill()
            ground.server.start()
            ground.ann.stop()
            ground.log_in()
            ground.ann.show("dnd", "server is back")
            ground.bob.sees("dnd", "server is back")
            ground.ann.sees(BOB, "available")  # its login asks
        elif part == "client":
            ground.ann.stop()
            ground.bob.sees("unavailable")
            ground.log_in()
            ground.ann.sees(BOB, "available")
            ground.bob.sees("available")
        ground.both_ways("after")
        check(ground.state("in") == "granted" and ground.state("out") == "granted",
              "authorisations", ground.contact("in"), ground.contact("out"))
        check(ground.ann.subscription(BOB) == "both", "roster", ground.ann.subscription(BOB))


if __name__ == "__main__":
    main(case("prosody", contacts, "prosody"), case("ejabberd", contacts, "ejabberd"),
         case("prosody_tcp_two_shards", contacts, "prosody", tls=False, shards=2),
         baresip, blocked,
         *(case(f"restart_{part}", restart, "prosody", part)
           for part in ("fedgate", "fedgate_killed", "kamailio", "server", "client")),
         *(case(f"restart_{part}_ejabberd", restart, "ejabberd", part)
           for part in ("fedgate", "server")))
