#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The negotiation table, cell by cell (doc/negotiation.table): every row that loads, with partners
of six kinds, dialled and dialling; what a row forbids, tried anyway; a row that is tightened under
live streams. Rows that do not load: negotiation_verdicts."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.negotiation import JOE, METHODS, Ground, cells_of, in_parallel, read_table
from lab.negotiator import KINDS, condition_of
from lab.process import HANG_S, wait_until
from lab.xmpp import END, local, message, text_of

# What a stanza's sender may be told when no stream comes about.
UNREACHABLE = {"remote-server-timeout", "remote-server-not-found"}


# --- what is offered ------------------------------------------------------------------------------

def check_namespace(cell, seen):
    """fedgate's headers advertise dialback where it is used."""
    check((not seen.plain or seen.plain.declared == (cell.row.offers in ("tcp", "both")))
          and (not seen.tls or seen.tls.declared == (cell.row.offers in ("tls", "both"))),
          f"{cell.domain}: namespace", seen)


def check_offers(cell, seen):
    """The first features and those inside TLS, as the row's columns say."""
    row, kind = cell.row, KINDS[cell.kind]
    starttls = None if row.starttls == "no" else row.starttls
    if seen.plain:
        check(seen.plain.starttls == starttls, f"{cell.domain}: STARTTLS", seen)
        check(seen.plain.external is None, f"{cell.domain}: mechanisms without TLS", seen)
        check(bool(seen.plain.dialback) == (row.offers in ("tcp", "both")),
              f"{cell.domain}: dialback without TLS", seen)
    check_namespace(cell, seen)
    if seen.tls:
        external = row.external == "valid" and kind.certificate == "good"
        check(seen.tls.external == (["EXTERNAL"] if external else None),
              f"{cell.domain}: mechanisms", seen)
        check(bool(seen.tls.dialback) == (row.offers in ("tls", "both")),
              f"{cell.domain}: dialback over TLS", seen)
        check(seen.tls.starttls is None, f"{cell.domain}: STARTTLS inside TLS", seen)


def check_asked(cell, seen):
    """What fedgate asked for on the stream that it opened, and said of itself."""
    row, kind = cell.row, KINDS[cell.kind]
    wanted = []
    if seen.plain and (row.starttls == "required" or (row.starttls == "offered" and kind.tls)):
        wanted.append("starttls")
    if not cell.result.startswith("!"):
        wanted.append("auth" if cell.result == "external" else "result")
    check(seen.steps == wanted, f"{cell.domain}: fedgate asked for", seen, wanted)
    check_namespace(cell, seen)


# --- one cell -------------------------------------------------------------------------------------

ERRORS = {"!certificate": "not-authorized", "!policy": "policy-violation"}


def they_dial(on, cell, is_direct=False):
    server = on.servers[cell.kind]
    stream, seen = server.dial(cell.domain, is_direct=is_direct)
    check_offers(cell, seen)
    if cell.result.startswith("!"):
        wanted = ERRORS.get(cell.result)
        check(seen.error == wanted and stream is None and seen.is_over,
              f"{cell.domain}: not refused as it should be", seen)
        return
    check(stream, f"{cell.domain}: refused", seen)
    wanted = "dialback-tls" if cell.result == "certificate" else cell.result
    check(seen.authenticated == wanted, f"{cell.domain}: authenticated", seen)
    stream.send(message(JOE, cell.domain, f"ann@{cell.domain}"))
    check(on.inside.hears(cell.domain) == f"ann@{cell.domain}", f"{cell.domain}: sender")


def we_dial(on, cell):
    server = on.servers[cell.kind]
    on.inside.say(cell.domain, cell.domain)
    if cell.result.startswith("!"):
        kind, condition = on.inside.error(cell.domain)
        check(condition in UNREACHABLE, f"{cell.domain}: the sender is told", kind, condition)
        streams = server.served[cell.domain]
        wait_until("the end", lambda: all(seen.is_over for seen in streams), 10)
        for seen in streams:
            check(seen.error == "policy-violation" and seen.authenticated is None
                  and not seen.stanzas, f"{cell.domain}: not refused as it should be", seen)
    else:
        streams = wait_until("a stream", lambda: server.served.get(cell.domain), 20)
        wait_until(f"the message of {cell.domain}: {streams}", lambda: streams[0].stanzas, 20)
        check(len(streams) == 1 and streams[0].authenticated == cell.result
              and [method for method, _ in streams[0].stanzas] == [cell.result],
              f"{cell.domain}: authenticated", streams)
    for seen in streams:
        check_asked(cell, seen)


