#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where presence meets the rest: shards, the stop, a store that fails, partners that are not there,
requests that no server should send."""
import os
import queue
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.fedgate import Fedgate, binary, corp_dns, partner
from lab.peer import Peer
from lab.presence import Seen, Watch, pidf
from lab.presence_pool import Ground, PresencePool, ask
from lab.process import wait_until
from lab.sip import Phone
from lab.xmpp import local

MANY = [f"part{n}.test" for n in range(8)]


def across_shards():
    """One partner, many domains: its streams live on one shard, its contacts on both, and what the
    pool sends comes in on either."""
    with Lab("presence-across") as lab:
        corp_dns(lab)
        pool = lab.own(PresencePool())
        fedgate = Fedgate(lab, partners=[partner(MANY[0], additional_domains=MANY[1:])],
                          hop=pool.hop, shards=2).start()
        lab.certs.make(*MANY, name="many")
        peers = {}
        for domain in MANY:
            lab.dns.xmpp(domain, plan.SCRIPTED)
            peers[domain] = Peer(lab, domain, certificate="many")
        # One listener for all of them: who is meant, the stanzas say.
        inbox = queue.SimpleQueue()
        listener = peers[MANY[0]].listen()
        listener.on_stanza = lambda stream, element: inbox.put(element)
        listener.answer_iq = lambda ident, sender, to: Peer.answer_iq(peers[sender], ident, sender,
                                                                      to)
        phones = [lab.own(Phone(f"ann{n}", plan.FEDGATE)) for n in range(len(MANY))]
        for n, domain in enumerate(MANY):
            peers[domain].reply(plan.CORP, f"<presence type='subscribe' from='bob@{domain}' "
                                           f"to='joe@{plan.CORP}'/>")
            watch = Watch(phones[n], f"carol@{domain}")
            check(watch.answer.status == 200, f"{domain}: SUBSCRIBE answered", watch.answer.start)
        for _ in MANY:
            check(pool.subscription().notify("active", "away").status == 200, "NOTIFY refused")
        told = set()
        while len(told) < 2 * len(MANY):
            element = inbox.get(timeout=60)
            if local(element) == "presence" and element.get("type") == "subscribed":
                told.add(("in", element.get("to").split("@")[1].split("/")[0]))
            if local(element) == "presence" and element.get("type") == "subscribe":
                told.add(("out", element.get("to").split("@")[1]))
        for n, domain in enumerate(MANY):
            peers[domain].reply(plan.CORP, f"<presence type='subscribed' from='carol@{domain}' "
                                           f"to='ann{n}@{plan.CORP}'/>"
                                           f"<presence from='carol@{domain}/x' "
                                           f"to='ann{n}@{plan.CORP}'/>")
        seen = set()
        while len(seen) < len(MANY):
            got = Seen(pool.next_notify(60))
            if got.state == "active" and got.show == "available":
                seen.add(got.message.get("from").split("@")[1].split(">")[0])
        fedgate.wait_stats("all grants", lambda s: (s["presence"]["contacts"]["in"]["granted"],
                           s["presence"]["contacts"]["out"]["granted"]) == (len(MANY), len(MANY)))
        row = fedgate.partner(MANY[0])["presence"]
        check(row["in"]["granted"] == len(MANY) and row["out"]["dialogs"] == len(MANY),
              "the partner's figures", row)


def stopping():
    """While the node stops SUBSCRIBE is refused with a time to come back; NOTIFY is taken."""
    with Lab("presence-stopping") as lab:
        ground = Ground(lab, limits={"drain_timeout_s": 8})
        ann = lab.own(Phone("ann", plan.FEDGATE))
        dialog = ground.watched("bob", "ann")
        ground.pool.mute.add("MESSAGE")
        ground.peer.reply(plan.CORP, f"<message type='chat' from='bob@{ground.domain}' "
                                     f"to='joe@{plan.CORP}'><body>hold</body></message>")
        ground.pool.messages.get(timeout=30)  # not answered: the stop has to wait for it
        stopper = threading.Thread(target=ground.fedgate.stop)
        stopper.start()
        wait_until("stopping", lambda: "stopping" in ground.fedgate.log_text(), 15)
        answers = (Watch(ann, f"carol@{ground.domain}").answer for _ in range(1000))
        refused = next(answer for answer in answers if answer.status != 200)
        check(refused.status == 503, "while stopping", refused.start)
        check(refused.get("retry-after"), "503 without a time", refused.headers)
        check(dialog.notify("active", "dnd").status == 200, "NOTIFY while stopping")
        stopper.join()
        ground.fedgate.start()
        dialog = ground.pool.subscription()
        check(dialog.whom == f"ann@{plan.CORP}" and ground.counts()[0] == 1, "after it",
              dialog.whom, ground.counts())


def allowed():
    """An unverified partner's user whom an administrator let in: he may watch, and write; a restart
    does not change it, `forget` does."""
    with Lab("presence-allowed") as lab:
        ground = Ground(lab, shards=2, type="public_unverified")
        pair = {"local": f"ann@{plan.CORP}", "remote": f"eve@{ground.domain}"}
        chat = (f"<message type='chat' from='eve@{ground.domain}' to='ann@{plan.CORP}'>"
                "<body>hi</body></message>")
        ground.says("subscribe", "eve", "ann")
        ground.hears("unsubscribed")
        done = ask(ground.fedgate, command="contact", act="allow", direction="in", **pair)
        check(done["ok"] and done["contacts"][0]["state"] == "granted", "allow", done)
        for restart in (False, True):
            if restart:
                ground.fedgate.stop()
                ground.peer.replies.clear()
                ground.fedgate.start()
            ground.says("subscribe", "eve", "ann")
            ground.pool.subscription().notify("active")
            ground.hears("subscribed")
            ground.peer.reply(plan.CORP, chat)
            check(ground.pool.messages.get(timeout=30).text == "hi", "the message")
        done = ask(ground.fedgate, command="contact", act="forget", **pair)
        check(done["ok"], "forget", done)
        ground.says("subscribe", "eve", "ann")
        ground.hears("unsubscribed")


def written_to():
    """An unverified partner's user whom ours wrote to, not added: he may answer, not watch."""
    with Lab("presence-written-to") as lab:
        ground = Ground(lab, type="public_unverified")
        pool = Phone("ann", plan.FEDGATE, domain=plan.CORP)
        check(pool.say(f"eve@{ground.domain}", "hello").status in (200, 202), "the message")
        ground.peer.reply(plan.CORP, (f"<message type='chat' from='eve@{ground.domain}' "
                                      f"to='ann@{plan.CORP}'><body>hi</body></message>"))
        check(ground.pool.messages.get(timeout=60).text == "hi", "the answer")
        ground.says("subscribe", "eve", "ann")
        ground.hears("unsubscribed")
        ground.says("probe", "eve", "ann")
        ground.hears("unavailable")
        check(ground.fedgate.stats()["presence"]["subscribe_sent"] == 0, "SIP was asked")
        pool.stop()


