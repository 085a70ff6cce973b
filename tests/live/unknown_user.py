#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an unverified partner's user is told before ours wrote or added him, to the letter and to
the microsecond: the same whether ours is there, is not, or may not talk."""
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.process import HANG_S
from lab.rules import DOMAINS, FEDERATED, OPEN, TYPES, Rules, text
from lab.xmpp import NS_STANZA_ERROR, message


def forbid(config):
    """One of our users may not talk at all."""
    config["access"]["users"] = {"none": {"xmpp": False, "members": [
        f"denied@{plan.APP}", f"denied@{plan.CORP}"]}}


QUERY = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
PROBES = {
    "chat": "<message type='chat' {0}><body>hi</body></message>",
    "normal": "<message {0}><subject>s</subject><body>hi</body></message>",
    "headline": "<message type='headline' {0}><body>hi</body></message>",
    "groupchat": "<message type='groupchat' {0}><body>hi</body></message>",
    "typing": "<message type='chat' {0}>"
              "<composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
    "receipt": "<message {0}><request xmlns='urn:xmpp:receipts'/><body>hi</body></message>",
    "error": "<message type='error' {0}><error type='cancel'>"
             f"<gone xmlns='{NS_STANZA_ERROR}'/></error></message>",
    "vcard": "<iq type='get' {0}><vCard xmlns='vcard-temp'/></iq>",
    "disco": "<iq type='get' {0}>" + QUERY + "</iq>",
    "set": "<iq type='set' {0}><x xmlns='y'/></iq>",
    "result": "<iq type='result' {0}/>",
    "subscribe": "<presence type='subscribe' {0}/>",
    "subscribed": "<presence type='subscribed' {0}/>",
    "unsubscribe": "<presence type='unsubscribe' {0}/>",
    "unsubscribed": "<presence type='unsubscribed' {0}/>",
    "probe": "<presence type='probe' {0}/>",
    "available": "<presence {0}/>",
    "unavailable": "<presence type='unavailable' {0}/>",
}
ANSWERED = {"chat", "normal", "headline", "groupchat", "typing", "receipt", "vcard", "disco", "set",
            "subscribe", "probe"}


def answers_to(ground, domain, user, ours, name, resource=""):
    """The complete answers, with the addresses taken out, and what came inside."""
    to = f"{user}@{ours}{resource}"
    ident = ground.ident()
    ground.partner_says(domain, to, PROBES[name].format(
        f"from='eve@{domain}/x' to='{to}' id='{ident}'"))
    inside, back = ground.settle(domain, ours)
    back = [text(e).replace(to.split("/")[0], "TO").replace(domain, "FROM").replace(ident, "ID")
            for e in back]
    return back, inside


def unknown_user():
    """Somebody who is there, somebody who is not, somebody who may not talk: the complete answers
    to every kind of stanza are the same, and those to a message are what a trusted partner is told
    of a user who does not exist."""
    with Lab("unknown") as lab:
        ground = Rules(lab, TYPES, forbid)
        for ours in (plan.APP, plan.CORP):
            for name in PROBES:
                for resource in ("", "/desk"):
                    all_back = []
                    for user in ("real", "ghost", "denied"):
                        back, inside = answers_to(ground, OPEN, user, ours, name, resource)
                        # The answer to an iq passes to who may talk: clients know their ids.
                        passes = name == "result" and user != "denied"
                        check(len(inside) == (passes and ours == plan.APP), f"{name} to {user}:",
                              [text(e) for e in inside])
                        all_back.append(back)
                    check(all_back[0] == all_back[1] == all_back[2], f"{ours} {name}:", all_back)
                    check(len(all_back[0]) == (name in ANSWERED), f"{ours} {name}:", all_back[0])
        check(ground.pool.inbox.empty(), "the pool got something")
        told = answers_to(ground, OPEN, "real", plan.APP, "chat")[0]
        check(told == truly_unknown_inside(ground), "a component's unknown user:", told)
        told = answers_to(ground, OPEN, "real", plan.CORP, "chat")[0]
        check(told == truly_unknown_pool(ground), "the pool's unknown user:", told)


def truly_unknown_inside(ground):
    """What the component's own answer becomes for a trusted partner."""
    domain, to = DOMAINS[FEDERATED], f"ghost@{plan.APP}"
    ground.partner_says(domain, to, PROBES["chat"].format(
        f"from='eve@{domain}/x' to='{to}' id='ID'"))
    ground.component.stream.wait(lambda e: e.get("id") == "ID")
    ground.component.send(
        f"<message from='{to}' to='eve@{domain}/x' id='ID' type='error'><error type='cancel'>"
        f"<service-unavailable xmlns='{NS_STANZA_ERROR}'/></error></message>")
    got = ground.settle_out(domain)[0]
    return [text(e).replace(to, "TO").replace(domain, "FROM") for e in got]


def truly_unknown_pool(ground):
    domain, to = DOMAINS[FEDERATED], f"ghost@{plan.CORP}"
    ground.partner_says(domain, to, PROBES["chat"].format(
        f"from='eve@{domain}/x' to='{to}' id='ID'"))
    got = ground.peers[domain].inbox.get(timeout=HANG_S)
    return [text(got).replace(to, "TO").replace(domain, "FROM")]


ROUNDS = 300


def shift(values, others):
    """(median, its standard error) of the differences of values taken side by side. Medians all
    the way: what else runs on the machine makes outliers."""
    differences = [b - a for a, b in zip(values, others)]
    middle = statistics.median(differences)
    spread = 1.4826 * statistics.median(abs(d - middle) for d in differences)
    return middle, 1.2533 * spread / len(differences) ** 0.5


def latency():
    """Interleaved: the answers for a user who is there, one who is not and one who may not talk
    take the same time, as far as can be seen from here: to a tenth, 20 us and five standard errors.
    The pool would take 20 ms to find out that it does not know somebody."""
    with Lab("latency") as lab:
        ground = Rules(lab, TYPES, forbid)
        ground.pool.slow = 0.02
        peer = ground.peers[OPEN]
        for ours in (plan.APP, plan.CORP):
            ground.settle(OPEN, ours)  # streams are up
            times = {"real": [], "ghost": [], "denied": []}
            for n in range(ROUNDS):
                users = list(times)
                for user in users[n % 3:] + users[:n % 3]:
                    stanza = message(f"{user}@{ours}", "hi", sender=f"eve@{OPEN}", ident=f"t{n}")
                    begin = time.perf_counter()
                    peer.reply(ours, stanza)
                    got = peer.inbox.get(timeout=HANG_S)
                    times[user].append(time.perf_counter() - begin)
                    check(got.get("type") == "error", "answered", text(got))
            usual = statistics.median(times["real"])
            for user in ("ghost", "denied"):
                middle, error = shift(times["real"], times[user])
                print(f"     {ours} {user}: {1e6 * middle:+.1f} us +- {1e6 * error:.1f} "
                      f"of {1e6 * usual:.0f}")
                check(abs(middle) < usual / 10 + 0.00002 + 5 * error, f"{ours} {user} is told by",
                      middle, error, usual)


if __name__ == "__main__":
    main(unknown_user, latency)
