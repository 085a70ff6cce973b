#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fedgatectl partner and policy: the file keeps what a person wrote, what would not load is not
saved, a running node takes what was saved, and bad input of every kind changes nothing."""
import concurrent.futures
import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.fedgate import Fedgate, corp_dns, ctl_binary, partner, run_ctl
from lab.peer import Peer
from lab.process import HANG_S, show_time, wait_until
from lab.xmpp import END, Component

JOE = "joe@app.corp.test"
PEER = "scripted.test"
ANN = f"ann@{PEER}"
PEER_USED = ("add", PEER, "type=federated", "TlsNegotiation=Required", "sasl=required",
             "SupportDialbackNegotiation=False")
KILLS = 8


def stage(lab, *partners):
    """A node with a component inside; nothing of it fails when the peer is removed."""
    corp_dns(lab)
    lab.dns.xmpp(PEER, plan.SCRIPTED)
    node = Fedgate(lab, partners=partners).start()
    return node, lab.own(Component(plan.APP, "inside"))


def generation(node):
    status = node.ctl("--json", "--admin", node.admin_path, "status")
    return status["config"]["generation"]


def read(path):
    with open(path, "rb") as text:
        return text.read()


def write(path, content):
    with open(path, "wb") as text:
        text.write(content if isinstance(content, bytes) else content.encode())


class Watched(Peer):
    """Tells when the first accepted stream has ended."""

    def __init__(self, lab, domain):
        super().__init__(lab, domain)
        self.ended = threading.Event()

    def _serve(self, connected):
        super()._serve(connected)
        self.ended.set()


# -- a running node --------------------------------------------------------------------------------

def added_partner_is_used_and_removed_one_is_out():
    with Lab("ctl-edit") as lab:
        node, joe = stage(lab, partner(plan.FABRIKAM))
        peer = Watched(lab, PEER).listen()
        joe.say(JOE, ANN, "too early", ident="m0")
        joe.gets_error("m0")
        before = generation(node)
        said = node.ctl("partner", *PEER_USED, "--reload")
        check("added scripted.test" in said and "1 added" in said, "add said", said)
        check(generation(node) == before + 1, "not reloaded")
        joe.say(JOE, ANN, "hello")
        check(peer.inbox.get(timeout=HANG_S) is not None, "nothing arrived")
        inwards = peer.dial(plan.APP)
        inwards.send(f"<message to='{JOE}' from='{ANN}' type='chat'><body>back</body></message>")
        joe.hears("back")
        shown = node.ctl("partner", "show", PEER)
        for text in ("row 2 of 18", "incoming     ", "outgoing     1 streams",
                     "authenticated: external 1"):
            check(text in shown, f"show lacks {text}", shown)
        running = node.ctl("--json", "partner", "show", PEER)["running"]
        check(running["figures"]["in"]["authenticated"]["external"] >= 1, "figures", running)

        begin = time.monotonic()
        node.ctl("partner", "remove", PEER, "--reload")
        done = time.monotonic()
        while inwards.received() is not END:
            check(time.monotonic() < begin + HANG_S, "the incoming stream lives on")
        check(peer.ended.wait(HANG_S), "the outgoing stream lives on")
        show_time("streams of a removed partner lived on for", time.monotonic() - done)
        joe.say(JOE, ANN, "too late", ident="m1")
        joe.gets_error("m1")
        node.ctl("partner", "show", PEER, status=66)


def failures_are_shown_by_step():
    with Lab("ctl-edit") as lab:
        node, joe = stage(lab, partner(PEER))
        joe.say(JOE, ANN, "nobody listens there", ident="m0")
        shown = wait_until("a failure in show", lambda: find_failure(node), 15)
        check("outgoing" in shown, "direction", shown)
        figures = node.ctl("--json", "partner", "show", PEER)["running"]["figures"]
        check(figures["out"]["last_failures"], "last failures", figures)
        listed = node.ctl("partner", "list", "--problems")
        check(PEER in listed and "no outgoing stream, last failure" in listed, "problems", listed)
        listed = json.loads(run_ctl("--config", node.config_path, "--json", "partner", "list",
                                    "--problems").stdout)
        check("no outgoing stream" in listed["partners"][0]["problems"][0], "problems", listed)


def find_failure(node):
    shown = node.ctl("partner", "show", PEER)
    return shown if "last at step connect" in shown or "last at step tcp" in shown else None


def policies_reach_the_node():
    with Lab("ctl-edit") as lab:
        node, joe = stage(lab, partner(PEER))
        peer = Peer(lab, PEER).listen()
        joe.say(JOE, ANN, "one")
        peer.inbox.get(timeout=HANG_S)
        node.ctl("policy", "set", "global", "xmpp=false", "--reload")
        joe.say(JOE, ANN, "two", ident="m2")
        check(joe.gets_error("m2")[1] == "forbidden", "global false")
        shown = node.ctl("policy", "show", JOE)
        check("access.global" in shown and "XMPP partners: no" in shown, "show", shown)
        node.ctl("policy", "set", "user:friends", "EnableXmppAccess=True", f"members={JOE}",
                 "--reload")
        joe.say(JOE, ANN, "three")
        check("three" in text_in(peer.inbox.get(timeout=HANG_S)), "user policy")
        shown = node.ctl("--json", "policy", "show", JOE)
        check(shown["policy"] == 'access.users["friends"]' and shown["xmpp"], "show", shown)
        node.ctl("policy", "block", ANN, "--reload")
        joe.say(JOE, ANN, "four", ident="m4")
        check(joe.gets_error("m4")[1] == "forbidden", "blocked")
        check(ANN in node.ctl("policy", "blocked"), "blocked does not say")
        node.ctl("policy", "unblock", ANN, "--reload")
        node.ctl("policy", "revoke", "user:friends", JOE, "--reload")
        joe.say(JOE, ANN, "five", ident="m5")
        check(joe.gets_error("m5")[1] == "forbidden", "revoked")


def what_the_node_does_not_take_is_told():
    """Another file than the node's, a node that is not there: saved all the same."""
    with Lab("ctl-edit") as lab:
        node, _ = stage(lab, partner(PEER))
        page = Page(lab)
        done = page.ctl("--admin", node.admin_path, "partner", "add", "new.test", "--reload",
                        status=78)
        check("saved, but" in done.stderr and node.config_path in done.stderr, "said", done.stderr)
        check("new.test" in page.text(), "not saved")
        done = page.ctl("--admin", page.path + ".sock", "--json", "partner", "remove", "new.test",
                        "--reload", status=69)
        document = json.loads(done.stdout)
        check(document["saved"] and not document["reload"]["ok"], "document", document)
        check("new.test" not in page.text(), "not removed")
        # Nobody of ours may use what is added: told at once, not found out later.
        page.put(HAND_WRITTEN.replace('"access": {"global": {"xmpp": true}},', ""))
        done = page.ctl("partner", "add", "new.test")
        check("none of our users may talk" in done.stderr, "access", done.stderr)