def storm():
    """A partner's server asks for everybody at once: SUBSCRIBEs go at the hop's pace, messages do
    not wait behind them, all are sent in the end."""
    count = 600
    with Lab("presence-storm") as lab:
        ground = Ground(lab, hop={"subscribe_rate_max": 60})
        ground.peer.reply(plan.CORP, "".join(
            f"<presence type='probe' from='bob@{ground.domain}' to='u{n}@{plan.CORP}'/>"
            for n in range(count)))
        ground.peer.reply(plan.CORP, f"<message type='chat' from='bob@{ground.domain}' "
                                     f"to='joe@{plan.CORP}'><body>hi</body></message>")
        ground.pool.messages.get(timeout=60)
        sent = ground.fedgate.stats()["presence"]["subscribe_sent"]
        check(sent < count, "the message waited behind all", sent)
        ground.fedgate.wait_stats("all", lambda s: s["presence"]["subscribe_sent"] >= count, 120)
        check(ground.fedgate.stats()["presence"]["subscribe_paced"] > 0, "not paced")


def pool_comes_late():
    """What is asked for while the next hop is away does not gather behind its connection, to leave
    all at once when it is back. One partner's contacts live on one shard, which has the rate of
    all: the second one leaves it to it."""
    count, rate, away_s = 300, 60, 5
    with Lab("presence-late") as lab:
        ground = Ground(lab, shards=2, hop={"subscribe_rate_max": rate})
        ground.watched("bob", "ann")
        ground.pool.stop()
        ground.fedgate.wait_stats("the loss", lambda s: s["sip"][0]["state"] != "up")
        before = ground.fedgate.stats()["presence"]["subscribe_sent"]
        ground.peer.reply(plan.CORP, "".join(
            f"<presence type='probe' from='bob@{ground.domain}' to='u{n}@{plan.CORP}'/>"
            for n in range(count)))
        time.sleep(away_s)
        sent = ground.fedgate.stats()["presence"]["subscribe_sent"] - before
        check(sent == 0, "sent to nobody", sent)
        ground.pool = lab.own(PresencePool())
        due = before + count
        ground.fedgate.wait_stats("all", lambda s: s["presence"]["subscribe_sent"] >= due, 120)
        wait_until("their arrival", lambda: len(ground.pool.asked_at) >= count)
        # 300 would have been there at once, half of the rate per shard. The test's own delays may
        # move some from one second to the next.
        busiest = ground.pool.busiest_second()
        check(rate / 2 < busiest < 2 * rate, "in a second", busiest)