def wrong_figures(cell, row):
    """Why the partner's figures are not those of the cell, or None."""
    figures = row[cell.way]
    methods = {name: count for name, count in figures["authenticated"].items() if count}
    failures = {name: count for name, count in figures["failures"].items() if count}
    if cell.result.startswith("!"):
        is_right = not methods and failures == {cell.result[1:]: 1}
    else:
        is_right = methods == {METHODS[cell.result]: 1} and not failures
    return None if is_right else f"{cell.domain}: {cell.result}, but {methods} {failures}"


def check_figures(on, cells):
    def wrong(stats):
        rows = stats["partners"]
        return [text for cell in cells if cell.domain not in rows
                or (text := wrong_figures(cell, rows[cell.domain]))]
    try:
        on.fedgate.wait_stats("the figures", lambda stats: not wrong(stats), 5)
    except TimeoutError:
        check(False, "figures:\n" + "\n".join(map(str, wrong(on.fedgate.stats()))))


def cells(backend):
    """Every field of the table: authenticated as it says by fedgate's figures and by what the
    partner saw, the stanza passes; or the step counted, the sender told, nothing passed."""
    rows = read_table()
    table = list(cells_of(rows))
    check(len(table) == 132, "cells", len(table))
    with Lab(f"cells-{backend}") as lab:
        on = Ground(lab, {cell.domain: cell.row for cell in table}, backend=backend)
        in_parallel(lambda cell: (we_dial if cell.way == "out" else they_dial)(on, cell), table)
        check_figures(on, table)
        check(set(on.inside.heard) == {cell.domain for cell in table if cell.way == "in"
                                       and not cell.result.startswith("!")}, "the inside heard")


def direct_tls(backend):
    """The same over direct TLS (XEP-0368) where the partner has TLS: as inside STARTTLS. A row that
    knows no TLS refuses it when dialled so, and dials without."""
    table = []
    for cell in cells_of(read_table()):
        if KINDS[cell.kind].tls:
            is_refused = cell.row.starttls == "no" and cell.way == "in"
            table.append(cell._replace(result="!policy" if is_refused else cell.result,
                                       domain=f"direct-{cell.domain}"))
    with Lab(f"direct-{backend}") as lab:
        on = Ground(lab, {cell.domain: cell.row for cell in table}, is_direct=True,
                    backend=backend)
        check(len(table) == 110, "cells", len(table))
        in_parallel(lambda cell: we_dial(on, cell) if cell.way == "out" else
                    they_dial(on, cell, is_direct=True), table)
        check_figures(on, table)
        for cell in table:
            for seen in on.servers[cell.kind].served.get(cell.domain, []):
                check(bool(seen.plain) == (cell.row.starttls == "no"), f"{cell.domain}: port", seen)


# --- what the row forbids -------------------------------------------------------------------------

def is_allowed(cell, how):
    """Whether the row lets a partner of that kind be authenticated so."""
    row = cell.row
    is_secured = "tls-" in how
    if how.endswith("auth"):
        return (is_secured and not how.startswith("nameless-") and row.external == "valid"
                and KINDS[cell.kind].certificate == "good")
    if how.endswith("result"):
        offers = row.offers if row.starttls != "no" or not is_secured else "no"
        return offers in (("tls", "both") if is_secured else ("tcp", "both"))
    return False


def attempts_of(cell):
    ways = ["bare", "auth", "result", "nameless-result"]
    if KINDS[cell.kind].tls:
        ways += ["tls-bare", "tls-auth", "tls-result", "nameless-tls-auth", "nameless-tls-result"]
    return [how for how in ways if not is_allowed(cell, how)]


def attempt_all(on, cell):
    for how in attempts_of(cell):
        answers = on.servers[cell.kind].attempt(cell.domain, how, {
            "to": JOE, "from": f"ann@{cell.domain}", "body": f"{cell.domain} {how}"})
        check({"error", "failure", "not-authorized"} & set(answers)
              and not {"success", "valid"} & set(answers),
              f"{cell.domain}: {how} was answered", answers)


