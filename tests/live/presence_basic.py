#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Presence between a scripted partner and a scripted pool: who may watch whom, what they see, and
that a restart forgets nothing."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.presence import Watch
from lab.presence_pool import Ground, ask
from lab.process import wait_until
from lab.sip import Phone

DOMAIN = "scripted.test"


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


DRAFT = (  # MS-PRES 2.2.1: activities in the status, in words
    '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:ann@{corp}" '
    'xmlns:ep="urn:ietf:params:xml:ns:pidf:status:rpid-status"><tuple id="0"><status>'
    '<basic>open</basic><ep:activities><ep:activity>{word}</ep:activity></ep:activities></status>'
    '</tuple></presence>')


def lync_watched():
    """Profile lync, inwards: the 2xx grants, eight hours are asked for, silence is no denial, and
    activities are read where the draft has them."""
    with Lab("presence-lync-in") as lab:
        ground = Ground(lab, hop={"profile": "lync"})
        ground.says("subscribe", "bob", "ann")
        asked = ground.pool.next_subscribe()
        check(asked.get("expires") == "28800", "how long", asked.get("expires"))
        ground.hears("subscribed")  # and no NOTIFY came
        ground.hears("unavailable", timeout=60)
        ground.fedgate.wait_stats("the grant", lambda s: ground.counts() == (1, 0))
        dialog = ground.pool.dialogs[asked.get("call-id")]
        for word, show in (("busy", "dnd"), ("away", "away")):
            answer = dialog.notify(body=DRAFT.format(corp=plan.CORP, word=word).encode())
            check(answer.status == 200, "NOTIFY", answer.start)
            got = ground.hears("available")
            check(show in [child.text for child in got], word, [child.text for child in got])


def lync_watches():
    """Profile lync, outwards: the best resource in one tuple, the draft's activities beside
    today's, and no more than eight hours are granted."""
    with Lab("presence-lync-out") as lab:
        ground = Ground(lab, hop={"profile": "lync"})
        ann = lab.own(Phone("ann", plan.FEDGATE))
        watch = Watch(ann, f"bob@{DOMAIN}", expires=86400)
        check(watch.answer.status == 200 and watch.answer.get("expires") == "28800", "how long",
              watch.answer.get("expires"))
        ground.hears("subscribe")
        ground.says("subscribed", "bob", "ann")
        ground.says(None, "bob", "ann", "<show>away</show>")
        for resource, priority, show in (("phone", 1, "away"), ("desk", 5, "dnd")):
            ground.says(None, f"bob@{DOMAIN}/{resource}", "ann",
                        f"<show>{show}</show><priority>{priority}</priority>")
        while (seen := ground.notified("active", 60)).show != "dnd":
            pass
        check(seen.tuples == [("open", "dnd")], "not one tuple", seen.tuples)
        check(">busy</" in seen.message.text and "rpid-status" in seen.message.text,
              "no activities of the draft", seen.message.text)


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
        page = ask(ground.fedgate, command="contacts", limit="1")
        check(len(page["contacts"]) == 1, "contacts", page)
        row = page["contacts"][0]
        check((row["local"], row["remote"], row["direction"], row["state"], row["machine"]) ==
              (f"ann@{plan.CORP}", f"bob@{DOMAIN}", "in", "granted", "active"), "row", row)
        pair = {"local": f"ann@{plan.CORP}", "remote": f"bob@{DOMAIN}"}
        done = ask(ground.fedgate, command="contact", act="block", direction="in", **pair)
        check(done["ok"] and done["done"] == ["in"] and done["contacts"][0]["state"] == "blocked",
              "block", done)
        ended = ground.pool.next_subscribe()
        check(ended.get("expires") == "0" and ended.get("call-id") == dialog.call_id, "no end",
              ended.headers)
        done = ask(ground.fedgate, command="contact", act="forget", **pair)
        check(done["ok"] and all(c["state"] == "none" for c in done["contacts"]), "forget", done)
        dialog.notify("terminated;reason=timeout", None)
        wait_until("it is gone",
                   lambda: not ask(ground.fedgate, command="contact", act="show",
                                   **pair)["contacts"], 60)
        check(not ask(ground.fedgate, command="contact", act="forget", **pair)["ok"],
              "forgotten twice")
        check(not ask(ground.fedgate, command="contact", act="allow", local="x@nowhere.test",
                      remote=f"bob@{DOMAIN}")["ok"], "not ours")


CASES = [case(f"partner_watches_{n}", partner_watches, n) for n in (1, 2)]
CASES += [case(f"ours_watches_{n}", ours_watches, n) for n in (1, 2)]
CASES += [case(f"restart_{n}", restart, n) for n in (1, 2)]
CASES += [lync_watched, lync_watches, strangers, options, administrator]

if __name__ == "__main__":
    main(*CASES)