def first_of_all():
    """The very first contact does not wait: its SUBSCRIBE leaves as soon as the connection that it
    had dialled is there."""
    with Lab("presence-first") as lab:
        ground = Ground(lab, shards=2, hop={"subscribe_rate_max": 1})
        state = ground.fedgate.stats()["sip"]
        check(all(hop["state"] != "up" for hop in state), "nobody needed it yet", state)
        ground.says("subscribe", "bob", "ann")
        dialog = ground.pool.subscription()
        check(ground.fedgate.stats()["presence"]["subscribe_paced"] == 1, "it had to wait for that")
        check(dialog.whom == f"ann@{plan.CORP}", "who", dialog.whom)


def pool_restarts():
    """A next hop that has forgotten everything: subscriptions are made anew as soon as it is back,
    and so is what was asked for meanwhile."""
    with Lab("presence-pool") as lab:
        ground = Ground(lab)
        old = ground.watched("bob", "ann")
        ground.pool.stop()
        ground.fedgate.wait_stats("the loss", lambda s: s["sip"][0]["state"] != "up")
        ground.says("subscribe", "eve", "joe")
        ground.pool = lab.own(PresencePool())
        dialogs = {}
        while len(dialogs) < 2:
            dialog = ground.pool.subscription(60)
            dialogs[dialog.whom.split("@")[0]] = dialog
        check(dialogs["ann"].call_id != old.call_id, "the old dialog", old.call_id)
        dialogs["joe"].notify("active", "away")
        check(ground.hears("subscribed").get("from") == f"joe@{plan.CORP}", "who")
        dialogs["ann"].notify("active", "dnd")
        while (got := ground.hears("available")).get("from").split("/")[0] != f"ann@{plan.CORP}":
            pass
        check(ground.counts() == (2, 0), "grants", ground.counts())


def maintenance():
    """A partner under maintenance: nobody's authorisation ends, and afterwards all goes on."""
    with Lab("presence-maintenance") as lab:
        ground = Ground(lab)
        ann = lab.own(Phone("ann", plan.FEDGATE))
        dialog = ground.watched("bob", "ann")
        ground.watches(ann, "carol")
        row = ground.fedgate.config["partners"][0]
        row["maintenance"] = "back at noon"
        ground.fedgate.reload()
        ground.fedgate.wait_stats("the reload", lambda s: s["config_generation"] == 2)
        answer = Watch(ann, f"dave@{ground.domain}").answer
        check(answer.status == 480 and answer.get("retry-after"), "meanwhile", answer.start)
        dialog.notify("active", "dnd")
        del row["maintenance"]
        ground.peer.replies.clear()
        ground.fedgate.reload()
        ground.fedgate.wait_stats("the reload", lambda s: s["config_generation"] == 3)
        check(ground.counts() == (1, 1), "afterwards", ground.counts())
        check(dialog.notify("active", "away").status == 200, "the dialog")
        ground.hears("available")
        ground.says(None, "carol", "ann", "<show>dnd</show>")
        while ground.notified("active").show != "dnd":
            pass


def nobody_there():
    """A partner without a server: our user's client hears that it should come back."""
    with Lab("presence-nobody") as lab:
        ground = Ground(lab)
        ann = lab.own(Phone("ann", plan.FEDGATE))
        ground.fedgate.config["partners"].append(partner("nowhere.test"))
        ground.fedgate.reload()
        ground.fedgate.wait_stats("the reload", lambda s: s["config_generation"] > 1)
        check(Watch(ann, "bob@nowhere.test").answer.status == 200, "SUBSCRIBE refused")
        ended = ground.notified("terminated")
        check(ended.reason in ("probation", "noresource"), "reason", ended)


