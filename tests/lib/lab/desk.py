# SPDX-License-Identifier: GPL-2.0-or-later
"""Desk: a folder with a configuration and exports of the old product, where fedgatectl runs."""
import json
import os
import re
import shutil
import sys
import tempfile

from .fedgate import run_ctl
from .stage import check

EX_OK, EX_DATA, EX_NOINPUT, EX_USAGE, EX_CANTCREAT, EX_CONFIG = 0, 65, 66, 64, 73, 78
CONFIG = """// the gateway of corp.example
{
    "node": { "name": "edge1.corp.example" }, // in the cellar
    "listen": { "xmpp_server": ["127.0.0.1:5269"], "sip": ["tls:127.0.0.1:5061"] },
    "tls": { "certificate": "/etc/fedgate/edge.pem", "key": "/etc/fedgate/edge.key" },
    "domains": [ { "name": "corp.example", "next_hop": "pool" } ],
    "next_hops": { "pool": { "kind": "sip", "uri": "sip:pool.corp.example;transport=tls" } },
    "access": { "global": { "xmpp": true } },
    /* whom we talk to */
    "partners": [
        // the first one
        { "domain": "fabrikam.example", "type": "federated", "stanza_rate_max": 50 } // since 2015
    ]
}
"""


class Desk:
    """A folder with a configuration and exports; import runs there."""

    def __init__(self, config=CONFIG):
        root = os.environ.get("FEDGATE_LAB_DIR") or tempfile.gettempdir()
        os.makedirs(root, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="fedgate-import-", dir=root)
        self.config = os.path.join(self.folder, "fedgate.conf")
        self.put("fedgate.conf", config.encode())

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"kept: {self.folder}", file=sys.stderr)

    def put(self, name, raw):
        with open(os.path.join(self.folder, name), "wb") as out:
            out.write(raw)
        return name

    def text(self, name="fedgate.conf"):
        with open(os.path.join(self.folder, name), encoding="utf-8") as source:
            return source.read()

    def run(self, *arguments, status=EX_OK, command="import"):
        done = run_ctl("--config", self.config, command, *arguments, folder=self.folder)
        check(done.returncode == status, f"{command} {arguments}: status {done.returncode}, not "
              f"{status}:", done.stdout + done.stderr)
        return done

    def plan(self, *arguments, status=EX_OK):
        return json.loads(self.run("--json", *arguments, status=status).stdout)

    def partners(self):
        """What the configuration has now, without comments, by domain."""
        plain = re.sub(r"//[^\n]*|/\*.*?\*/", "", self.text(), flags=re.S)
        return {row["domain"]: row for row in json.loads(plain).get("partners", [])}

    def refused(self, raw, *words, name="export", arguments=()):
        """The file is refused, with place and all the words; nothing changes."""
        before = self.text()
        self.put(name, raw)
        done = self.run(name, *arguments, status=EX_DATA)
        said = done.stdout
        for word in words:
            check(word in said, f"no {word!r} in what was said:", said)
        check(re.search(rf"^  {name}(:\d+:\d+)?: .", said, re.M), "no place in:", said)
        check(self.text() == before, "a refused import changed the configuration")
        return said
