# SPDX-License-Identifier: GPL-2.0-or-later
"""Kamailio 5.6 as the SIP pool of corp.test: registrar, local users, the rest to fedgate."""
import glob
import os
import sqlite3

from . import plan
from .process import Process
from .sip import Phone
from .stage import LabError

CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kamailio.cfg")
TABLES = "/usr/share/kamailio/db_sqlite"

TLS = """[server:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
certificate = {crt}
private_key = {key}
ca_list = {trust}
[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
certificate = {crt}
private_key = {key}
ca_list = {trust}
server_name = {fedgate_name}
"""


class Kamailio:
    """tls: reaches fedgate with mutual TLS, and demands it of fedgate; else plain TCP.
    users: regular expression of the users that exist.
    presence: also a presence server; a dict of what differs from PRESENCE. What it keeps on disk
    outlives a stop and start."""

    PRESENCE = {"SUBS_DB_MODE": "0", "PUBL_CACHE": "2", "MAX_EXPIRES": "3600", "MIN_EXPIRES": "0"}

    def __init__(self, lab, domain=plan.CORP, address=plan.KAMAILIO, *, tls=True,
                 users="^[a-z][a-z0-9.]*$", fedgate=plan.FEDGATE, fedgate_name="edge.corp.test",
                 certificate=None, children=2, debug=2, presence=None):
        self.lab = lab
        self.domain = domain
        self.address = address
        self.tls = tls
        self.folder = lab.folder("kamailio")
        if tls:
            name = certificate or lab.certs.need(f"pool.{domain}")
            with open(os.path.join(self.folder, "tls.cfg"), "w", encoding="ascii") as out:
                out.write(TLS.format(crt=lab.certs.crt(name), key=lab.certs.key(name),
                                     trust=lab.certs.trust, fedgate_name=fedgate_name))
        target = (f"sip:{fedgate}:{plan.SIP_TLS};transport=tls" if tls
                  else f"sip:{fedgate}:{plan.SIP_TCP};transport=tcp")
        values = {"FOLDER": self.folder, "DOMAIN": domain, "ADDRESS": address, "USERS": users,
                  "FEDGATE": target, "CHILDREN": str(children), "DEBUG": str(debug),
                  "MODULES": glob.glob("/usr/lib/*/kamailio/modules")[0],
                  "PRESENCE_AT": (f"{plan.SIP_TLS};transport=tls" if tls
                                  else f"{plan.SIP_TCP};transport=tcp"),
                  **self.PRESENCE, **(presence or {})}
        self.presence = presence is not None
        if self.presence:
            with sqlite3.connect(os.path.join(self.folder, "kamailio.db")) as database:
                for name in ("standard", "presence"):
                    with open(os.path.join(TABLES, f"{name}-create.sql"), encoding="ascii") as sql:
                        database.executescript(sql.read())
        with open(CONFIG, encoding="utf-8") as source:
            text = source.read()
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        self.config = os.path.join(self.folder, "kamailio.cfg")
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(text)
        self.process = None

    def start(self):
        argv = ["kamailio", "-f", self.config, "-DD", "-E", "-m", "256", "-M", "16",
                "-P", f"{self.folder}/pid", "-w", self.folder, "-Y", self.folder]
        if self.tls:
            argv += ["-A", "WITH_TLS"]
        if self.presence:
            argv += ["-A", "WITH_PRESENCE"]
        self.process = Process("kamailio", argv, self.folder)
        self.lab.own(self.process.start())
        self.process.wait_port(self.address, plan.SIP_TCP, *([plan.SIP_TLS] if self.tls else []))
        # It listens before its processes are ready.
        self.process.wait_ready(self._answers)
        return self

    def _answers(self):
        try:
            phone = Phone("probe", self.address, domain=self.domain)
        except OSError:
            return False
        try:
            done = phone.final(phone.request("OPTIONS", f"sip:{self.domain}", f"sip:{self.domain}"),
                               2.0)
            return done.status == 200
        except (LabError, OSError):
            return False
        finally:
            phone.stop()

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()

    def log_text(self):
        return self.process.log_text()