def attempts():
    """They dial: before TLS, inside it, after a refused EXTERNAL, after a refused key, with a name
    in the header and without: whatever the row leaves no way to. A stanza behind that ends the
    stream and is seen by nobody; no key is asked about."""
    table = [cell for cell in cells_of(read_table()) if cell.way == "in"]
    with Lab("attempts") as lab:
        on = Ground(lab, {cell.domain: cell.row for cell in table})
        count = sum(len(attempts_of(cell)) for cell in table)
        check(count == 431, "attempts", count)
        in_parallel(lambda cell: attempt_all(on, cell), table)
        stats = on.fedgate.stats()
        for cell in table:
            figures = stats["partners"][cell.domain]
            check(not any(figures["in"]["authenticated"].values()), cell.domain, figures)
            check(figures["in"]["stanzas"] == 0, cell.domain, figures)
        check(stats["totals"]["streams_in_opened"] == count, "streams", stats["totals"])
        check(stats["totals"]["stanzas_in_partner"] == 0 and not on.inside.heard,
              "the inside heard", on.inside.heard)
        check(not any(server.served for server in on.servers.values()), "fedgate dialled")


# kind of partner, row of the stream's domain, row of its neighbour, what the neighbour's key meets
NEIGHBOURS = (
    ("no-tls", 17, 2, "policy-violation"), ("no-tls", 17, 7, "policy-violation"),
    ("no-tls", 9, 13, "policy-violation"), ("no-tls", 15, 10, "policy-violation"),
    ("no-tls", 17, 15, "valid"), ("valid", 2, 3, "not-authorized"),
    ("valid", 2, 17, "policy-violation"), ("valid", 2, 7, "valid"), ("valid", 1, 13, "valid"),
    ("invalid", 7, 2, "not-authorized"), ("invalid", 13, 17, "policy-violation"),
    ("invalid", 13, 9, "valid"), ("no-external", 9, 8, "not-authorized"),
    ("no-external", 13, 7, "valid"))


class Neighbour:
    """Two domains on one server: a stream of the first, then a key for the second on it."""

    def __init__(self, rows, kind, first, second, answer):
        self.kind, self.answer = kind, answer
        self.first = f"n{first}beside{second}.{kind}.test"
        self.second = f"n{second}behind{first}.{kind}.test"
        self.rows = {self.first: rows[first - 1], self.second: rows[second - 1]}

    def __repr__(self):
        return f"{self.second} on a stream of {self.first}"

    def run(self, on):
        server = on.servers[self.kind]
        stream, seen = server.dial(self.first)
        check(stream, "refused", seen)
        # The key must be of the latest stream: behind EXTERNAL that is a third one.
        server.send_result(stream, self.second, seen.ident)
        result = stream.expect("result")
        check(self.answer in (condition_of(result), result.get("type")), "answer", result.attrib,
              condition_of(result))
        stream.send(message(JOE, self.second, f"ann@{self.second}"))
        if self.answer == "valid":
            on.inside.hears(self.second)
            stream.send(message(JOE, self.first, f"ann@{self.first}"))
            on.inside.hears(self.first)
            return
        error = stream.expect("error")
        check(condition_of(error) == "invalid-from", "ended with", condition_of(error))
        stream.expect("end")
        check(self.second not in on.inside.heard, "the stanza passed")


def neighbours():
    """A stream that one row let in does not serve a domain whose own row is not met."""
    rows = read_table()
    pairs = [Neighbour(rows, *pair) for pair in NEIGHBOURS]
    with Lab("neighbours") as lab:
        on = Ground(lab, {domain: row for pair in pairs for domain, row in pair.rows.items()})
        in_parallel(lambda pair: pair.run(on), pairs)


def pretend(stream, place, domain):
    """As if fedgate were authenticated, and we: proofs that it did not ask for, then a stanza."""
    proofs = ("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
              "<db:result xmlns:db='jabber:server:dialback' type='valid' "
              f"from='{domain}' to='{plan.APP}'/>")
    if domain.split("-")[2].startswith(place):
        try:
            stream.send(proofs + message(JOE, f"{domain} {place}", f"ann@{domain}"))
        except OSError:  # it has hung up
            pass


