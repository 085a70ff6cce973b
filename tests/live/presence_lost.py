#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Presence that did not arrive is told again: lost with its stream, refused under maintenance, more
than a queue takes. And whom ours added may come, whatever the partner's type was then."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.presence_pool import Ground, ask
from lab.process import wait_until
from lab.sip import Phone


def told(ground, user, show, timeout=90):
    """Waits until the partner hears that our user shows this."""
    while True:
        got = ground.hears("available", timeout=timeout)
        if got.get("from").startswith(f"{user}@") and show in [child.text for child in got]:
            return got


def stream_breaks():
    """The partner takes a change, does not confirm it, and its connection breaks."""
    with Lab("presence-break") as lab:
        ground = Ground(lab)
        dialog = ground.watched("bob", "ann", "away")
        ground.peer.answer_iq = lambda *ignored: None
        dialog.notify("active", "dnd")
        told(ground, "ann", "dnd")  # "lost in the partner's crash"
        for stream in ground.peer.accepted:
            stream.drop()
        del ground.peer.answer_iq
        told(ground, "ann", "dnd")


def changed_under_maintenance():
    """What changed while the partner was not served is told afterwards."""
    with Lab("presence-later") as lab:
        ground = Ground(lab)
        dialog = ground.watched("bob", "ann")
        row = ground.fedgate.config["partners"][0]
        row["maintenance"] = "back at noon"
        ground.fedgate.reload()
        ground.fedgate.wait_stats("the reload", lambda s: s["config_generation"] == 2)
        dialog.notify("active", "dnd")
        del row["maintenance"]
        ground.peer.replies.clear()
        ground.fedgate.reload()
        ground.fedgate.wait_stats("the reload", lambda s: s["config_generation"] == 3)
        told(ground, "ann", "dnd")


def queue_too_small():
    """More answers than the queue holds while the stream is made: their askers are read no faster
    than there is room, so that all are answered at once and none has to be told again; unless that
    takes so long (a busy machine) that they are held no more, which the node counts. In the end all
    are told in any case."""
    count = 60
    with Lab("presence-queue") as lab:
        ground = Ground(lab, limits={"queue_count_max": 20})
        for n in range(count):
            ground.says("subscribe", f"w{n}", "ann")
            ground.pool.subscription().notify("active", "away")
        ground.fedgate.wait_stats("grants", lambda s: ground.counts()[0] == count, 60)
        for stream in ground.peer.accepted:
            stream.drop()
        ground.peer.reply(plan.CORP, "".join(
            f"<presence type='probe' from='w{n}@{ground.domain}' to='ann@{plan.CORP}'/>"
            for n in range(count)))
        seen = set()
        while len(seen) < count:
            seen.add(told(ground, "ann", "away").get("to").split("/")[0])
        totals = ground.fedgate.stats()["totals"]
        check(totals["bounced_queue_full"] == 0 or totals["queue_holds_ended"] > 0,
              "answers that found the queue full", totals["bounced_queue_full"])


def type_changes():
    """Ours watches bob; then bob's server becomes an unverified partner: he may ask as before."""
    with Lab("presence-retyped") as lab:
        ground = Ground(lab)
        ground.watches(lab.own(Phone("ann", plan.FEDGATE)), "bob")
        ground.fedgate.config["partners"][0]["type"] = "public_unverified"
        ground.fedgate.reload()
        ground.fedgate.wait_stats("the reload", lambda s: s["config_generation"] == 2)
        question = {"command": "why", "act": "subscribe", "from": f"bob@{ground.domain}",
                    "to": f"ann@{plan.CORP}"}
        wait_until("the review", lambda: ask(ground.fedgate, **question)["allowed"], 30)
        ground.watched("bob", "ann")


if __name__ == "__main__":
    main(stream_breaks, changed_under_maintenance, queue_too_small, type_changes)
