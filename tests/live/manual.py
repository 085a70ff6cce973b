#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples of the manual pages fedgatectl(1) and fedgate(8), run as they stand there. Those of
fedgate.conf(5) are configurations: tests/unit/policy/manual_test.c."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, Skip, check, main, plan
from lab.fedgate import TREE, Fedgate, binary, ctl_binary, run_ctl
from lab.hostile import Server, serve_tls
from lab.manual import Page
from lab.xmpp import trust_everyone

MANUAL = os.path.join(TREE, "doc", "man")

CONFIGURATION = """// The border of corp.example.
{
  "node":   { "name": "edge1.corp.example", "state_dir": "state" },
  "listen": { "xmpp_server": ["%(address)s:5269"], "component": ["127.0.0.1:5347"],
              "sip": ["tcp:127.0.0.1:5060"], "http": "127.0.0.1:8069", "admin": "%(admin)s" },
  "tls":    { "certificate": "edge.pem", "key": "edge.key", "trust": "ca.pem" },
  "dns":    { "servers": ["127.77.0.53"] },
  "domains":   [ { "name": "corp.example", "next_hop": "app" },
                 { "name": "phones.corp.example", "next_hop": "pool" } ],
  "next_hops": { "app":  { "kind": "component", "secret": "of the component" },
                 "pool": { "kind": "sip", "uri": "sip:127.0.0.1:5999;transport=tcp" } },
  "access": {
    "global": { "xmpp": true },
    "users":  { "interns": { "xmpp": false, "members": ["tim@corp.example"] } }
  },

  "partners": [
    // our oldest one
    { "domain": "fabrikam.example", "type": "federated", "dialback": false },
    { "domain": "contoso.example", "type": "public_verified" }
  ]
}
"""


def sandbox(lab):
    """A node with the configuration that the page supposes; (node, environment for examples)."""
    fedgate = Fedgate(lab, address="127.0.0.1")
    lab.certs.make("corp.example", "phones.corp.example", name="manual")
    for source, name in ((lab.certs.crt("manual"), "edge.pem"), (lab.certs.key("manual"),
                         "edge.key"), (lab.certs.trust, "ca.pem")):
        shutil.copy(source, os.path.join(fedgate.folder, name))
    os.mkdir(os.path.join(fedgate.folder, "state"))
    # For `diagnose`: we are found, and so is a partner, whose certificate has expired.
    for ours in ("corp.example", "phones.corp.example"):
        lab.dns.xmpp(ours, plan.FEDGATE)
    lab.dns.xmpp("fabrikam.example", plan.SCRIPTED)
    lab.certs.make("fabrikam.example", days=-3)
    expired = trust_everyone(lab.certs.crt("fabrikam.example"), lab.certs.key("fabrikam.example"),
                             server_side=True)
    Server(lab, plan.SCRIPTED, lambda raw, _: serve_tls(raw, expired, domain="fabrikam.example"))
    with open(fedgate.config_path, "w", encoding="utf-8") as out:
        out.write(CONFIGURATION % {"address": plan.FEDGATE,
                                   "admin": fedgate.admin_path})
    os.chmod(fedgate.config_path, 0o640)
    fedgate.write_config = lambda: None
    programs = lab.folder("bin")
    for name, line in (("fedgatectl", f'exec {ctl_binary()} --config {fedgate.config_path} "$@"'),
                       ("fedgate", f'exec {binary()} "$@"')):
        path = os.path.join(programs, name)
        with open(path, "w", encoding="ascii") as out:
            out.write(f"#!/bin/sh\n{line}\n")
        os.chmod(path, 0o755)
    return fedgate, {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}",
                     "ASAN_OPTIONS": "detect_leaks=1:exitcode=99"}


def fedgatectl():
    """Every example of fedgatectl(1) does what the page shows."""
    with Lab("manual-fedgatectl") as lab:
        fedgate, environment = sandbox(lab)
        fedgate.start()
        page = Page(os.path.join(MANUAL, "fedgatectl.1"))
        commands = {example.command.split()[1] for example in page.examples
                    if example.command.startswith("fedgatectl ")}
        listed = [line.split()[0] for line in run_ctl("--help").stdout.splitlines()
                  if line.startswith("  ") and not line.lstrip().startswith("-")]
        missing = [name for name in listed if name not in commands]
        check(listed and not missing, "commands without an example", missing)
        ran, skipped = page.run(lab.folder("work"), environment,
                                lambda text: text.replace("/etc/fedgate/", fedgate.folder + "/"))
        print(f"{ran} examples ran, {skipped} were left out")
        check(ran > skipped and ran >= 6, "too few examples", ran, skipped)


def daemon():
    """The examples of fedgate(8), in one shell: a daemon in the background, asked and stopped."""
    if not shutil.which("curl"):
        raise Skip("no curl on this machine")
    with Lab("manual-daemon") as lab:
        fedgate, environment = sandbox(lab)
        script = ["set -em"]
        for example in Page(os.path.join(MANUAL, "fedgate.8")).examples:
            script.append(example.command.replace("/etc/fedgate/", fedgate.folder + "/"))
            if example.command.endswith("&"):
                script.append("until fedgatectl status >/dev/null 2>&1; do sleep 0.1; done")
        check(len(script) > 6 and "kill %1" in script, "not the examples", script)
        done = subprocess.run(["/bin/bash", "-c", "\n".join([*script, "wait %1"])], text=True,
                              env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60)
        check(done.returncode == 0, "failed", done.returncode, done.stdout[-2000:], done.stderr)
        for text in ("the file is what runs", '"config_generation": 1', "generation 2 is in force",
                     " stopped uptime_s="):
            check(text in done.stdout + done.stderr, "not said", text, done.stdout, done.stderr)


def pages():
    """The pages are set without a warning."""
    if not shutil.which("groff"):
        raise Skip("no groff on this machine")
    for name in sorted(os.listdir(MANUAL)):
        done = subprocess.run(["groff", "-Tutf8", "-ww", "-mdoc", os.path.join(MANUAL, name)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        check(done.returncode == 0 and not done.stderr and len(done.stdout) > 1000, name,
              done.stderr[-500:])


if __name__ == "__main__":
    main(fedgatectl, daemon, pages)