def pretences():
    """We dial, and the row is not met: the partner says that all is well and sends a stanza, before
    TLS, inside it, or behind our stream error: nothing gets in, and nothing of ours gets out."""
    table = []
    for cell in cells_of(read_table()):
        if cell.way == "out" and cell.result.startswith("!"):
            places = ["plain", "late"]
            if KINDS[cell.kind].tls and cell.row.starttls != "no":
                places.append("tls")
            table += [cell._replace(domain=f"r{cell.row.number}-out-{place}.{cell.kind}.test")
                      for place in places]
    with Lab("pretences") as lab:
        on = Ground(lab, {cell.domain: cell.row for cell in table}, queue_age_s_max=3)
        check(len(table) == 92, "pretences", len(table))
        for cell in table:
            on.servers[cell.kind].mischief[cell.domain] = pretend

        def one(cell):
            on.inside.say(cell.domain, cell.domain)
            check(on.inside.error(cell.domain)[1] in UNREACHABLE, "error",
                  on.inside.errors[cell.domain])
            for seen in on.servers[cell.kind].served[cell.domain]:
                check(not seen.stanzas, f"{cell.domain}: stanzas", seen)
        in_parallel(one, table)
        stats = on.fedgate.stats()
        for cell in table:
            figures = stats["partners"][cell.domain]
            check(not any(figures["out"]["authenticated"].values())
                  and figures["out"]["stanzas"] == 0, cell.domain, figures)
            check(figures["out"]["failures"], cell.domain, figures)
        check(stats["totals"]["stanzas_in_partner"] == 0 and not on.inside.heard,
              "the inside heard", on.inside.heard)


# --- a row that changes under live streams --------------------------------------------------------

# direction, kind of partner, row before, row after
CHANGES = (
    ("in", "valid", 2, 13), ("in", "valid", 7, 17), ("in", "no-external", 7, 2),
    ("in", "no-external", 9, 13), ("in", "no-external", 13, 2), ("in", "invalid", 9, 17),
    ("in", "no-tls", 17, 13), ("in", "no-tls", 9, 7), ("in", "no-tls", 15, 2),
    ("out", "valid", 2, 13), ("out", "no-dialback", 9, 15), ("out", "valid", 13, 2),
    ("out", "invalid", 9, 2), ("out", "valid", 17, 13), ("out", "no-tls", 9, 7),
    # these go on
    ("in", "valid", 2, 7), ("in", "valid", 9, 10), ("in", "invalid", 13, 7),
    ("in", "no-external", 7, 9), ("in", "no-tls", 17, 15), ("out", "valid", 7, 8),
    ("out", "invalid", 15, 7), ("out", "no-tls", 17, 9))


def is_still_a_way(method, row):
    return {"external": row.external == "valid",
            "certificate": row.external == "valid" and row.offers in ("tls", "both"),
            "dialback-tls": row.offers in ("tls", "both"),
            "dialback-tcp": row.offers in ("tcp", "both")}[method]


class Change:
    """One partner whose row changes: its stream before, and what must become of it."""

    def __init__(self, rows, way, kind, before, after):
        self.way, self.kind = way, kind
        self.before, self.after = rows[before - 1], rows[after - 1]
        self.domain = f"c{before}to{after}-{way}.{kind}.test"
        self.stream = None
        self.method = (self.before.in_ if way == "in" else self.before.out)[kind]
        self.goes_on = is_still_a_way(self.method, self.after)

    def __repr__(self):
        return f"{self.domain} by {self.method}"

    def say(self, body):
        self.stream.send(message(JOE, body, f"ann@{self.domain}"))

    def open(self, on):
        body = f"{self.domain} before"
        server = on.servers[self.kind]
        if self.way == "in":
            self.stream, _ = server.dial(self.domain)
            self.say(body)
            on.inside.hears(body)
            return
        on.inside.say(self.domain, body)
        seen = wait_until("a stream", lambda: server.served.get(self.domain), 20)[0]
        wait_until("the message", lambda: seen.stanzas, 20)
        check(seen.authenticated == self.method, "authenticated", seen)

    def judge(self, on):
        body = f"{self.domain} after"
        if self.way == "out":
            self.judge_out(on, body)
        elif self.goes_on:
            self.say(body)
            on.inside.hears(body)
        else:
            try:
                self.say(body)
            except OSError:  # closed already, as it should be
                pass
            error = self.stream.wait(lambda e: local(e) == "error")
            check(error[0].tag.endswith("policy-violation"), "closed with", error[0].tag)
            self.stream.expect("end")
            check(body not in on.inside.heard, "the stanza passed")

    def judge_out(self, on, body):
        on.inside.say(self.domain, body)
        served = on.servers[self.kind].served[self.domain]
        result = self.after.out[self.kind]
        if result.startswith("!"):
            check(on.inside.error(body)[1] in UNREACHABLE, "error", on.inside.errors)
        else:
            wait_until(f"the message {served}", lambda: len(
                [1 for seen in served for _ in seen.stanzas]) == 2, 20)
        got = [[(method, text_of(stanza, "body")) for method, stanza in seen.stanzas]
               for seen in served]
        first = (self.method, f"{self.domain} before")
        if self.goes_on:
            check(got == [[first, (self.method, body)]], "streams", got)
        else:
            check(got[0] == [first] and served[0].error == "policy-violation", "the old", served)
            check(sum(got[1:], []) == ([] if result.startswith("!") else [(result, body)]),
                  "the new", got)