def what_a_change_brings_is_told():
    """Warnings of the changed object and those that were not there before, and no others."""
    with Lab("ctl-edit") as lab:
        page = Page(lab)
        nobody, useless = "lets nobody talk to partners", "counts for nobody"
        check(nobody in page.ctl("policy", "set", "global", "xmpp=false").stderr, "cut off")
        check("" == page.ctl("policy", "block", "bad.test").stderr, "old news")
        page.ctl("policy", "set", "global", "xmpp=true")
        check(nobody in page.ctl("policy", "remove", "global", "--dry-run").stderr, "removed")
        check(useless in page.ctl("policy", "set", "user:x", "xmpp=true").stderr, "no members")
        check("partner" in page.ctl("policy", "block", "bank.test").stderr, "a partner blocked")
        check("" == page.ctl("policy", "block", "evil.test").stderr, "nothing new")
        check(useless not in page.ctl("partner", "remove", "old.test").stderr, "nor here")


def text_in(element):
    return "".join(element.itertext())


# -- the file --------------------------------------------------------------------------------------

HAND_WRITTEN = """\
// The edge of corp.test.                               (keep this)
{
\t"node": {"name": "edge.corp.test", "state_dir": "STATE"}, // one node
\t"domains": [{"name": "app.corp.test", "next_hop": "app"}],
\t"next_hops": {"app": {"kind": "component", "secret": "do-not-show-me"}},
\t"listen": {"component": ["127.0.0.1:5347"]}, "tls": {"certificate": "c.pem", "key": "k.pem"},

\t/* Who may talk:
\t   everybody. */
\t"access": {"global": {"xmpp": true}},
\t"partners": [
\t\t// Ours since 2009.
\t\t{"domain": "old.test", "tls": "not_supported", "sasl": "not_supported"},  // Google-like

\t\t// The bank. Ask Eve before you change it.
\t\t{
\t\t\t"domain": "bank.test", // primary
\t\t\t"tls": "not_supported",
\t\t\t"sasl": "not_supported",
\t\t\t"additional_domains": [
\t\t\t\t"a.bank.test", // savings
\t\t\t\t"b.bank.test"  // loans
\t\t\t]
\t\t}
\t\t// {"domain": "not-yet.test"}
\t]
}
"""