def store_fails():
    """The database is taken away from a running node: no grant is told, which is said loudly;
    put back, the grant comes."""
    with Lab("presence-store") as lab:
        ground = Ground(lab)
        ground.watched("bob", "ann")
        path = os.path.join(ground.fedgate.folder, "fedgate.db")
        os.rename(path, path + ".away")
        ground.says("subscribe", "eve", "ann")
        dialog = ground.pool.subscription()
        dialog.notify("active")
        stats = ground.fedgate.wait_stats(
            "failing", lambda s: s["store"]["state"] == "failing" and s["store"], 60)
        check(stats["error"] and path in stats["text"], "text", stats)
        wait_until("/healthz", lambda: "degraded: " in ground.fedgate.get("/healthz")[1], 15)
        wait_until("the log", lambda: "error control store_failing" in ground.fedgate.log_text(),
                   15)
        done = ask(ground.fedgate, command="contact", act="allow", direction="in",
                   local=f"joe@{plan.CORP}", remote=f"zoe@{ground.domain}")
        check(not done["ok"], "an order that is not durable", done)
        check(ground.counts() == (1, 0), "granted though not durable", ground.counts())
        os.rename(path + ".away", path)
        ground.fedgate.wait_stats("good again", lambda s: s["store"]["state"] == "good", 120)
        wait_until("/healthz", lambda: ground.fedgate.get("/healthz") == (200, "ok\n"), 15)


def refused_starts():
    """What is wrong with the database, by exit code and by name."""
    with Lab("presence-starts") as lab:
        ground = Ground(lab)
        path = os.path.join(ground.fedgate.folder, "fedgate.db")

        def start(expected, *words, store="sqlite:fedgate.db"):
            other = Fedgate(lab, partners=[partner("a.test")], hop=ground.pool.hop,
                            address=plan.NOBODY, name="other")
            other.config["store"] = store
            other.write_config()
            done = subprocess.run([binary(), "--config", other.config_path], text=True,
                                  capture_output=True, timeout=60)
            check(done.returncode == expected, "exit code", done.returncode, done.stderr)
            for word in words:
                check(word in done.stderr, f"no {word!r} in", done.stderr)

        start(69, path, store=f"sqlite:{path}")
        start(78, "/nowhere/at/all.db", store="sqlite:/nowhere/at/all.db")
        broken = os.path.join(lab.folder("other"), "broken.db")
        with open(broken, "wb") as out:
            out.write(b"SQLite format 3\0" + b"\xff" * 8192)
        start(78, broken, store=f"sqlite:{broken}")


def hostile():
    """Loops, worn hops, bodies beyond all bounds, wrong domains: refused, nothing kept."""
    with Lab("presence-hostile") as lab:
        ground = Ground(lab)
        ann = lab.own(Phone("ann", plan.FEDGATE))
        to = f"sip:bob@{ground.domain}"
        base = [("Event", "presence"), ("Contact", f"<sip:ann@{ann.here}>")]

        def status(method, headers, *args, **named):
            return ann.final(ann.request(method, to, to, headers, *args, **named)).status

        state = ("Subscription-State", "active;expires=60")
        check(status("NOTIFY", [*base, state], pidf(ann.aor, more="<x>" + "y" * 70000 + "</x>"),
                     "application/pidf+xml", to_tag="t") == 413, "a huge document")
        check(status("NOTIFY", [*base, state], "GIF89a", "image/gif", to_tag="t") == 415,
              "a picture")
        check(status("NOTIFY", [*base, state], "<x>" * 400, "application/pidf+xml",
                     to_tag="t") == 481, "no dialog")
        check(status("SUBSCRIBE", [*base, ("Via", f"SIP/2.0/TCP edge.corp.test:{plan.SIP_TCP}"
                                                  ";branch=z9hG4bKloop")]) == 482, "a loop")
        check(status("SUBSCRIBE", [("Event", "dialog"), base[1]]) == 489, "another package")
        check(status("SUBSCRIBE", [("Contact", base[1][1])]) in (400, 489), "no package")
        check(status("SUBSCRIBE", [*base, ("Expires", "-1")]) == 400, "no number")
        check(status("SUBSCRIBE", [*base, ("Require", "eventlist")]) == 420, "lists")
        ghost = lab.own(Phone("ghost", plan.FEDGATE, domain=plan.APP))
        notify = ghost.request("NOTIFY", to, to, [*base, state], to_tag="t")
        check(ghost.final(notify).status == 403, "of a domain that is not this hop's")
        stats = ground.fedgate.stats()["presence"]
        kept = sum(n for way in stats["contacts"].values() for n in way.values())
        check(kept == 0 and stats["dirty"] == 0, "something was kept", stats)


if __name__ == "__main__":
    main(across_shards, stopping, allowed, written_to, storm, first_of_all, pool_comes_late,
         pool_restarts, maintenance, nobody_there, store_fails, refused_starts, hostile)