# kind of partner, row before, row after
HALFWAY = (("valid", 7, 13), ("valid", 2, 13), ("valid", 9, 17), ("no-dialback", 8, 15),
           ("no-external", 13, 2), ("invalid", 7, 2), ("no-tls", 17, 13), ("no-tls", 9, 7))


class Halfway:
    """A partner whose row changes between the offer and the proof: EXTERNAL was offered and is sent
    afterwards, or the key is sent and confirmed afterwards."""

    def __init__(self, rows, kind, before, after):
        self.kind = kind
        self.before, self.after = rows[before - 1], rows[after - 1]
        self.domain = f"h{before}to{after}.{kind}.test"
        self.stream = None

    def __repr__(self):
        return self.domain

    def open(self, on):
        server = on.servers[self.kind]
        self.stream, seen, ident = server.connect(self.domain)
        if KINDS[self.kind].tls:
            ident = server.secure(self.stream, seen, self.domain)
        if KINDS[self.kind].external and seen.tls.external:
            return
        server.asked[self.domain] = threading.Event()
        server.held[self.domain] = threading.Event()
        server.send_result(self.stream, self.domain, ident)
        check(server.asked[self.domain].wait(HANG_S), "the key was not asked about")

    def judge(self, on):
        server = on.servers[self.kind]
        if self.domain in server.held:
            server.held[self.domain].set()
        answers = []
        try:
            if self.domain not in server.held:
                server.send_auth(self.stream, self.domain)
            answers.append(self.stream.received(20))
            self.stream.send(message(JOE, self.domain, f"ann@{self.domain}"))
        except OSError:  # closed already
            pass
        while answers[-1:] != [END]:
            answers.append(self.stream.received(20))
        shown = [(local(a), a.get("type"), condition_of(a)) for a in answers if a is not END]
        check(shown and not {"success", "valid"} & {word for words in shown for word in words},
              "answers", shown)
        check(self.domain not in on.inside.heard, "the stanza passed", shown)


def changed_rows():
    """A reload changes rows while streams are up: those whose way the row no longer has are closed
    with policy-violation and carry nothing more, in either direction; the others carry on."""
    rows = read_table()
    changes = [Change(rows, *change) for change in CHANGES]
    both = changes + [Halfway(rows, *change) for change in HALFWAY]
    with Lab("changed") as lab:
        on = Ground(lab, {change.domain: change.before for change in both})
        in_parallel(lambda change: change.open(on), both)
        on.reload({change.domain: change.after for change in both})
        in_parallel(lambda change: change.judge(on), both)
        # A row that does not load changes nothing.
        on.reload_refused({change.domain: rows[4] for change in changes})
        for change in changes:
            if change.way == "in" and change.goes_on:
                change.say(f"{change.domain} still")
                on.inside.hears(f"{change.domain} still")


if __name__ == "__main__":
    main(*[case(f"{test.__name__}_{backend}", test, backend)
           for backend in ("wolfssl", "mbedtls") for test in (cells, direct_tls)],
         attempts, neighbours, pretences, changed_rows)