class Page:
    """A configuration without a node."""

    def __init__(self, lab, content=HAND_WRITTEN):
        self.folder = lab.folder("page")
        self.path = os.path.join(self.folder, "fedgate.conf")
        self.put(content)

    def put(self, content):
        write(self.path, content if isinstance(content, bytes)
              else content.replace("STATE", self.folder))

    def text(self):
        return read(self.path).decode()

    def ctl(self, *arguments, status=0):
        done = run_ctl("--config", self.path, *arguments, folder=self.folder)
        check(done.returncode == status, f"{arguments} ended with {done.returncode}", done.stdout,
              done.stderr)
        return done

    def refuses(self, words, *arguments, status=65):
        """The command fails, says all of words, and leaves the file alone."""
        before = read(self.path)
        done = self.ctl(*arguments, status=status)
        for word in words:
            check(word in done.stderr, f"{arguments}: no {word!r} in", done.stderr)
        check(read(self.path) == before, f"{arguments} changed the file")
        check(os.listdir(self.folder).count("fedgate.conf") == 1 and
              not [n for n in os.listdir(self.folder) if ".new-" in n], "left behind")
        return done.stderr


def what_a_person_wrote_stays():
    """Each change and its undoing: the file is the same bytes again, with any line ends."""
    ways = (
        (("partner", "add", "new.test", "tls=optional", "sasl=optional"),
         ("partner", "remove", "new.test")),
        (("partner", "set", "bank.test", "additional_domains+=c.bank.test"),
         ("partner", "set", "bank.test", "additional_domains-=c.bank.test")),
        (("partner", "set", "bank.test", "tls=optional"),
         ("partner", "set", "bank.test", "TlsNegotiation=NotSupported")),
        (("partner", "set", "old.test", "connection_limit=7"),
         ("partner", "set", "old.test", "ConnectionLimit=")),
        (("policy", "set", "global", "xmpp=false"), ("policy", "set", "global", "xmpp=true")),
        (("policy", "set", "user:x", "xmpp=true", "members=joe@app.corp.test"),
         ("policy", "remove", "user:x")))
    with Lab("ctl-edit") as lab:
        page = Page(lab)
        for bom, line_end in ((b"", b"\n"), (b"\xef\xbb\xbf", b"\r\n")):
            page.put(bom + HAND_WRITTEN.replace("STATE", page.folder).encode().replace(
                b"\n", line_end))
            for there, back in ways:
                before = read(page.path)
                dry = page.ctl("--json", *there, "--dry-run")
                check(read(page.path) == before, "a dry run saved", there)
                page.ctl(*there)
                after = read(page.path)
                check(after != before, "nothing changed", there)
                check(diff_of(page, before, after) == json.loads(dry.stdout)["diff"].replace(
                    " (new)", ""), "the diff is another one", there)
                page.ctl(*back)
                # An object that was made on the way stays, empty.
                now = read(page.path).replace(b', "users": {}', b"")
                check(now == before, "not the same again", there, now.decode())
        check("do-not-show-me" not in dry.stdout, "a secret in a diff")


def diff_of(page, before, after):
    """As diff(1) has it; the secret covered as in ours."""
    for name, content in (("a", before), ("b", after)):
        write(os.path.join(page.folder, name), content.replace(b"\r\n", b"\n"))
    text = subprocess.run(["diff", "-u", "--label", page.path, "--label", page.path, "a", "b"],
                          cwd=page.folder, text=True, capture_output=True).stdout
    for name in ("a", "b"):
        os.unlink(os.path.join(page.folder, name))
    return text.replace("\t", "\\u{9}").replace("\ufeff", "\\u{feff}").replace(
        "do-not-show-me", "...")


def edits_at_the_same_time_are_all_there():
    with Lab("ctl-edit") as lab:
        page = Page(lab)
        names = [f"p{i}.test" for i in range(16)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: page.ctl("partner", "add", name, "dialback=false"), names))
        listed = json.loads(page.ctl("--json", "partner", "list").stdout)
        check({p["domain"] for p in listed["partners"]} >= set(names), "lost", listed["count"])
        check(listed["count"] == len(names) + 2, "count", listed["count"])


