#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The admin socket and fedgatectl: every command against a running node, and without one."""
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, Skip, check, main, plan
from lab.admin_socket import SECRET, ask, node
from lab.fedgate import binary, ctl_binary, partner, run_ctl
from lab.peer import Peer
from lab.process import HANG_S, wait_until
from lab.xmpp import Component

NOBODY = 65534
EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_CONFIG = 64, 65, 66, 69, 78


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


if __name__ == "__main__":
    main(status, reload, several_at_once, partner_figures, why, dialback_keys, no_node, full_disk,
         odd_files)
