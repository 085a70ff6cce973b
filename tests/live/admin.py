#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The admin socket and fedgatectl: every command against a running node, hostile clients, the
socket's place."""
import hashlib
import hmac
import json
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, Skip, check, main, plan
from lab.fedgate import Fedgate, binary, corp_dns, ctl_binary, partner, run_ctl
from lab.peer import Peer
from lab.process import HANG_S, show_time, wait_until
from lab.xmpp import Component

SECRET = "a secret of the whole organisation"
NOBODY = 65534
REQUEST_S = 5.0  # edge/admin.h
EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_NOPERM, EX_CONFIG = 64, 65, 66, 69, 77, 78


def node(lab, **changes):
    corp_dns(lab)
    fedgate = Fedgate(lab, shards=2, partners=[
        partner("scripted.test"), partner("other.test", additional_domains=["more.test"]),
        partner("shy.test", type="public_unverified")])
    fedgate.config["gateway"]["dialback_secret"] = SECRET
    fedgate.config["access"]["users"] = {"interns": {"xmpp": False,
                                                     "members": [f"tim@{plan.APP}"]}}
    fedgate.config.update(changes)
    return fedgate


def dial(fedgate, timeout=HANG_S):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(timeout), 0))
    client.connect(fedgate.admin_path)  # blocks while the queue is full: not so with a time-out
    client.settimeout(timeout)
    return client


def hear(client):
    """What comes until the other side closes."""
    got = b""
    try:
        while chunk := client.recv(65536):
            got += chunk
    except ConnectionResetError:
        pass  # closed with something of ours unread
    client.close()
    return got


def ask(fedgate, timeout=HANG_S, **request):
    client = dial(fedgate, timeout)
    client.sendall(json.dumps(request).encode() + b"\n")
    got = hear(client)
    check(got.endswith(b"\n") and got.count(b"\n") == 1, "not one line", got[:200])
    return json.loads(got)


# -- commands -------------------------------------------------------------------------------------
def status():
    """What is shown is what is: streams, certificates, agreement with the file, restarts."""
    with Lab("admin-status") as lab:
        fedgate = node(lab).start()
        component = lab.own(Component(plan.APP, "inside"))
        Peer(lab).dial(plan.APP)
        wait_until("stream", lambda: fedgate.ctl("status", "--json")["streams"]["in"] == 1)
        now = fedgate.ctl("status", "--json")
        check(now["ok"] and now["node"] == "edge.corp.test" and now["state"] == "running", "", now)
        check(now["shards"] == 2 and now["pid"] == fedgate.process.pid, "process", now)
        check(now["config"]["file"] == fedgate.config_path and now["config"]["is_written"] is True
              and now["config"]["generation"] == 1 and now["config"]["partners"] == 3, "config",
              now)
        check(now["streams"] == {"in": 1, "out": 0, "partners_connected": 1}, "streams", now)
        check([c["domain"] for c in now["components"]] == [plan.APP], "components", now)
        check(all(20 < c["days_left"] for c in now["tls"]["certificates"]), "certificates", now)
        text = fedgate.ctl("status")
        for line in ("node           edge.corp.test, version ", "the file is what runs",
                     f"component      {plan.APP} from "):
            check(line in text, "not said", line, text)
        members = os.path.join(fedgate.folder, "interns.txt")
        with open(members, "w", encoding="ascii") as out:
            out.write(f"tom@{plan.APP}\n")
        fedgate.config["access"]["users"]["interns"]["list_file"] = members
        fedgate.write_config()
        fedgate.ctl("reload")
        check("the file is what runs" in fedgate.ctl("status"), "agreement")
        before = fedgate.ctl("status", "--json")["config"]["source_hash"]
        with open(members, "a", encoding="ascii") as out:
            out.write(f"tea@{plan.APP}\n")
        check(f"the list {members} has CHANGED since" in fedgate.ctl("status"), "list file")
        fedgate.ctl("reload")
        now = fedgate.ctl("status", "--json")["config"]
        check(now["source_hash"] != before and now["is_written"] is True
              and now["changed_list"] is None, "a list that changed", before, now)
        fedgate.config["listen"]["admin"] = "elsewhere.sock"
        fedgate.config["node"]["shards"] = 1
        fedgate.write_config()
        said = fedgate.ctl("--admin", fedgate.admin_path, "status")
        check("the file has CHANGED since" in said, "agreement", said)
        said = fedgate.ctl("--admin", fedgate.admin_path, "reload")
        check("only a restart brings these into force: node.shards, listen.admin" in said, said)
        said = fedgate.ctl("--admin", fedgate.admin_path, "status", "--json")
        check(said["config"]["needs_restart"] == ["node.shards", "listen.admin"]
              and said["config"]["is_written"] is True, "restart", said)
        check(not os.path.exists(os.path.join(fedgate.folder, "elsewhere.sock")), "opened")
        os.unlink(fedgate.config_path)
        said = fedgate.ctl("--admin", fedgate.admin_path, "status", "--json")
        check(said["config"]["is_written"] is None, "a file that is gone", said)
        component.stop()


