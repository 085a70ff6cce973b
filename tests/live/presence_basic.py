#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Presence between a scripted partner and a scripted pool: who may watch whom, what they see, and
that a restart forgets nothing."""
import os
import queue
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, LabError, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.peer import Peer
from lab.presence import Seen, Watch
from lab.presence_pool import PresencePool
from lab.process import wait_until
from lab.sip import Phone
from lab.xmpp import local

DOMAIN = "scripted.test"
HOP = {"kind": "sip", "uri": f"sip:{plan.PHONES}:{plan.SIP_TCP};transport=tcp",
       "trusted_addresses": [plan.PHONES], "options_interval_s": 0}


class Ground:
    """The gateway between a partner and a pool that the test plays."""

    def __init__(self, lab, shards=1, **row):
        corp_dns(lab)
        lab.dns.xmpp(DOMAIN, plan.SCRIPTED)
        self.lab = lab
        self.pool = lab.own(PresencePool())
        self.fedgate = Fedgate(lab, partners=[partner(DOMAIN, **row)], hop=HOP, shards=shards)
        self.fedgate.start()
        self.peer = Peer(lab).listen()

    def says(self, kind, sender, to, inner=""):
        """Presence of the partner's user; kind None: available."""
        kind = f" type='{kind}'" if kind else ""
        self.peer.reply(plan.CORP, f"<presence{kind} from='{sender}@{DOMAIN}' "
                                   f"to='{to}@{plan.CORP}'>{inner}</presence>")

    def hears(self, *kinds, timeout=30):
        """The next presence stanza of one of these types at the partner; others are passed over."""
        while True:
            try:
                element = self.peer.inbox.get(timeout=timeout)
            except queue.Empty:
                raise LabError(f"no presence of type {kinds}") from None
            kind = element.get("type") or "available"
            if local(element) == "presence" and kind in kinds:
                return element

    def notified(self, state, timeout=30):
        """The next NOTIFY in this state at the pool."""
        while True:
            seen = Seen(self.pool.next_notify(timeout))
            if seen.state == state:
                return seen

    def watched(self, watcher, whom, show="available", note=None):
        """The partner's user watches ours: until it sees him."""
        self.says("subscribe", watcher, whom)
        dialog = self.pool.subscription()
        check(dialog.whom == f"{whom}@{plan.CORP}" and dialog.watcher == f"{watcher}@{DOMAIN}",
              "wrong pair", (dialog.whom, dialog.watcher))
        answer = dialog.notify("active", show, note)
        check(answer.status == 200, "NOTIFY answered", answer.start)
        check(self.hears("subscribed").get("from") == f"{whom}@{plan.CORP}", "wrong subscribed")
        self.hears("available")
        return dialog

    def watches(self, phone, whom, note=None):
        """Our user watches the partner's: until it sees him."""
        watch = Watch(phone, f"{whom}@{DOMAIN}")
        check(watch.answer.status == 200, "SUBSCRIBE answered", watch.answer.start)
        check(self.notified("pending").tuples == [], "a document while pending")
        asked = self.hears("subscribe")
        check(asked.get("from") == f"{phone.user}@{plan.CORP}", "wrong asker", asked.attrib)
        self.says("subscribed", whom, phone.user)
        self.says(None, f"{whom}", phone.user, f"<status>{note}</status>" if note else "")
        while True:
            seen = self.notified("active")
            if seen.show == "available":
                return watch

    def counts(self):
        contacts = self.fedgate.stats()["presence"]["contacts"]
        return contacts["in"]["granted"], contacts["out"]["granted"]


def partner_watches(shards):
    """subscribe -> SUBSCRIBE -> NOTIFY active -> subscribed and presence; changes; the end."""
    with Lab(f"presence-in-{shards}") as lab:
        ground = Ground(lab, shards)
        dialog = ground.watched("bob", "ann", "away", "lunch")
        dialog.notify("active", "dnd")
        got = ground.hears("available")
        check("dnd" in [child.text for child in got], "show", [c.text for c in got])
        dialog.notify("active", "unavailable")
        ground.hears("unavailable")
        ground.fedgate.wait_stats("the grant", lambda s: ground.counts() == (1, 0))
        ground.says("unsubscribe", "bob", "ann")
        ended = ground.pool.next_subscribe()
        check(ended.get("expires") == "0" and ended.get("call-id") == dialog.call_id,
              "not the end of the dialog", ended.headers)
        dialog.notify("terminated;reason=timeout", None)
        ground.hears("unsubscribed")


def ours_watches(shards):
    """SUBSCRIBE -> NOTIFY pending -> subscribed and presence -> NOTIFY active; the end."""
    with Lab(f"presence-out-{shards}") as lab:
        ground = Ground(lab, shards)
        ann = lab.own(Phone("ann", plan.FEDGATE))
        watch = ground.watches(ann, "bob")
        ground.says("unavailable", "bob", "ann")
        check(ground.notified("active").show == "unavailable", "not offline")
        watch.end()
        check(watch.answer.status == 200, "unsubscribe answered", watch.answer.start)
        check(ground.notified("terminated").reason == "timeout", "reason")
        ground.fedgate.wait_stats("the grant stays", lambda s: ground.counts() == (0, 1))


