# SPDX-License-Identifier: GPL-2.0-or-later
"""ejabberd 23.01 as an XMPP partner: an Erlang node without distribution, so no epmd, no cookie."""
import glob
import os
import signal

from . import plan
from .process import Process
from .xmpp import User

TEMPLATE = """
loglevel: debug
log_rotate_count: 0
hosts:
  - "{domain}"
{certfiles}
ca_file: "{trust}"
s2s_use_starttls: {starttls}
s2s_dns_timeout: 5
s2s_timeout: 20
s2s_max_retry_delay: 1
s2s_access: all
{extra}
listen:
  - port: {c2s}
    ip: "{address}"
    module: ejabberd_c2s
    access: all
    shaper: none
  - port: {s2s}
    ip: "{address}"
    module: ejabberd_s2s_in
    max_stanza_size: 524288
    shaper: none
{service}auth_password_format: plain
registration_timeout: infinity
modules:
  mod_disco: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_register:
    access: all
    access_from: all
    ip_access: all
    password_strength: 0
{modules}
"""

SERVICE = """  - port: {port}
    ip: "{address}"
    module: ejabberd_service
    access: all
    shaper_rule: none
    hosts:
      "{domain}":
        password: "{secret}"
"""


class Ejabberd:
    """starttls: false, optional, required or required_trusted (s2s_use_starttls);
    service: (port, domain, secret) of an external component."""

    def __init__(self, lab, domain=plan.CONTOSO, address=plan.EJABBERD, *, starttls="required",
                 dialback=True, certificate=None, trust=None, extra="", service=None, name=None):
        self.lab = lab
        self.domain = domain
        self.address = address
        self.name = name or f"ejabberd-{domain}"
        self.folder = lab.folder(self.name)
        self.log = os.path.join(self.folder, "ejabberd.log")
        certificate = certificate or lab.certs.need(domain)
        self.config = os.path.join(self.folder, "ejabberd.yml")
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(TEMPLATE.format(
                domain=domain, address=address, c2s=plan.XMPP_CLIENT, s2s=plan.XMPP_SERVER,
                certfiles=f'certfiles:\n  - "{lab.certs.both(certificate)}"',
                trust=trust or lab.certs.trust, starttls=starttls, extra=extra,
                service=SERVICE.format(address=address, port=service[0], domain=service[1],
                                       secret=service[2]) if service else "",
                modules="  mod_s2s_dialback: {}" if dialback else ""))
        self.process = None

    def start(self):
        library = os.path.dirname(os.path.dirname(
            glob.glob("/usr/lib/*/ejabberd-*/ebin")[0]))
        env = {"EJABBERD_CONFIG_PATH": self.config, "EJABBERD_LOG_PATH": self.log,
               "ERL_LIBS": library, "HOME": self.folder,
               "ERL_CRASH_DUMP": os.path.join(self.folder, "crash.dump")}
        spool = os.path.join(self.folder, "spool")
        self.process = Process(
            self.name,
            ["erl", "-noinput", "+K", "true", "+S", "2", "+sbwt", "none", "-start_epmd", "false",
             "-mnesia", "dir", f'"{spool}"', "-ejabberd", "log_rotate_count", "0",
             "-s", "ejabberd"],
            self.folder, env, log=self.log)
        self.lab.own(self.process.start())
        self.process.wait_port(self.address, plan.XMPP_CLIENT, plan.XMPP_SERVER, timeout=60)
        return self

    def user(self, name="ann", register=True):
        return User(f"{name}@{self.domain}", self.address, register=register)

    def stop(self):
        self.process.stop(signal.SIGTERM)

    def kill(self):
        self.process.kill()

    def log_text(self):
        return self.process.log_text()