def reload():
    """A good file, a bad one, a bad certificate; figures of what changed; as SIGHUP does it."""
    with Lab("admin-reload") as lab:
        fedgate = node(lab).start()
        fedgate.config["partners"][0]["description"] = "changed"
        fedgate.config["partners"].pop()
        fedgate.config["partners"] += [partner("new1.test"), partner("new2.test")]
        fedgate.write_config()
        said = fedgate.ctl("reload", "--json")
        check(said["ok"] and said["generation"] == 2 and said["errors"] == 0, "reload", said)
        check(said["partners"] == {"count": 4, "added": 2, "removed": 1, "changed": 1}, "", said)
        check(fedgate.ctl("reload") == "generation 3 is in force: 4 partners, 0 added, 0 removed, "
              "0 changed\n", "sentence")
        good = fedgate.config
        fedgate.config = dict(good, partners=[{"domain": "-bad-"}, {"domian": "x.test"}])
        fedgate.write_config()
        said = fedgate.ctl("reload", "--json", status=EX_CONFIG)
        places = [(p["path"], p["line"] > 1, p["column"] > 1) for p in said["problems"]
                  if not p["is_warning"]]
        check(not said["ok"] and said["errors"] == len(places) == 3, "problems", said)
        check(all(line and column for _, line, column in places)
              and places[0][0] == "partners[0].domain", "places", places)
        plain = run_ctl("--config", fedgate.config_path, "reload")
        checked = run_ctl("--config", fedgate.config_path, "check")
        check(plain.returncode == checked.returncode == EX_CONFIG
              and plain.stderr.startswith(checked.stderr), "not in the words of check",
              plain.stderr, checked.stderr)
        daemon = subprocess.run([binary(), "--config", fedgate.config_path, "--check"],
                                capture_output=True, text=True)
        check(daemon.returncode == EX_CONFIG and daemon.stderr == checked.stderr, "--check",
              daemon.stderr)
        now = fedgate.ctl("status", "--json")
        check(now["config"]["generation"] == 3 and now["config"]["is_written"] is False
              and now["config"]["last_reload"]["errors"] == 3, "what runs has changed", now)
        check("the last reload was REFUSED: 3 errors" in fedgate.ctl("status"), "not said")
        fedgate.config = dict(good, tls=dict(good["tls"], certificate="/nowhere.pem"))
        fedgate.write_config()
        said = fedgate.ctl("reload", "--json", status=EX_CONFIG)
        check(any("/nowhere.pem" in p["text"] for p in said["problems"]), "certificate", said)
        # A mistake behind listen.admin: the node is found all the same, and says what is wrong.
        whole = json.dumps(good, indent=1)
        for text in (whole + "}", whole[:whole.index('"partners"') + 30], whole[:-3]):
            with open(fedgate.config_path, "w", encoding="ascii") as broken:
                broken.write(text)
            said = fedgate.ctl("reload", "--json", status=EX_CONFIG)
            check(said["errors"] == 1 and said["problems"][0]["line"] > 1, "not asked", said)
            check("REFUSED: 1 error\n" in fedgate.ctl("status"), "not asked")
        with open(fedgate.config_path, "w", encoding="ascii") as broken:
            broken.write("{ half a fi")
        said = fedgate.ctl("status", "--json", status=EX_CONFIG)
        check("has a mistake before it says where" in said["error"], "", said)
        fedgate.ctl("--admin", fedgate.admin_path, "reload", status=EX_CONFIG)
        fedgate.config = good
        fedgate.reload()
        wait_until("SIGHUP", lambda: fedgate.stats()["config_generation"] == 4)
        check(fedgate.ctl("status", "--json")["config"]["last_reload"]["errors"] == 0, "SIGHUP")


