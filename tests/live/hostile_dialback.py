#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Dialback that lies: nothing is proved that was not, and nobody else is bothered for it."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.hostile import (DIALBACK, EVIL, EVIL_ADDRESS, FEATURE_DIALBACK, GOOD, JOE, PLAIN, Ground,
                         Raw, Server, answer_header, header, refused, short)
from lab.process import HANG_S, wait_until

ATTRIBUTE = re.compile(r"""\b(id|from|to)=["']([^"']*)["']""")
VERIFY = re.compile(r"<db:verify\b[^>]*>([0-9a-zA-Z]*)</db:verify>")
RESULT = re.compile(r"<db:result\b[^>]*>([0-9a-f]+)</db:result>")
ANN = f"ann@{EVIL}"
STANZA = f"<message from='{ANN}' to='{JOE}'><body>forged</body></message>"


def attributes(text, pattern):
    """(attributes, content) of the first such element."""
    found = pattern.search(text)
    return dict(ATTRIBUTE.findall(found.group(0))), found.group(1)


def ask(raw, sender=EVIL, to=plan.APP, key="0123456789abcdef"):
    return raw.send(f"<db:result from='{sender}' to='{to}'>{key}</db:result>")


def verify_answer(verify, verdict, **changes):
    values = dict({"from": verify["to"], "to": verify["from"], "id": verify["id"]}, **changes)
    return ("<db:verify " + " ".join(f"{k}='{v}'" for k, v in values.items())
            + f" type='{verdict}'/>")


class Authority:
    """EVIL's authoritative server without TLS; reply(verify attributes, raw) gives the answer."""

    def __init__(self, lab, reply):
        self.reply = reply
        self.asked = []
        self.server = Server(lab, EVIL_ADDRESS, self._script)

    def _script(self, raw, number):
        answer_header(raw, FEATURE_DIALBACK, ident=f"authority-{number}")
        while not raw.is_ended:
            found = VERIFY.search(raw.text)
            if not found:
                raw.take(1.0)
                continue
            raw.text = raw.text.replace(found.group(0), "", 1)
            verify = dict(ATTRIBUTE.findall(found.group(0)), key=found.group(1))
            self.asked.append(verify)
            raw.send(self.reply(verify, raw) or "")


def open_plain(**options):
    raw = Raw()
    raw.send(header(**options)).until("</stream:features>")
    return raw


def authorities():
    """SEC-02, 04: answers about another id, from another domain, late, twice, not at all."""
    rows = {
        "valid": lambda v, r: verify_answer(v, "valid"),
        "invalid": lambda v, r: verify_answer(v, "invalid"),
        "error": lambda v, r: verify_answer(v, "error"),
        "wrong id": lambda v, r: verify_answer(v, "valid", id=v["id"][::-1]),
        "id prefix": lambda v, r: verify_answer(v, "valid", id=v["id"][:-1]),
        "other from": lambda v, r: verify_answer(v, "valid", **{"from": f"not{EVIL}"}),
        "from below": lambda v, r: verify_answer(v, "valid", **{"from": f"x.{EVIL}"}),
        "good from": lambda v, r: verify_answer(v, "valid", **{"from": GOOD}),
        "other to": lambda v, r: verify_answer(v, "valid", to=plan.CORP),
        "words": lambda v, r: verify_answer(v, "yes"),
        "silent": lambda v, r: None,
        "closes": lambda v, r: r.close(),
        "garbage": lambda v, r: "<<<",
        "end": lambda v, r: "</stream:stream>",
        "valid invalid": lambda v, r: verify_answer(v, "invalid") + verify_answer(v, "valid"),
        "echo": lambda v, r: f"<db:verify from='{v['from']}' to='{v['to']}' id='{v['id']}' "
                             "type='valid'/>",
    }
    with Lab("authority") as lab:
        on = Ground(lab, PLAIN, short)
        keys = {f"key{n}": name for n, name in enumerate(rows)}
        Authority(lab, lambda verify, raw: rows[keys[verify["key"]]](verify, raw))
        wrong = []
        for key, name in keys.items():
            raw = ask(open_plain(), key=key)
            end = time.monotonic() + (HANG_S if name == "valid" else 2)
            while "db:result" not in raw.text and not raw.is_ended and time.monotonic() < end:
                raw.take(0.2)
            if ("type=\"valid\"" in raw.text) != (name == "valid"):
                wrong.append(f"{name}: {raw.text[-200:]}")
            if name != "valid":
                raw.send(STANZA)
                raw.until_end()
            raw.close()
        check(not wrong, "\n".join(wrong))
        check(on.totals()["streams_in_dialback_plain"] == 1, "proved", on.totals())
        on.inside_hears_nothing()


def unsolicited_in():
    """SEC-01, 03: verdicts on an incoming stream, in every spelling; then a stanza is refused."""
    with Lab("unsolicited") as lab:
        on = Ground(lab, PLAIN, short)
        before = on.totals()
        for verdict in ("<db:result from='{f}' to='{t}' type='valid'/>",
                        "<db:result from='{t}' to='{f}' type='valid'/>",
                        "<db:verify from='{f}' to='{t}' id='{i}' type='valid'/>",
                        "<db:verify from='{t}' to='{f}' id='{i}' type='valid'/>"):
            raw = open_plain()
            ident = re.search(r"id=\"(\w+)\"", raw.text).group(1)
            raw.send(verdict.format(f=EVIL, t=plan.APP, i=ident))
            refused(raw.send(STANZA), "not-authorized", "undefined-condition", "host-unknown",
                    "invalid-from")
        for sender, to, right in ((plan.CORP, plan.APP, None), (EVIL, "nobody.test", "item-not"),
                                  ("stranger.test", plan.APP, ""), (f"x.{EVIL}", plan.APP, ""),
                                  ("", plan.APP, None), (ANN, plan.APP, None)):
            raw = ask(open_plain(), sender, to)
            if right is None:
                raw.until_end()
            else:
                check(right in raw.until("type=\"error\""), "error", raw.text[-300:])
            check("type=\"valid\"" not in raw.text, "valid", raw.text)
            raw.close()
        on.untouched(before, "streams_in_dialback_plain", "streams_out_dialback_plain")
        on.inside_hears_nothing()