def restart(shards):
    """Both directions are there again: dialogs are refreshed and go on, nobody is asked again."""
    with Lab(f"presence-restart-{shards}") as lab:
        ground = Ground(lab, shards)
        ann = lab.own(Phone("ann", plan.FEDGATE))
        dialog = ground.watched("bob", "ann")
        ground.watches(ann, "carol")
        ground.fedgate.wait_stats("both grants", lambda s: ground.counts() == (1, 1))
        ground.fedgate.stop()
        ground.peer.replies.clear()
        ground.fedgate.start()
        check(ground.counts() == (1, 1), "after the restart", ground.counts())
        refresh = ground.pool.next_subscribe()
        check(refresh.get("call-id") == dialog.call_id, "another dialog", refresh.headers)
        ground.hears("probe")
        dialog.notify("active", "away", "back")
        ground.hears("available")
        ground.says(None, "carol", "ann", "<show>dnd</show>")
        while ground.notified("active").show != "dnd":
            pass
        check(ground.counts() == (1, 1), "at the end", ground.counts())


def strangers():
    """From the wrong domain, for no dialog, for users who may not: nothing is granted."""
    with Lab("presence-strangers") as lab:
        ground = Ground(lab, type="public_unverified")
        ground.says("subscribe", "eve", "ann")
        ground.hears("unsubscribed")
        check(ground.pool.subscribes.empty(), "the pool was asked")
        mallory = lab.own(Phone("mallory", plan.FEDGATE, domain="elsewhere.test"))
        check(Watch(mallory, f"bob@{DOMAIN}").answer.status == 403, "a foreign domain")
        ann = lab.own(Phone("ann", plan.FEDGATE))
        check(Watch(ann, "bob@nobody.test").answer.status == 403, "no partner")
        stray = ann.request("NOTIFY", f"sip:{plan.FEDGATE}", f"sip:bob@{DOMAIN}",
                            [("Event", "presence"), ("Subscription-State", "active;expires=60"),
                             ("Contact", f"<sip:ann@{ann.here}>")], to_tag="nothing")
        check(ann.final(stray).status == 481, "a stray NOTIFY")
        # Ours adds him: now he may.
        check(Watch(ann, f"eve@{DOMAIN}").answer.status == 200, "ours adds")
        ground.hears("subscribe")
        ground.watched("eve", "ann")


def options():
    """What is served is said."""
    with Lab("presence-options") as lab:
        Ground(lab)
        ann = lab.own(Phone("ann", plan.FEDGATE))
        done = ann.final(ann.request("OPTIONS", f"sip:{plan.FEDGATE}", f"sip:{plan.FEDGATE}"))
        for name, wanted in (("allow", "SUBSCRIBE"), ("allow", "NOTIFY"),
                             ("allow-events", "presence"), ("accept", "application/pidf+xml")):
            check(wanted in (done.get(name) or ""), f"{name}: no {wanted}", done.get(name))


def administrator():
    """contacts, contact allow, block, forget over the admin socket."""
    with Lab("presence-admin") as lab:
        ground = Ground(lab)
        dialog = ground.watched("bob", "ann")
        ask = lambda **request: lab_ask(ground.fedgate, request)
        page = ask(command="contacts", limit="1")
        check(len(page["contacts"]) == 1, "contacts", page)
        row = page["contacts"][0]
        check((row["local"], row["remote"], row["direction"], row["state"], row["machine"]) ==
              (f"ann@{plan.CORP}", f"bob@{DOMAIN}", "in", "granted", "active"), "row", row)
        pair = {"local": f"ann@{plan.CORP}", "remote": f"bob@{DOMAIN}"}
        done = ask(command="contact", act="block", direction="in", **pair)
        check(done["ok"] and done["done"] == ["in"] and done["contacts"][0]["state"] == "blocked",
              "block", done)
        ended = ground.pool.next_subscribe()
        check(ended.get("expires") == "0" and ended.get("call-id") == dialog.call_id, "no end",
              ended.headers)
        done = ask(command="contact", act="forget", **pair)
        check(done["ok"] and all(c["state"] == "none" for c in done["contacts"]), "forget", done)
        dialog.notify("terminated;reason=timeout", None)
        wait_until("it is gone",
                   lambda: ask(command="contact", act="show", **pair)["contacts"] == [], 60)
        check(not ask(command="contact", act="forget", **pair)["ok"], "forgotten twice")
        check(not ask(command="contact", act="allow", local="x@nowhere.test",
                      remote=f"bob@{DOMAIN}")["ok"], "not ours")


def lab_ask(fedgate, request):
    """One question on the admin socket."""
    import json
    import socket
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(fedgate.admin_path)
        s.sendall(json.dumps(request).encode() + b"\n")
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    return json.loads(data)


CASES = [case(f"partner_watches_{n}", partner_watches, n) for n in (1, 2)]
CASES += [case(f"ours_watches_{n}", ours_watches, n) for n in (1, 2)]
CASES += [case(f"restart_{n}", restart, n) for n in (1, 2)]
CASES += [strangers, options, administrator]

if __name__ == "__main__":
    main(*CASES)