def full_disk_leaves_the_old_file():
    with Lab("ctl-edit") as lab:
        folder = lab.folder("small")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
        try:
            page = Page(lab)
            page.folder, page.path = folder, os.path.join(folder, "fedgate.conf")
            page.put(HAND_WRITTEN + "// " + 40000 * "x" + "\n")
            page.refuses(("No space left",), "partner", "add", "new.test", status=74)
        finally:
            subprocess.run(["umount", folder], check=True)


def export_is_what_the_old_product_writes():
    with Lab("ctl-edit") as lab:
        page = Page(lab)
        rows = json.loads(page.ctl("partner", "export").stdout)
        check([row["Identity"] for row in rows] == ["old.test", "bank.test"], "rows", rows)
        check(rows[1]["AdditionalDomains"] == ["a.bank.test", "b.bank.test"], "domains", rows[1])
        check(rows[0]["TlsNegotiation"] == "NotSupported", "enumerations by name", rows[0])
        one = json.loads(page.ctl("partner", "export", "b.bank.test").stdout)
        check(one == rows[1], "one is a bare object", one)
        said = page.ctl("partner", "remove", "old.test", "bank.test", "OLD.test").stdout
        check(said.count("removed ") == 2, "named twice is told once", said)
        check(page.ctl("partner", "export").stdout == "[]\n", "none")
        # What export wrote, said to add as it is: the same partner.
        words = [f"{key}={value if not isinstance(value, list) else ','.join(value)}"
                 for key, value in rows[1].items()
                 if value is not None and value != [] and key != "Identity"]
        page.ctl("partner", "add", "bank.test", *words)
        check(json.loads(page.ctl("partner", "export", "bank.test").stdout) == rows[1], "again")


# -- bad input -------------------------------------------------------------------------------------

def commands_refuse_what_would_not_load():
    with Lab("ctl-edit") as lab:
        page = Page(lab)
        page.refuses(("already", "line 16", "partner set"), "partner", "add", "B.BANK.test")
        page.refuses(("is our own domain",), "partner", "add", "app.corp.test")
        page.refuses(("additional_domains[2]", "already a name of partners[0]"), "partner", "set",
                     "bank.test", "additional_domains+=old.test")
        page.refuses(("xn--a.test", "not allowed"), "partner", "add", "xn--a.test")
        page.refuses(("label",), "partner", "add", "a..test")
        page.refuses(("sasl-needs-tls", "demands TLS", "not saved", "text that results"),
                     "partner", "set", "bank.test", "sasl=optional")
        page.refuses(("no-authentication",), "partner", "set", "bank.test", "dialback=false")
        page.refuses(("did you mean connection_limit",), "partner", "set", "bank.test",
                     "conection_limit=3", status=64)
        page.refuses(("must be a whole number from 1 to 100000",), "partner", "set", "bank.test",
                     "connection_limit=0")
        page.refuses(("must be a whole number",), "partner", "set", "bank.test",
                     "connection_limit=many")
        page.refuses(("required, optional, not_supported", "did you mean"), "partner", "set",
                     "bank.test", "tls=requird")
        page.refuses(("did you mean \"bank.test\"",), "partner", "set", "bnak.test", "tls=required",
                     status=66)
        page.refuses(("additional domain of \"bank.test\"", "additional_domains-="), "partner",
                     "remove", "a.bank.test")
        page.refuses(("no list",), "partner", "set", "bank.test", "tls+=required")
        page.refuses(("does not hold",), "partner", "set", "bank.test",
                     "additional_domains-=z.bank.test")
        page.refuses(("control character",), "partner", "set", "bank.test",
                     "description=\x1b[2J")
        page.refuses(("global, site:NAME",), "policy", "set", "globl", "xmpp=true", status=64)
        page.refuses(("there is no \"user:x\"", "policy list"), "policy", "grant", "user:x", JOE,
                     status=66)
        page.refuses(("is not blocked",), "policy", "unblock", ANN, status=66)
        page.refuses(("of a domain of ours",), "policy", "block", JOE)
        shown = json.loads(page.ctl("--json", "partner", "set", "bank.test", "sasl=optional",
                                    status=65).stdout)
        check(shown["problems"][0]["path"] == "partners[1].sasl" and shown["problems"][0]["line"],
              "problems", shown)