def tls_demanded():
    """SEC-31, SEC-09: dialback without the TLS the row demands; and where only EXTERNAL counts."""
    with Lab("db-tls") as lab:
        on = Ground(lab, DIALBACK, short)
        authority = Authority(lab, lambda v, r: verify_answer(v, "valid"))
        raw = ask(open_plain())
        check("policy-violation" in raw.until("type=\"error\""), "answer", raw.text[-300:])
        refused(raw.send(STANZA), "not-authorized")
        on.fedgate.config["partners"][1].update(sasl="required", dialback=False)
        on.fedgate.reload()
        time.sleep(0.5)
        raw = Raw().starttls(on.evil_tls())
        raw.send(header()).until("</stream:features>")
        ask(raw, GOOD).until("type=\"error\"")
        ask(raw).until("type=\"error\"")
        check("type=\"valid\"" not in raw.text and not authority.asked, "asked", raw.text)
        raw.close()
        on.inside_hears_nothing()


def replay():
    """Our keys: good for the stream they were made for alone, and asked in the right names."""
    with Lab("replay") as lab:
        on = Ground(lab, PLAIN, short)
        server = Server(lab, EVIL_ADDRESS,
                        lambda raw, n: answer_header(raw, FEATURE_DIALBACK, ident="stream-1"))
        on.component.say(JOE, ANN, "hello", ident="m1")
        wait_until("our db:result", lambda: server.heard("</db:result>"), 10)
        _, key = attributes(server.raws[0].text, RESULT)

        def verdict(ident="stream-1", sender=EVIL, to=plan.APP, key=key, **options):
            raw = open_plain(**options)
            raw.send(f"<db:verify from='{sender}' to='{to}' id='{ident}'>{key}</db:verify>")
            text = raw.until("<db:verify")
            raw.close()
            return re.search(r"type=\"(\w+)\"", text[text.rindex("<db:verify"):]).group(1)

        check(verdict() == "valid", "the true one")
        flipped = key[:-1] + ("0" if key[-1] != "0" else "1")
        rows = ({"ident": "stream-2"}, {"ident": "stream-1 "}, {"key": flipped},
                {"key": key.upper()}, {"key": key[:-1]}, {"key": key + "0"}, {"key": ""},
                {"to": plan.CORP}, {"sender": f"x.{EVIL}"}, {"sender": GOOD, "options": {}})
        for row in rows:
            row = {k: v for k, v in row.items() if k != "options"}
            check(verdict(**row) in ("invalid", "error"), "taken:", row)
        on.calm()


def floods():
    """SEC-16: db:result for many domains on one stream, and on many streams: few are asked about,
    the resolver and the victims are left in peace."""
    with Lab("db-flood") as lab:
        def change(config):
            short(config)
            config["partners"][1]["additional_domains"] = [f"d{n}.{EVIL}" for n in range(200)]
        on = Ground(lab, PLAIN, change)
        for n in range(200):
            lab.dns.xmpp(f"d{n}.{EVIL}", "127.77.0.11")
        victim = Server(lab, "127.77.0.11", lambda raw, n: None)
        raw = open_plain()
        for n in range(60):
            ask(raw, f"d{n}.{EVIL}", key="1")
        raw.until("resource-constraint")
        raw.close()
        wait_until("dials", lambda: len(victim.raws) > 0, 10)
        check(len(victim.raws) <= 40, "dials for one stream", len(victim.raws))
        raw = open_plain()
        for n in range(10000):
            ask(raw, f"v{n}.example.test", key="1")
        raw.until_end()
        check(not any("example" in q[0] for q in lab.dns.zones.queries), "names were looked up")
        # The same domain again and again, from many streams, its server refusing connections.
        lab.dns.xmpp(EVIL, plan.NOBODY)
        before = len(lab.dns.zones.queries)
        for _ in range(60):
            ask(open_plain()).take(0.05)
        check(len(lab.dns.zones.queries) - before < 200, "look-ups",
              len(lab.dns.zones.queries) - before)
        on.calm()


def ourselves():
    """SEC-14: the partner's name leads to our own listener."""
    with Lab("loop") as lab:
        def change(config):
            short(config)
            config["limits"]["queue_age_s_max"] = 6
        on = Ground(lab, dict(PLAIN, tls="optional"), change, evil_at=plan.FEDGATE)
        before = on.totals()
        on.component.say(JOE, ANN, "hello", ident="m1")
        kind, condition = on.component.gets_error("m1")
        check(condition in ("remote-server-timeout", "remote-server-not-found"), kind, condition)
        time.sleep(1.0)
        opened = on.totals()["streams_in_opened"] - before["streams_in_opened"]
        check(opened < 12, "it goes round and round:", opened)
        on.calm()


if __name__ == "__main__":
    main(authorities, unsolicited_in, tls_demanded, replay, floods, ourselves)
