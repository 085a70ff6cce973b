#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The four common rows of the negotiation table against Prosody and ejabberd, both directions: each
server as four of the six kinds of partners (doc/negotiation.table), rows exchanged by reload."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, LabError, case, check, main, plan
from lab.fedgate import partner
from lab.negotiation import METHODS, read_table, settings
from partners import JOE, UNREACHABLE, Stage

ROWS = (2, 7, 9, 17)  # R/R/F, R/O/T, O/O/T, N/N/T
# What makes a server of that kind. TLS is optional to those that have it, as in the table.
SERVERS = {
    "prosody": {
        "no-tls": {"secure_auth": False, "encryption": False, "tls": False},
        "valid": {"secure_auth": False, "encryption": False},
        "invalid": {"secure_auth": False, "encryption": False, "certificate": "selfie"},
        "no-dialback": {"dialback": False}},
    "ejabberd": {
        "no-tls": {"starttls": "false"},
        "valid": {"starttls": "optional"},
        "invalid": {"starttls": "optional", "certificate": "selfie"},
        "no-dialback": {"starttls": "required", "dialback": False}}}


class Table:
    """One server, one row after the other."""

    def __init__(self, lab, server, kind):
        domain = {"prosody": plan.FABRIKAM, "ejabberd": plan.CONTOSO}[server]
        if kind == "invalid":
            lab.certs.make(domain, name="selfie", ca="self")
        self.rows = {row.number: row for row in read_table()}
        self.kind = kind
        self.stage = Stage(lab, server, {}, with_row=False, **SERVERS[server][kind]).start()
        self.fedgate = self.stage.fedgate
        self.seen = self.figures()

    def figures(self):
        """(direction, what, name) -> count, of methods and of failed steps."""
        figures = self.fedgate.partner(self.stage.domain) or {}
        return {(way, what, name): count for way in ("in", "out")
                for what in ("authenticated", "failures")
                for name, count in figures.get(way, {}).get(what, {}).items()}

    def new_figures(self):
        """Those that rose since the last row."""
        now = self.figures()
        grown = {key for key, count in now.items() if count != self.seen.get(key, 0)}
        self.seen = now
        return grown

    def take(self, rows):
        """No streams of an earlier row are left: the partner was removed in between."""
        generation = self.fedgate.stats()["config_generation"]
        self.fedgate.config["partners"] = rows
        self.fedgate.reload()
        self.fedgate.wait_stats("reload", lambda s: s["config_generation"] != generation)
        self.fedgate.wait_stats("streams", lambda s: not s["shards"][0]["streams_out"]
                                and not s["shards"][0]["streams_in"])

    def run(self, number):
        row = self.rows[number]
        self.take([])
        self.take([partner(self.stage.domain, **settings(row))])
        self.new_figures()
        results = {"out": row.out[self.kind], "in": row.in_[self.kind]}
        self.messages(number, results)
        grown = self.new_figures()
        for way, result in results.items():
            methods = {key[2] for key in grown if key[:2] == (way, "authenticated")}
            failures = {key[2] for key in grown if key[:2] == (way, "failures")}
            if not result.startswith("!"):
                check(methods == {METHODS[result]} and not failures,
                      f"row {number}, {way}: expected", result, grown)
                continue
            # Who demands TLS and is not offered it: Prosody tries it, ejabberd says that it must.
            steps = ({"tls"}, {"policy"}) if number == 17 else ({result[1:]},)
            check(not methods and failures in steps, f"row {number}, {way}: expected", result,
                  grown)

    def failures_in(self):
        return sum(count for key, count in self.figures().items()
                   if key[:2] == ("in", "failures"))

    def say_until_refused(self, number, body):
        """The sender gets an error each time, one of them for a stream that came here."""
        before = self.failures_in()
        for _ in range(20):
            kind, condition = self.stage.ann.gets_error(self.stage.ann.say(JOE, body))
            check(condition in UNREACHABLE, f"row {number}: partner's sender", kind, condition)
            if self.failures_in() > before:
                return
            time.sleep(0.3)
        check(False, f"row {number}: no stream came")

    def say_until_heard(self, body):
        """ejabberd answers for up to a second by itself after a stream that failed."""
        for attempt in range(20):
            self.stage.ann.say(JOE, f"{body} {attempt}")
            try:
                self.stage.joe.hears(f"{body} {attempt}", 1 + attempt)
                return
            except LabError:
                pass
        check(False, "never heard", body)

    def messages(self, number, results):
        stage = self.stage
        body = f"row {number} from the partner"
        if results["in"].startswith("!"):
            self.say_until_refused(number, body)
        else:
            self.say_until_heard(body)
        body = f"row {number} to the partner"
        stage.joe.say(JOE, stage.ann.bare, body, ident=body)
        if results["out"].startswith("!"):
            kind, condition = stage.joe.gets_error(body)
            check(condition in UNREACHABLE, f"row {number}: inside sender", kind, condition)
        else:
            stage.ann.hears(body)


def rows(server, kind):
    with Lab(f"rows-{server}-{kind}") as lab:
        table = Table(lab, server, kind)
        for number in ROWS:
            table.run(number)


if __name__ == "__main__":
    main(*[case(f"{server}_{kind.replace('-', '_')}", rows, server, kind)
           for server, kinds in SERVERS.items() for kind in kinds])
