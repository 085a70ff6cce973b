#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The verdict on each row of the negotiation table, however it is brought to fedgate: by the file,
by the command line, by the running node."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main
from lab.fedgate import Fedgate, binary, corp_dns, partner, run_ctl
from lab.negotiation import read_table, settings

PROBLEM = re.compile(r"^(.*: )?partners\[\d+\](?:\.\w+)?: (?:warning: )?(.*)$", re.M)
REJECTED = 78  # EX_CONFIG: the file does not load
NOT_SAVED = 65  # EX_DATAERR: the file would not load


class Commands:
    """One row at a time, brought to fedgate in every way there is; each says (is it taken, what is
    said of it)."""

    def __init__(self, lab):
        self.fedgate = Fedgate(lab, partners=[partner("first.test")])
        self.fedgate.config["log"]["level"] = "info"
        self.fedgate.start()

    @staticmethod
    def said(text):
        return [found.group(2) for found in PROBLEM.finditer(text)]

    def write(self, *partners):
        self.fedgate.config["partners"] = list(partners)
        self.fedgate.write_config()

    def done(self, done, rejected=REJECTED):
        check(done.returncode in (0, rejected), "status", done)
        return done.returncode == 0, self.said(done.stderr)

    def check_of_the_daemon(self, row):
        self.write(partner("second.test", **settings(row)))
        return self.done(subprocess.run(
            [binary(), "--config", self.fedgate.config_path, "--check"], capture_output=True,
            text=True, check=False))

    def check_of_ctl(self, row):
        self.write(partner("second.test", **settings(row)))
        return self.done(run_ctl("check", self.fedgate.config_path))

    def check_as_json(self, row):
        self.write(partner("second.test", **settings(row)))
        done = run_ctl("--json", "check", self.fedgate.config_path)
        document = json.loads(done.stdout)
        return document["ok"], [problem["text"] for problem in document["problems"]
                                if problem["path"].startswith("partners[")]

    def reload(self, row):
        """The running node, through its administration socket."""
        self.write(partner("second.test", **settings(row)))
        generation = self.fedgate.stats()["config_generation"]
        result = self.done(run_ctl("--admin", self.fedgate.admin_path, "reload"))
        is_taken = self.fedgate.stats()["config_generation"] != generation
        check(is_taken == result[0], "generation", result)
        return result

    def edit(self, row, *command):
        """The file as it is left loads in any case, and is changed only by what is taken."""
        with open(self.fedgate.config_path, encoding="utf-8") as file:
            before = file.read()
        words = [f"{key}={json.dumps(value).strip(chr(34))}" for key, value in
                 settings(row).items()]
        done = run_ctl("--config", self.fedgate.config_path, "partner", *command, *words)
        result = self.done(done, NOT_SAVED)
        check(result[0] or "not saved" in done.stderr, "refused without saying so", done.stderr)
        with open(self.fedgate.config_path, encoding="utf-8") as file:
            check((file.read() != before) == result[0], "the file", result)
        run = subprocess.run([binary(), "--config", self.fedgate.config_path, "--check"],
                             capture_output=True, check=False)
        check(run.returncode == 0, "the file does not load", run.stderr)
        return result

    def partner_add(self, row):
        self.write(partner("first.test"))
        return self.edit(row, "add", "second.test")

    def partner_set(self, row):
        self.write(partner("first.test"), partner("second.test", acks="ping"))
        return self.edit(row, "set", "second.test")


def verdicts():
    """All 18 rows by file, by command line and by the running node: one verdict and one text."""
    with Lab("verdicts") as lab:
        corp_dns(lab)
        commands = Commands(lab)
        for row in read_table():
            wanted = (row.verdict != "reject", [])
            if row.reason != "-":
                truth = "true" if row.dialback else "false"
                begin = f"{row.reason} (tls {row.tls}, sasl {row.sasl}, dialback {truth}): "
                wanted = commands.check_of_the_daemon(row)
                check(wanted[0] == (row.verdict != "reject") and len(wanted[1]) == 1
                      and wanted[1][0].startswith(begin), f"row {row.number}", wanted, begin)
            for way in (commands.check_of_the_daemon, commands.check_of_ctl,
                        commands.check_as_json, commands.reload, commands.partner_add,
                        commands.partner_set):
                got = way(row)
                check(got == wanted, f"row {row.number}: {way.__name__} says", got, wanted)
            if row.reason == "sasl-needs-tls":
                check("demands TLS, required or optional" in wanted[1][0], "text", wanted)


if __name__ == "__main__":
    main(verdicts)
