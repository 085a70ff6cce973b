#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab proves itself without fedgate: its servers talk to each other."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.ejabberd import Ejabberd
from lab.jabberd2 import Jabberd2
from lab.kamailio import Kamailio
from lab.peer import Peer
from lab.process import HANG_S
from lab.prosody import Prosody
from lab.sip import Phone
from lab.splitter import Splitter
from lab.xmpp import User, message, text_of

TEXT = "from one to other: \u00e9\u4e2d\U0001f600 <&>"


def both_ways(one, other):
    one.say(other.bare, TEXT)
    other.hears(TEXT)
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
            check("mechanism='EXTERNAL'" in server.log_text(), "not authenticated with EXTERNAL")


def prosody_ejabberd():
    """Certificates demanded on both sides."""
    with Lab("ejabberd") as lab:
        lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY)
        lab.dns.xmpp(plan.CONTOSO, plan.EJABBERD)
        prosody = Prosody(lab).start()
        ejabberd = Ejabberd(lab).start()
        both_ways(lab.own(User("ann@fabrikam.test", plan.PROSODY)), lab.own(ejabberd.user()))
        check("mechanism='EXTERNAL'" in prosody.log_text(), "not authenticated with EXTERNAL")


def prosody_jabberd2():
    """Dialback, without and with TLS."""
    for tls in (False, True):
        with Lab("jabberd2") as lab:
            lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY)
            lab.dns.xmpp(plan.LITWARE, plan.JABBERD2)
            prosody = Prosody(lab, secure_auth=False, encryption=False, tls=tls).start()
            inside = Jabberd2(lab, tls=tls).start().user()
            ann = lab.own(User("ann@fabrikam.test", plan.PROSODY))
            ann.say("joe@litware.test", TEXT)
            inside.hears(TEXT)
            inside.say("joe@litware.test", "ann@fabrikam.test", "and back")
            ann.hears("and back")
            check("db:verify" in prosody.log_text(), "no dialback seen")
            check(("Stream encrypted" in prosody.log_text()) == tls, "TLS not as asked", tls)


def kamailio_phones():
    """Two phones at the pool; unknown, unregistered and refusing users."""
    with Lab("kamailio") as lab:
        Kamailio(lab).start()
        joe = lab.own(Phone("joe")).register()
        eva = lab.own(Phone("eva")).register()
        check(joe.say("eva@corp.test", TEXT).status == 200, "not delivered")
        eva.hears(TEXT)
        check(eva.say("joe@corp.test", "and back").status == 200, "not delivered")
        joe.hears("and back")
        for user, status in (("9none", 404), ("absent", 480), ("status-486", 486)):
            got = joe.say(f"{user}@corp.test", "hello")
            check(got.status == status, f"{user}: expected {status}, got", got.start)


def scripted_peer():
    """The scripted server and Prosody, certificates demanded."""
    with Lab("scripted") as lab:
        lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY)
        lab.dns.xmpp("scripted.test", plan.SCRIPTED)
        Prosody(lab).start()
        peer = Peer(lab).listen()
        ann = lab.own(User("ann@fabrikam.test", plan.PROSODY))
        ann.say("joe@scripted.test", TEXT)
        got = peer.inbox.get(timeout=HANG_S)
        check(text_of(got, "body") == TEXT, "wrong text", text_of(got, "body"))
        stream = peer.dial(plan.FABRIKAM, plan.PROSODY)
        stream.send(message("ann@fabrikam.test", "back", sender="joe@scripted.test"))
        ann.hears("back")


def splitter():
    """Byte by byte. (Not with Prosody: its expat puts off tokens that come in small pieces.)"""
    with Lab("splitter") as lab:
        Kamailio(lab).start()
        pieces = lab.own(Splitter(plan.SCRIPTED, plan.SIP_TCP, plan.KAMAILIO, plan.SIP_TCP))
        joe = lab.own(Phone("joe", plan.SCRIPTED))
        eva = lab.own(Phone("eva")).register()
        check(joe.say("eva@corp.test", TEXT).status == 200, "not delivered")
        eva.hears(TEXT)
        check(pieces.bytes > 500, "the splitter saw too little", pieces.bytes)


if __name__ == "__main__":
    main(prosody_prosody, prosody_ejabberd, prosody_jabberd2, kamailio_phones, scripted_peer,
         splitter)
