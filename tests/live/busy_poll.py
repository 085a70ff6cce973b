#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""node.busy_poll_us: shards that look for what is about to come before they sleep carry one message
at a time in order; a reload switches it on and off."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.peer import Peer
from lab.process import wait_until
from lab.xmpp import Component

GOOD = "good.test"
BUSY_US = 1000
FEW = 20
MANY = 3000  # on a machine so busy that it would never pay the test fails


def spins(fedgate):
    return sum(shard["spins_found"] for shard in fedgate.stats()["shards"])


def talk(stream, component, first, count):
    """One at a time, each there before the next leaves."""
    for number in range(first, first + count):
        stream.send(f"<message from='liz@{GOOD}' to='joe@{plan.APP}' type='chat'>"
                    f"<body>number {number}</body></message>")
        component.hears(f"number {number}")
    return first + count


def reload(fedgate, busy_us):
    before = fedgate.stats()["config_generation"]
    fedgate.config["node"]["busy_poll_us"] = busy_us
    fedgate.reload()
    wait_until("the reload", lambda: fedgate.stats()["config_generation"] > before)


def one_at_a_time(shards):
    with Lab("busy_poll") as lab:
        corp_dns(lab)
        lab.dns.xmpp(GOOD, plan.NOBODY)
        fedgate = Fedgate(lab, partners=[partner(GOOD)], shards=shards)
        fedgate.start()
        component = lab.own(Component(plan.APP, "inside"))
        stream = Peer(lab, GOOD).dial(plan.APP, run=False)
        number = talk(stream, component, 0, FEW)
        check(spins(fedgate) == 0, "spins, though it is off")
        reload(fedgate, BUSY_US)
        while spins(fedgate) == 0 and number < MANY:
            number = talk(stream, component, number, FEW)
        check(spins(fedgate) > 0, "never found anything in", number)
        reload(fedgate, 0)
        talk(stream, component, number, 1)  # a turn publishes what was before
        before = spins(fedgate)
        talk(stream, component, number + 1, 2 * FEW)
        check(spins(fedgate) == before, "still spins")


if __name__ == "__main__":
    main(case("one_shard", one_at_a_time, 1), case("two_shards", one_at_a_time, 2))
