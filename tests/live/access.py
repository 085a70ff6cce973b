#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may talk: the three tiers of external access and their kinds of members, a partner's own
list of users, block lists, maintenance. Each in both directions and with both kinds of inside,
changed by reloads (how soon they are in force is shown), and each refusal in the log with the rule
that made it."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, LabError, check, main, plan
from lab.process import HANG_S, wait_until
from lab.rules import Rules, none, one, text
from lab.xmpp import error_of, message, text_of

TRUSTED = "trusted.test"
OTHER = "other.test"
PARTNERS = {TRUSTED: {}, OTHER: {}}


def both(*users):
    """These users of either inside."""
    return [f"{user}@{domain}" for user in users for domain in (plan.APP, plan.CORP)]


def policy(xmpp, *members, **more):
    return dict(more, xmpp=xmpp, members=list(members))


# --- one user and one user outside, all four ways -------------------------------------------------

def component_out(ground, user, bob, allowed, kind):
    ident = ground.ident()
    ground.component.send(message(bob, "out", sender=f"{user}@{plan.APP}", ident=ident))
    got, inside = ground.settle_out(bob.split("@")[1])
    if allowed:
        none(inside, "answered")
        check(text_of(one(got, "message"), "body") == "out", "out:", text(got[0]))
        return
    none(got, "left the house")
    answer = one(inside, "message", type="error", id=ident)
    check(error_of(answer) == ("auth", "forbidden"), "told", text(answer))
    check(kind in text(answer), f"{kind} is not named:", text(answer))


def component_in(ground, user, bob, allowed):
    domain = bob.split("@")[1]
    ground.partner_says(domain, plan.APP, message(f"{user}@{plan.APP}", "in", sender=bob))
    inside, back = ground.settle(domain)
    if allowed:
        none(back, "answered")
        check(text_of(one(inside, "message"), "body") == "in", "in:", text(inside[0]))
        return
    none(inside, "came in")
    told = error_of(one(back, "message"))
    check(told == ("cancel", "service-unavailable"), "told", text(back[0]))


def sip_out(ground, user, bob, allowed, kind):
    answer = ground.phone(user).say(bob, "out")
    if allowed:
        check(answer.status == 202, "expected 202, got", answer.start)
        got = ground.peers[bob.split("@")[1]].inbox.get(timeout=HANG_S)
        check(text_of(got, "body") == "out", "out:", text(got))
    else:
        check(answer.start == f"SIP/2.0 403 Forbidden by {kind}", "told", answer.start)


def sip_in(ground, user, bob, allowed):
    domain = bob.split("@")[1]
    ground.partner_says(domain, plan.CORP, message(f"{user}@{plan.CORP}", "in", sender=bob))
    back = ground.settle(domain, plan.CORP)[1]
    if allowed:
        none(back, "answered")
        check(ground.pool.next_message().text == "in", "another text")
        return
    check(error_of(one(back, "message")) == ("cancel", "item-not-found"), "told", text(back[0]))
    check(ground.pool.inbox.empty(), "came to the pool")


def talks(ground, user, rule=None, reason=None, bob=f"bob@{TRUSTED}"):
    """user and bob may talk (rule None), or are refused by that rule, both ways, both insides."""
    kind = (rule or "").split("[")[0]
    component_out(ground, user, bob, rule is None, kind)
    component_in(ground, user, bob, rule is None)
    sip_out(ground, user, bob, rule is None, kind)
    sip_in(ground, user, bob, rule is None)
    if rule:
        for ours in (plan.APP, plan.CORP):
            pair = f'"{user}@{ours}"', f'"{bob}"'
            for way, (sender, to) in (("out", pair), ("in", pair[::-1])):
                ground.wait_refusal(f" rule={rule} ", f"reason={reason} ", f"dir={way} ",
                                    f"from={sender}", f"to={to}", "act=message ")


# --- external access ------------------------------------------------------------------------------

DENIED = "access-denied"
# What "access" says, and for whom: None = may talk, else the rule that refuses.
TIERS = (
    ("nothing is written", None, {"ann": "access"}),
    ("an empty section", {}, {"ann": "access.global"}),
    ("global says no", {"global": {"xmpp": False}}, {"ann": "access.global"}),
    ("global says yes", {"global": {"xmpp": True}}, {"ann": None}),
    ("SIP federation is another switch",
     {"global": {"xmpp": False, "sip_federation": True}}, {"ann": "access.global"}),
    ("a site over global: no",
     {"global": {"xmpp": True}, "sites": {"hq": policy(False, plan.APP, plan.CORP)}},
     {"ann": 'access.sites["hq"]'}),
    ("a site over global: yes",
     {"global": {"xmpp": False}, "sites": {"hq": policy(True, plan.APP, plan.CORP)}},
     {"ann": None}),
    ("a user over a site",
     {"sites": {"hq": policy(False, plan.APP, plan.CORP)},
      "users": {"sales": policy(True, *both("ann"))}},
     {"ann": None, "joe": 'access.sites["hq"]'}),
    ("a user over global",
     {"global": {"xmpp": True}, "users": {"interns": policy(False, *both("joe"))}},
     {"ann": None, "joe": 'access.users["interns"]'}),
    ("the address over the domain in one tier",
     {"users": {"all": policy(False, plan.APP, plan.CORP), "some": policy(True, *both("ann"))}},
     {"ann": None, "joe": 'access.users["all"]'}),
    ("users by domain over sites by address",
     {"sites": {"a": policy(True, *both("ann"))},
      "users": {"all": policy(False, plan.APP, plan.CORP)}},
     {"ann": 'access.users["all"]'}),
    ("a group", {"users": {"money": policy(True, "group:finance")}},
     {"ann": None, "joe": "access.global"}),
    ("a group of a file", {"users": {"money": policy(False, "group:listed")},
                           "global": {"xmpp": True}},
     {"ann": None, "joe": 'access.users["money"]'}),
)