def several_at_once():
    """Reloads by several at a time: one after the other, each told of one that began after it had
    asked, which those who ask during a load share."""
    with Lab("admin-several") as lab:
        fedgate = node(lab).start()
        told, trouble = [], []

        def several():
            try:
                mine = [1]
                for _ in range(10):
                    before = ask(fedgate, 20, command="status")["config"]["generation"]
                    mine.append(ask(fedgate, 20, command="reload")["generation"])
                    check(mine[-1] > before >= mine[-2], "an older one", mine, before)
                told.append(mine)
            except Exception as error:  # shown below
                trouble.append(error)
        threads = [threading.Thread(target=several) for _ in range(6)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            fedgate.process.send_signal(signal.SIGHUP)
            check(ask(fedgate, 20, command="status")["ok"], "status meanwhile")
        for thread in threads:
            thread.join()
        check(not trouble and len(told) == 6, "trouble", trouble)
        # 60 of these and 10 signals, some of which share one.
        check(max(map(max, told)) <= 71, "more loads than were asked for", told)


def partner_figures():
    """Figures of one partner, by any of its domains; of one that was taken away, too."""
    with Lab("admin-partner") as lab:
        fedgate = node(lab).start()
        lab.own(Component(plan.APP, "inside"))
        Peer(lab).dial(plan.APP)
        wait_until("stream", lambda: (ask(fedgate, command="partner", domain="scripted.test")
                                      ["figures"] or {}).get("in", {}).get("streams") == 1)
        said = ask(fedgate, command="partner", domain="SCRIPTED.test.")
        check(said["domain"] == "scripted.test" and said["is_configured"], "spelling", said)
        check(said["figures"] == fedgate.partner("scripted.test"), "not those of /stats", said)
        said = ask(fedgate, command="partner", domain="more.test")
        check(said["domain"] == "other.test" and said["is_configured"], "primary", said)
        said = ask(fedgate, command="partner", domain="nobody.test")
        check(said["ok"] and not said["is_configured"] and said["figures"] is None, "", said)
        check(not ask(fedgate, command="partner", domain="a b")["ok"], "no domain")


def why():
    """Verdicts by the node and by the file: the same ones."""
    with Lab("admin-why") as lab:
        fedgate = node(lab)
        ann, tim = f"ann@{plan.APP}", f"tim@{plan.APP}"
        cases = ((ann, "x@scripted.test", "message", True, "access.global", True),
                 (tim, "x@scripted.test", "message", False, 'access.users["interns"]', False),
                 (ann, "x@shy.test", "message", True, "access.global", False),
                 (ann, "x@shy.test", "notify", True, "access.global", False),
                 (ann, "x@nobody.test", "subscribe", False, 'partners["nobody.test"]', False))
        if os.path.dirname(fedgate.admin_path) == fedgate.folder:  # relative: to the file's folder
            fedgate.config["listen"]["admin"] = os.path.basename(fedgate.admin_path)
        fedgate.write_config()
        by_file = [fedgate.ctl("why", "--json", "--act", act, sender, to)
                   for sender, to, act, *_ in cases]
        fedgate.start()
        for said, (sender, to, act, allowed, rule, back) in zip(by_file, cases):
            check(said["by"] == "file" and "no node answers" in said["node_error"], "by", said)
            there = said["there"]
            check(there["allowed"] is allowed and there["rule"] == rule
                  and said["back"]["allowed"] is back, "verdict", said)
            node_said = fedgate.ctl("why", "--json", "--act", act, sender, to)
            check(node_said["by"] == "node", "by", node_said)
            check(node_said["there"] == there and node_said["back"] == said["back"], "not the same",
                  said, node_said)
            again = fedgate.ctl("why", "--file", "--json", "--act", act, sender, to)
            check(again["by"] == "file" and again["there"] == there, "by file", again)
        text = fedgate.ctl("why", f"{tim.upper()}/desk", "x@scripted.test")
        check(text.startswith(f"{tim} to x@scripted.test, message: refused by "
                              'access.users["interns"] (access-denied)\n    the sender is told'),
              "words", text)
        fedgate.ctl("why", "a@b.test", "c@d.test", status=EX_DATAERR)
        fedgate.ctl("why", "@", "c@d.test", status=EX_DATAERR)
        fedgate.ctl("why", ann, status=EX_USAGE)
        fedgate.ctl("why", "--act", "sing", ann, ann, status=EX_USAGE)


def dialback_keys():
    """The key of XEP-0185, for root and the node's user; others in the group may ask, in vain."""
    with Lab("admin-keys") as lab:
        fedgate = node(lab).start()
        request = {"command": "dialback_key", "local": plan.APP.upper(), "remote": "far.test",
                   "id": "D60000229F"}
        hidden = hashlib.sha256(SECRET.encode()).hexdigest().encode()
        key = hmac.new(hidden, f"far.test {plan.APP} D60000229F".encode(), "sha256").hexdigest()
        check(ask(fedgate, **request) == {"ok": True, "key": key}, "key")
        check("a domain of ours" in ask(fedgate, **dict(request, local="far.test"))["error"], "")
        check(not ask(fedgate, **dict(request, id="x" * 5000))["ok"], "a long id")
        fedgate.process.wait_log("command=dialback_key uid=0")
        check(key not in fedgate.log_text(), "log")
        program = ("import os,socket,sys; os.setgroups([0]); os.setgid(0); os.setuid(%d);"
                   "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
                   "s.sendall(sys.argv[2].encode() + b'\\n'); print(s.makefile().read())" % NOBODY)
        os.chmod(fedgate.folder, 0o755)
        done = subprocess.run([sys.executable, "-c", program, fedgate.admin_path,
                               json.dumps(request)], capture_output=True, text=True)
        if "PermissionError" in done.stderr or "EINVAL" in done.stderr:
            raise Skip("no second user in this namespace")
        check("root and to the node's own user only" in done.stdout, "to anybody", done)


def no_node():
    """What is said when nobody answers: which socket, why, what to do."""
    with Lab("admin-none") as lab:
        fedgate = node(lab)
        fedgate.write_config()
        said = fedgate.ctl("status", "--json", status=EX_UNAVAILABLE)
        check("no node answers on" in said["error"] and "admin.sock" in said["error"], "", said)
        fedgate.ctl("reload", status=EX_UNAVAILABLE)
        del fedgate.config["listen"]["admin"]
        fedgate.write_config()
        said = fedgate.ctl("status", "--json", status=EX_CONFIG)
        check("has no listen.admin" in said["error"], "", said)
        done = run_ctl("--config", "/nowhere.conf", "status")
        check(done.returncode == EX_NOINPUT and "--admin PATH" in done.stderr, "", done)
        pipe = os.path.join(fedgate.folder, "pipe")
        os.mkfifo(pipe)
        done = run_ctl("--config", pipe, "status", timeout=HANG_S)
        check(done.returncode == EX_NOINPUT and "cannot be read" in done.stderr, "a pipe", done)
        silent = socket.socket(socket.AF_UNIX)  # somebody, but no node
        silent.bind(fedgate.admin_path)
        silent.listen()

        def talk_nonsense():
            client, _ = silent.accept()
            client.recv(100)
            client.sendall(b"SSH-2.0-OpenSSH_9.2\n")
            client.close()
        threading.Thread(target=talk_nonsense, daemon=True).start()
        done = run_ctl("--admin", fedgate.admin_path, "status")
        check(done.returncode == 76 and "is no fedgate" in done.stderr, "", done)
        silent.close()
        for arguments in ((), ("sing",), ("status", "now"), ("--config",), ("--json=no", "check")):
            done = run_ctl(*arguments)
            check(done.returncode == EX_USAGE and done.stderr, "usage", arguments, done)
        check("no command" in json.loads(run_ctl("--json").stdout)["error"], "--json alone")
        check("did you mean status" in run_ctl("statsu").stderr, "suggestion")
        check(run_ctl("--version").stdout.startswith("fedgatectl 0."), "version")
        check("status" in run_ctl("--help").stdout, "help")
        check(run_ctl("why", "--help").stdout.startswith("usage: fedgatectl why "), "help")


def full_disk():
    """An answer that could not be written is no success."""
    with Lab("admin-full") as lab:
        fedgate = node(lab).start()
        with open("/dev/full", "w", encoding="ascii") as full:
            for command in (("status",), ("status", "--json"), ("check",)):
                done = subprocess.run([ctl_binary(), "--config", fedgate.config_path, *command],
                                      stdout=full, stderr=subprocess.PIPE, text=True)
                check(done.returncode == 74 and "could be written" in done.stderr, "", done)


def odd_files():
    """A pipe without a writer, a device or a folder where a file should be is refused at once, by
    the tools and by the node, which goes on."""
    with Lab("admin-odd") as lab:
        fedgate = node(lab).start()
        good = fedgate.config_path
        pipe = os.path.join(fedgate.folder, "pipe")
        os.mkfifo(pipe)
        for odd in (pipe, "/dev/zero", fedgate.folder):
            text = "is not a regular file"
            for arguments, code in ((("check", odd), EX_CONFIG),
                                    (("--config", odd, "status"), EX_NOINPUT)):
                done = run_ctl(*arguments)
                check(done.returncode == code and text in done.stderr, "tool", arguments, done)
            done = subprocess.run([binary(), "--config", odd, "--check"], timeout=HANG_S,
                                  capture_output=True, text=True)
            check(done.returncode == EX_CONFIG and text in done.stderr, "--check", done)
        access = fedgate.config["access"]["users"]["interns"]
        for place, key in ((access, "list_file"), (fedgate.config["tls"], "certificate"),
                           (fedgate.config["tls"], "crl")):
            before = place.get(key)
            place[key] = pipe
            fedgate.write_config()
            said = fedgate.ctl("reload", "--json", status=EX_CONFIG)
            # Long names are cut in messages: the tree may stand deep.
            check(any(pipe[:50] in p["text"] for p in said["problems"]), key, said)
            place[key] = before
        old_log = fedgate.config["log"]["file"]
        fedgate.config["log"]["file"] = pipe
        fedgate.write_config()
        fedgate.ctl("reload")  # the old log stays
        fedgate.config["log"]["file"] = old_log
        os.unlink(good)
        os.rename(pipe, good)
        said = ask(fedgate, command="reload")
        check(not said["ok"] and "is not a regular file" in said["problems"][0]["text"], "", said)
        check(ask(fedgate, command="status")["config"]["is_written"] is None, "status")
        os.unlink(good)
        fedgate.write_config()
        check(ask(fedgate, command="reload")["ok"], "the node goes on")


# -- place ----------------------------------------------------------------------------------------
def place():
    """A socket left by a crash is replaced; one that answers, or a file, is not; none is left."""
    with Lab("admin-place") as lab:
        fedgate = node(lab).start()
        mode = os.stat(fedgate.admin_path).st_mode
        check(stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660, "mode", oct(mode))
        second = Fedgate(lab, name="second", address="127.77.0.99")
        second.config["listen"]["admin"] = fedgate.admin_path
        second.write_config()

        def refused(text):
            done = subprocess.run([binary(), "--config", second.config_path], timeout=HANG_S,
                                  capture_output=True, text=True)
            check(done.returncode == EX_UNAVAILABLE and text in done.stderr, "not refused", done)
        refused("another process answers on")
        check(ask(fedgate, command="status")["ok"], "the first one's socket is gone")
        fedgate.kill()
        check(os.path.exists(fedgate.admin_path), "a crash cleans nothing")
        fedgate.start()
        check(ask(fedgate, command="status")["ok"], "not replaced")
        fedgate.stop()
        check(not os.path.exists(fedgate.admin_path), "left behind")
        with open(fedgate.admin_path, "w", encoding="ascii") as file:
            file.write("somebody's")
        refused("is there and is no socket")
        check(os.path.getsize(fedgate.admin_path) > 0, "touched")
        os.unlink(fedgate.admin_path)
        os.symlink("/etc/passwd", fedgate.admin_path)
        refused("is there and is no socket")
        second.config["listen"]["admin"] = "/nowhere/at/all.sock"
        second.write_config()
        refused("its folder must be there")


# -- hostile clients ------------------------------------------------------------------------------
class Prompt:
    """Asks all the time, and remembers how long the slowest answer took."""

    def __init__(self, fedgate):
        self.fedgate = fedgate
        self.slowest_s = 0.0
        self.count = 0
        self.trouble = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.is_over.is_set():
            begin = time.monotonic()
            try:
                check(self.status()["ok"], "status")
                check(self.fedgate.get("/healthz")[0] == 200, "healthz")
            except Exception as error:  # shown at the end
                self.trouble.append(repr(error))
            self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
            self.count += 1
            self.is_over.wait(0.02)

    def status(self):
        """Who is displaced by a crowd of newcomers before the line was read asks once more."""
        try:
            return ask(self.fedgate, command="status")
        except (BrokenPipeError, ConnectionResetError):
            return ask(self.fedgate, command="status")

    def __enter__(self):
        self.thread.start()
        wait_until("first answers", lambda: self.count >= 5)
        return self

    def __exit__(self, kind, value, trace):
        self.is_over.set()
        self.thread.join()
        if kind is None:
            check(not self.trouble, "asked in vain", len(self.trouble), self.trouble[:3])
            check(self.count >= 5, "answers", self.count)
            show_time(f"{self.count} answers meanwhile, the slowest after", self.slowest_s)


def thousand():
    """A thousand connections that say nothing or half a line keep nobody out, and all end."""
    with Lab("admin-thousand") as lab:
        fedgate = node(lab).start()
        with Prompt(fedgate):
            clients = []
            for number in range(1000):
                client = dial(fedgate)
                if number % 3:
                    client.sendall(b'{"command": "sta'[:number % 17])
                clients.append(client)
            begin = time.monotonic()
            for client in clients:
                client.settimeout(HANG_S)
                check(hear(client) == b"", "an answer to half a line")
            show_time("all have ended after", time.monotonic() - begin)
        check(open_sockets(fedgate) == 1, "sockets are left", open_sockets(fedgate))


def open_sockets(fedgate):
    """How many of the process's descriptors are Unix sockets on that path: the listener alone."""
    with open(f"/proc/{fedgate.process.pid}/net/unix", encoding="ascii") as table:
        return sum(1 for line in table if line.rstrip().endswith(fedgate.admin_path))


def slow():
    """A request byte by byte within its time is answered; beyond it the connection is closed."""
    with Lab("admin-slow") as lab:
        fedgate = node(lab).start()
        with Prompt(fedgate):
            client = dial(fedgate)
            for byte in b'{"command": "status"}\n':
                client.sendall(bytes([byte]))
                time.sleep(0.05)
            check(json.loads(hear(client))["ok"], "byte by byte")
            begin = time.monotonic()
            client = dial(fedgate)
            try:
                while True:
                    check(time.monotonic() - begin < HANG_S, "it stays")
                    client.sendall(b" ")
                    time.sleep(0.1)
            except (BrokenPipeError, ConnectionResetError):
                pass
            took = time.monotonic() - begin
            check(took > REQUEST_S - 0.5, "closed too early", took)
            show_time("closed after", took)


def garbage():
    """Lines that are no requests get an error each; floods of them stop nobody."""
    lines = [b"", b"\0", b"\xff\xfe", b"GET / HTTP/1.1\r", b"[" * 60000, b'{"command": "status"',
             b'{"command": "' + b"x" * 60000 + b'"}', b'{"a":' * 9000, b'{"command": "status"}{}',
             b'{"command": ["reload"]}', b'{"command": "why", "from": "\\u0000", "to": "b@c", '
             b'"act": "message"}', b'{"command": "partner", "domain": "' + b"a." * 30000 + b'"}',
             b'{"command": "partner", "domain": "\\ud800"}', b"// a comment", b"\xef\xbb\xbf{}",
             b'{"command": "why", "from": "a@b/\xe2\x80\xae", "to": "c", "act": "message"}']
    with Lab("admin-garbage") as lab:
        fedgate = node(lab).start()
        with Prompt(fedgate):
            for line in lines * 3:
                client = dial(fedgate)
                client.sendall(line + b"\n")
                got = hear(client)
                check(json.loads(got)["ok"] is False and got.count(b"\n") == 1, "", line[:40], got)
            for size in (65536, 65537, 100000, 5000000):
                client = dial(fedgate)
                try:
                    client.sendall(b" " * size)
                    client.sendall(b"\n")
                except (BrokenPipeError, ConnectionResetError):
                    pass
                got = hear(client)
                check(b"has at most 65536 bytes" in got or b"no JSON" in got, "large", size, got)
            threads = [threading.Thread(target=flood, args=(fedgate,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()


def flood(fedgate):
    """Many short connections: asking, leaving at once, leaving with an answer on its way."""
    for number in range(150):
        try:
            client = dial(fedgate)
            if number % 3:
                client.sendall(b'{"command": "status"}\n' * (number % 5))
            if number % 4 == 0 and number % 3 and number % 5:
                client.recv(1)
            client.close()
        except OSError:
            pass  # made room for another one


def stopping():
    """While the node drains it still answers, refuses reloads, and takes its socket away."""
    with Lab("admin-stopping") as lab:
        fedgate = node(lab)
        fedgate.config["limits"]["drain_timeout_s"] = 4
        fedgate.start()
        lab.own(Component(plan.APP, "inside"))
        peer = Peer(lab)
        stream = peer.dial(plan.APP, run=False)  # does not answer the end of its stream
        held = dial(fedgate)
        process = fedgate.process
        process.send_signal(signal.SIGTERM)
        try:
            wait_until("draining", lambda: ask(fedgate, command="status")["state"] == "draining", 2)
            check("is stopping" in ask(fedgate, command="reload")["error"], "a reload is taken")
        finally:
            stream.drop()
        fedgate.stop()
        check(not os.path.exists(fedgate.admin_path), "left behind")
        check(hear(held) == b"", "held")


if __name__ == "__main__":
    main(status, reload, several_at_once, partner_figures, why, dialback_keys, no_node, full_disk,
         odd_files, place, thousand, slow, garbage, stopping)