def good(page, **changes):
    """A configuration that loads, as bytes."""
    config = {"node": {"name": "edge.corp.test", "state_dir": page.folder},
              "domains": [{"name": plan.APP, "next_hop": "app"}],
              "next_hops": {"app": {"kind": "component", "secret": "do-not-show-me"}},
              "listen": {"component": ["127.0.0.1:5347"]},
              "tls": {"certificate": "c.pem", "key": "k.pem"},
              "access": {"global": {"xmpp": True}}, "partners": []}
    config.update(changes)
    return json.dumps(config, indent=1).encode()


def tcp(domain, **changes):
    return {"domain": domain, "tls": "not_supported", "sasl": "not_supported", **changes}


def bad_files(page):
    """(what, bytes, words that the message must hold)."""
    fine = good(page)
    yield "duplicate", good(page, partners=[tcp("a.test"), tcp("A.test")]), (
        "partners[1].domain", "partners[0]", "one place only")
    yield "ours", good(page, partners=[tcp(plan.APP)]), ("is our own domain",)
    yield "idna", good(page, partners=[tcp("xn--a.test")]), ("partners[0].domain",)
    yield "row", good(page, partners=[tcp("a.test", sasl="required")]), ("sasl-needs-tls",)
    yield "unknown key", good(page, partners=[tcp("a.test", keepalife=True)]), ("keepalive",)
    yield "type", good(page, partners=[tcp("a.test", dialback="yes")]), ("true or false",)
    yield "not UTF-8", fine.replace(b"edge.", b"edg\xe9."), ("0xe9", "UTF-8")
    yield "UTF-16", fine.decode().encode("utf-16"), ("UTF-16",)
    yield "half", fine[:len(fine) // 2], ("still open",)
    yield "empty", b"", ("nothing in the file",)
    yield "deep", fine[:-2] + b',"x":' + b"[" * 100000 + b"]" * 100000 + b"}", ("nested",)
    yield "10 MB of one text", fine[:-2] + b',"x":"' + b"a" * 10_000_000 + b'"}', ("x",)
    yield "10 MB of blanks, half", b" " * 10_000_000 + fine[:-2], ("still open",)
    yield "70 MB", b" " * 70_000_000 + fine, ("at most",)


def bad_files_change_nothing():
    """check, reload and every editing command say where it is wrong; the node goes on."""
    with Lab("ctl-edit") as lab:
        node, joe = stage(lab, partner(PEER))
        peer = Peer(lab, PEER).listen()
        page = Page(lab)
        page.folder, page.path = node.folder, node.config_path
        original = read(node.config_path)
        before = generation(node)
        for what, content, words in bad_files(page):
            page.put(content)
            check(read(page.path) == content, "not written", what)
            said = page.ctl("check", status=78).stderr
            for word in words:
                check(word in said, f"{what}: no {word!r} in", said[:500])
            check("do-not-show-me" not in said, "a secret in a message", what)
            page.ctl("--admin", node.admin_path, "reload", status=78)
            page.refuses((), "partner", "add", "new.test",
                         status=65 if what == "70 MB" else 78)
        check(generation(node) == before, "a bad file was taken")
        joe.say(JOE, ANN, "still there")
        check("still there" in text_in(peer.inbox.get(timeout=HANG_S)), "not delivered")
        write(node.config_path, original)


def large_files_are_edited():
    """10 MB of partners: added, found, removed; the rest stays byte for byte."""
    with Lab("ctl-edit") as lab:
        page = Page(lab)
        rows = [tcp(f"p{i}.large.test", description="x" * 60) for i in range(60_000)]
        page.put(good(page, partners=rows))
        before = read(page.path)
        check(len(before) > 10_000_000, "too small", len(before))
        page.ctl("partner", "add", "new.test", "dialback=false")
        page.ctl("partner", "set", "p25000.large.test", "description=")
        after = read(page.path)
        check(0 < len(before) - len(after) + 60 < 200, "sizes", len(before), len(after))
        page.ctl("partner", "set", "p25000.large.test", "description=" + "x" * 60)
        page.ctl("partner", "remove", "new.test")
        check(read(page.path) == before or len(read(page.path)) == len(before), "not the same")


def killed_at_any_time_the_file_is_whole():
    """kill -9 while 3 MB are read, loaded, written (tests/unit/ctl/save_test.c has every single
    step): the old text or the new, and the next command finds no trace."""
    with Lab("ctl-edit") as lab:
        page = Page(lab)
        page.put(good(page, partners=[tcp(f"p{i}.large.test", description="x" * 60)
                                      for i in range(20_000)]))
        old = read(page.path)
        begin = time.monotonic()
        page.ctl("partner", "add", "new.test", "dialback=false")
        whole_s = time.monotonic() - begin
        new = read(page.path)
        seen, left = set(), 0
        for i in range(KILLS):
            write(page.path, old)
            with subprocess.Popen([ctl_binary(), "--config", page.path, "partner", "add",
                                   "new.test", "dialback=false"], stdout=subprocess.DEVNULL) as one:
                try:
                    one.wait(whole_s * (0.5 + 0.6 * i / KILLS))
                except subprocess.TimeoutExpired:
                    one.kill()
            seen.add("old" if read(page.path) == old else "new")
            check(read(page.path) in (old, new), "a text that is neither")
            left += len(os.listdir(page.folder)) > 1
        page.ctl("partner", "set", "p1.large.test", "description=y")
        check(os.listdir(page.folder) == ["fedgate.conf"], "left", os.listdir(page.folder))
        print(f"killed {KILLS} times: {seen}, a rest {left} times")
        check("old" in seen, "never killed before the end")


# -- documents -------------------------------------------------------------------------------------

CHANGED = {"file", "changed", "dry_run", "saved", "diff", "warnings", "reload", "action"}
DOCUMENTS = (
    (("partner", "list"), {"partners", "count"}),
    (("partner", "list", "--problems"), {"partners", "count"}),
    (("partner", "list", "--type", "Federated"), {"partners", "count"}),
    (("partner", "show", "bank.test"), {"domain", "file", "line", "by_suffix_match", "properties",
                                        "negotiation", "warnings", "running", "running_error"}),
    (("partner", "add", "new.test"), CHANGED | {"domain", "negotiation"}),
    (("partner", "set", "new.test", "acks=ping"), CHANGED | {"domain", "negotiation"}),
    (("partner", "set", "new.test", "acks=ping"), CHANGED | {"domain", "negotiation"}),
    (("partner", "remove", "new.test"), CHANGED | {"domain"}),
    (("policy", "list"), {"is_written", "policies"}),
    (("policy", "show", JOE), {"user", "policy", "why", "line", "xmpp", "sip_federation",
                               "left_out_by"}),
    (("policy", "set", "group:g", f"members={JOE}"), CHANGED | {"policy"}),
    (("policy", "set", "site:s", "xmpp=true", "members=group:g"), CHANGED | {"policy"}),
    (("policy", "grant", "site:s", "eve@app.corp.test"), CHANGED | {"policy"}),
    (("policy", "revoke", "site:s", "eve@app.corp.test"), CHANGED | {"policy"}),
    (("policy", "remove", "site:s"), CHANGED | {"policy"}),
    (("policy", "block", ANN), CHANGED | {"addresses"}),
    (("policy", "blocked",), {"blocked"}),
    (("policy", "unblock", ANN), CHANGED | {"addresses"}))


def documents_have_their_keys():
    with Lab("ctl-edit") as lab:
        page = Page(lab)
        for arguments, keys in DOCUMENTS:
            document = json.loads(page.ctl("--json", *arguments).stdout)
            check(set(document) == keys, f"{arguments}: keys", sorted(set(document) ^ keys))
        for arguments in (("partner", "show", "nobody.test"), ("partner",), ("partner", "lisst"),
                          ("partner", "list", "--typ"), ("policy", "show", "joe@elsewhere.test"),
                          ("partner", "add", "--dry"), ("policy", "set", "global")):
            done = run_ctl("--config", page.path, "--json", *arguments, folder=page.folder)
            check(done.returncode in (64, 66), "status", arguments, done.returncode)
            check(set(json.loads(done.stdout)) == {"error"}, "error", arguments, done.stdout)


if __name__ == "__main__":
    main(added_partner_is_used_and_removed_one_is_out, failures_are_shown_by_step,
         policies_reach_the_node, what_the_node_does_not_take_is_told, what_a_change_brings_is_told,
         what_a_person_wrote_stays, edits_at_the_same_time_are_all_there,
         full_disk_leaves_the_old_file, export_is_what_the_old_product_writes,
         commands_refuse_what_would_not_load,
         bad_files_change_nothing, large_files_are_edited, killed_at_any_time_the_file_is_whole,
         documents_have_their_keys)