def tiers():
    """global < site < user, nobody without a rule; by address, domain and group."""
    with Lab("access") as lab:
        listed = os.path.join(lab.root, "listed")
        write(listed, *both("joe"))

        def groups(config):
            config["groups"] = {"finance": {"members": both("ann")},
                                "listed": {"list_file": listed}}
        ground = Rules(lab, PARTNERS, groups)
        for title, access, users in TIERS:
            print(f"     {title}", flush=True)
            ground.config.pop("access", None)
            if access is not None:
                ground.config["access"] = access
            ground.reload(title)
            for user, rule in users.items():
                talks(ground, user, rule, DENIED)
        totals = ground.fedgate.totals()
        refused = 4 * sum(rule is not None for _, _, users in TIERS for rule in users.values())
        check(totals["refused_access"] == refused == totals["bounced_policy"], "counted",
              totals["refused_access"], refused)
        row = ground.fedgate.partner(TRUSTED)
        check(row["bounced"]["policy"] == refused, "counted for the partner", row["bounced"])


def write(path, *lines):
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write("# made by the test\n" + "".join(line + "\n" for line in lines))
    os.rename(path + ".new", path)


def list_file():
    """A policy's file is read with each reload; one with a mistake changes nothing."""
    with Lab("list") as lab:
        path = os.path.join(lab.root, "sales.list")
        write(path, *both("ann"))

        def change(config):
            config["access"] = {"users": {"sales": {"xmpp": True, "list_file": path}}}
        ground = Rules(lab, PARTNERS, change, shards=2)
        talks(ground, "ann")
        talks(ground, "joe", "access.global", DENIED)
        write(path, *both("joe"))
        talks(ground, "ann")  # not before the reload
        ground.reload("another list")
        talks(ground, "joe")
        talks(ground, "ann", "access.global", DENIED)
        # As a directory writes it; the same user is o\27brien in XMPP (XEP-0106).
        write(path, *both("joe"), f"sip:o'brien@{plan.CORP}", f"r&d@{plan.APP}")
        ground.reload("names of a directory")
        sip_out(ground, "o'brien", f"bob@{TRUSTED}", True, "")
        sip_in(ground, "o\\27brien", f"bob@{TRUSTED}", True)
        component_in(ground, "r\\26d", f"bob@{TRUSTED}", True)
        sip_out(ground, "o'hara", f"bob@{TRUSTED}", False, "access.global")
        write(path, "ann@", *both("ann"))
        ground.fedgate.reload()
        wait_until("refused", lambda: "config_refused" in ground.fedgate.log_text(), 5)
        talks(ground, "joe")


# --- the partner's own rules ----------------------------------------------------------------------

def row(ground, domain=TRUSTED):
    return next(row for row in ground.config["partners"] if row["domain"] == domain)


def allowed_users():
    """A partner's list of our users: by address, domain and group; other partners have none."""
    rule = f'partners.allowed_users["{TRUSTED}"]'
    with Lab("allowed") as lab:
        ground = Rules(lab, PARTNERS)
        ground.config["groups"] = {"finance": {"members": both("liz")}}
        talks(ground, "joe")
        row(ground)["allowed_users"] = [*both("ann"), "group:finance"]
        ground.reload("a list of users")
        for user in ("ann", "liz"):
            talks(ground, user)
        talks(ground, "joe", rule, "user-not-allowed")
        talks(ground, "joe", bob=f"bob@{OTHER}")
        row(ground)["allowed_users"] = [plan.APP]
        ground.reload("a domain")
        component_in(ground, "joe", f"bob@{TRUSTED}", True)
        sip_in(ground, "joe", f"bob@{TRUSTED}", False)
        row(ground)["allowed_users"] = []
        ground.reload("nobody")
        talks(ground, "ann", rule, "user-not-allowed")
        del row(ground)["allowed_users"]
        ground.reload("no list")
        talks(ground, "joe")


