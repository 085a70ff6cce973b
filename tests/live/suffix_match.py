#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Partners whose domains take in all those below them: streams and stanzas of such domains in both
directions, exceptions by a longer name, and what a reload does to streams that depend on it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from access import component_in, component_out, row, talks
from lab import Lab, check, main, plan
from lab.process import HANG_S
from lab.rules import Rules, text
from lab.xmpp import END, error_of, message

BIG = "big.test"
BELOW = "a.lab.big.test"  # two labels down, in no row
OWN = "own.big.test"      # a partner of its own
OTHER = "other.test"


def ground_of(lab, rows):
    """Servers for all four; rows of the partners that are given."""
    def only_these(config):
        config["partners"] = [r for r in config["partners"] if r["domain"] in rows]
    return Rules(lab, {BIG: {"suffix_match": True}, BELOW: {}, OWN: {}, OTHER: {}}, only_these,
                 shards=2)


def refused(ground, domain):
    """A domain that is nobody's, asked from the inside."""
    ident = ground.ident()
    ground.component.send(message(f"bob@{domain}", "out", sender=f"ann@{plan.APP}", ident=ident))
    answer = ground.component.stream.wait(lambda e: e.get("id") == ident)
    check(error_of(answer) == ("cancel", "remote-server-not-found"), "told", text(answer))
    ground.wait_refusal(f'rule=partners["{domain}"] ', "reason=unknown-partner ")


def below():
    """A domain below the partner's talks as the partner's own does; the figures are its."""
    with Lab("below") as lab:
        ground = ground_of(lab, (BIG, OTHER))
        for domain in (BELOW, BIG, OTHER):
            talks(ground, "ann", bob=f"bob@{domain}")
        figures = ground.fedgate.stats()["partners"]
        check(set(figures) == {BIG, OTHER}, "figures of", list(figures))
        refused(ground, f"x.{OTHER}")
        refused(ground, "xbig.test")
        why = ground.fedgate.ctl("why", f"ann@{plan.APP}", f"bob@{BELOW}", "--json")
        check(why["by"] == "node" and why["there"]["allowed"] is True
              and why["there"]["partner"] == BIG, "why says", why)


def exceptions():
    """A longer name counts before the suffix; the partner's lists reach below it."""
    with Lab("except") as lab:
        ground = ground_of(lab, (BIG, OWN))
        row(ground, OWN)["allowed_users"] = []
        row(ground, BIG)["blocked"] = [f"eve@{BELOW}", "*.old.big.test"]
        ground.reload("rules of two partners")
        talks(ground, "ann", f'partners.allowed_users["{OWN}"]', "user-not-allowed",
              bob=f"bob@{OWN}")
        talks(ground, "ann", bob=f"bob@{BELOW}")
        talks(ground, "ann", f'partners.blocked["eve@{BELOW}"]', "address-blocked",
              bob=f"eve@{BELOW}")
        ident = ground.ident()
        ground.component.send(message("x@y.old.big.test", "out", sender=f"ann@{plan.APP}",
                                      ident=ident))
        answer = ground.component.stream.wait(lambda e: e.get("id") == ident)
        check(error_of(answer) == ("auth", "forbidden"), "told", text(answer))
        ground.wait_refusal('rule=partners.blocked["*.old.big.test"] ', "reason=domain-blocked ")


def reloads():
    """Without suffix_match the streams of domains below are closed, those of the
    partner's own stay; with it again they come back."""
    with Lab("reloads") as lab:
        ground = ground_of(lab, (BIG,))
        for domain in (BELOW, BIG):
            talks(ground, "ann", bob=f"bob@{domain}")
        kept = ground.peers[BIG].accepted[0]
        row(ground, BIG)["suffix_match"] = False
        ground.reload("names alone")
        ended = ground.peers[BELOW].inbox.get(timeout=HANG_S)
        check(ended is END or "error" in ended.tag, "its stream got", text(ended))
        refused(ground, BELOW)
        component_out(ground, "ann", f"bob@{BIG}", True, "")
        component_in(ground, "ann", f"bob@{BIG}", True)
        check(kept.thread.is_alive() and not kept.ended, "the partner's own stream was lost")
        row(ground, BIG)["suffix_match"] = True
        ground.reload("all below")
        while not ground.peers[BELOW].inbox.empty():
            ground.peers[BELOW].inbox.get_nowait()
        ground.peers[BELOW].replies.clear()
        talks(ground, "ann", bob=f"bob@{BELOW}")


if __name__ == "__main__":
    main(below, exceptions, reloads)
