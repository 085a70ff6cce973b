#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab proves itself without fedgate: its servers talk to each other over its DNS and certificates."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.prosody import Prosody
from lab.xmpp import User


def both_ways(one, other):
    one.say(other.bare, "from one to other: \u00e9\u4e2d\U0001f600")
    other.hears("from one to other: \u00e9\u4e2d\U0001f600")
    other.say(one.bare, "and back")
    one.hears("and back")


def prosody_prosody():
    """Two Prosody with certificates demanded: SASL EXTERNAL both ways."""
    with Lab("prosody2") as lab:
        lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY)
        lab.dns.xmpp(plan.ADATUM, plan.PROSODY2)
        first = Prosody(lab).start()
        second = Prosody(lab, plan.ADATUM, plan.PROSODY2).start()
        both_ways(lab.own(User("ann@fabrikam.test", plan.PROSODY)),
                  lab.own(User("ann@adatum.test", plan.PROSODY2)))
        for server in (first, second):
            check("s2s connection" in server.log_text(), "no s2s connection logged")
            check("EXTERNAL" in server.log_text(), "not authenticated with EXTERNAL")


if __name__ == "__main__":
    main(prosody_prosody)