def block_lists():
    """Addresses that nobody talks to, of all partners and of one; whole domains."""
    eve = f"eve@{TRUSTED}"
    with Lab("blocked") as lab:
        ground = Rules(lab, PARTNERS)
        ground.config["blocked"] = [eve]
        ground.reload("an address")
        talks(ground, "ann", f'blocked["{eve}"]', "address-blocked", bob=eve)
        talks(ground, "ann")
        talks(ground, "ann", bob=f"eve@{OTHER}")
        del ground.config["blocked"]
        row(ground)["blocked"] = [eve]
        ground.reload("an address of the partner")
        talks(ground, "ann", f'partners.blocked["{eve}"]', "address-blocked", bob=eve)
        row(ground)["blocked"] = []
        ground.reload("nobody")
        talks(ground, "ann", bob=eve)
        ground.config["blocked"] = [TRUSTED]
        ground.reload("a domain")
        ident = ground.ident()
        ground.component.send(message(eve, "out", sender=f"ann@{plan.APP}", ident=ident))
        answer = ground.component.stream.wait(lambda e: e.get("id") == ident)
        check(error_of(answer) == ("auth", "forbidden"), "told", text(answer))
        answer = ground.phone("ann").say(eve, "out")
        check(answer.start == "SIP/2.0 403 Forbidden by blocked", "told", answer.start)
        ground.wait_refusal(f'rule=blocked["{TRUSTED}"] ', "reason=domain-blocked ")
        talks(ground, "ann", bob=f"eve@{OTHER}")


def maintenance():
    """A partner put aside: its stanzas and ours wait for later, with the administrator's text."""
    noon = "back at <noon> & a bit"
    with Lab("maintenance") as lab:
        ground = Rules(lab, PARTNERS)
        talks(ground, "ann")
        row(ground)["maintenance"] = noon
        ground.reload("maintenance")
        ident = ground.ident()
        ground.component.send(message(f"bob@{TRUSTED}", "out", sender=f"ann@{plan.APP}",
                                      ident=ident))
        answer = ground.component.stream.wait(lambda e: e.get("id") == ident)
        check(error_of(answer) == ("wait", "remote-server-timeout"), "told", text(answer))
        said = next(child.text for error in answer for child in error if child.tag.endswith("text"))
        check(said == noon, "the text is", said)
        told = ground.phone("ann").say(f"bob@{TRUSTED}", "out")
        check(told.start == f"SIP/2.0 480 {noon}" and int(told.get("retry-after")) > 0, "SIP",
              told.start)
        ground.wait_refusal(f'rule=partners.maintenance["{TRUSTED}"] ', "reason=maintenance ")
        check(ground.fedgate.totals()["bounced_maintenance"] >= 2, "counted")
        talks(ground, "ann", bob=f"bob@{OTHER}")
        for _ in range(2):  # one stream for each of our domains
            ended = ground.peers[TRUSTED].inbox.get(timeout=HANG_S)
            check(noon in "".join(ended.itertext()), "its streams ended with", text(ended))
        row(ground)["maintenance"] = None
        ground.reload("back")
        ground.peers[TRUSTED].replies.clear()  # they were closed, too
        talks(ground, "ann")


MESSAGES = 4000


def write_messages(ground, bob, is_over):
    """Both ways at once, by a user whom the changes concern and one whom they do not."""
    for n in range(MESSAGES):
        user = "joe" if n % 2 else "ann"
        ground.component.send(message(bob, "out", sender=f"{user}@{plan.APP}",
                                      ident=f"{user}-out-{n}"))
        ground.partner_says(TRUSTED, plan.APP, message(f"{user}@{plan.APP}", "in", sender=bob,
                                                       ident=f"{user}-in-{n}"))
        time.sleep(0.0005)
    is_over.set()


def take_all(ground):
    """id -> True when the message arrived, False when its sender was told; each once."""
    got = {}
    for _ in range(2 * MESSAGES):
        for source in (ground.component.stream.queue, ground.peers[TRUSTED].inbox):
            while not source.empty():
                element = source.get()
                check(element.get("id") not in got, "twice", text(element))
                got[element.get("id")] = element.get("type") != "error"
        if len(got) == 2 * MESSAGES:
            return got
        time.sleep(0.01)
    raise LabError(f"{2 * MESSAGES - len(got)} messages neither arrived nor were answered")


def flips():
    """Rules that change all the time under traffic both ways, on two shards: each message arrives
    or is answered, once; a user whom the changes do not concern notices nothing."""
    with Lab("flips") as lab:
        ground = Rules(lab, PARTNERS, shards=2)
        talks(ground, "joe")
        is_over, times = threading.Event(), 0
        threading.Thread(target=write_messages, args=(ground, f"bob@{TRUSTED}", is_over),
                         daemon=True).start()
        while not is_over.is_set():
            times += 1
            ground.config["access"]["users"] = {"flip": policy(times % 2 == 0, f"joe@{plan.APP}")}
            ground.reload(f"flip {times}")
        got = take_all(ground)
        check(all(heard for ident, heard in got.items() if ident.startswith("ann-")), "ann noticed")
        for way in ("in", "out"):
            heard = {got[ident] for ident in got if ident.startswith(f"joe-{way}-")}
            check(heard == {True, False}, f"joe {way}: always the same", heard)
        check(times >= 10, "rules changed only so often:", times)
        print(f"     {times} reloads")


if __name__ == "__main__":
    main(tiers, list_file, allowed_users, block_lists, maintenance, flips)
