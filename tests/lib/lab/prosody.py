# SPDX-License-Identifier: GPL-2.0-or-later
"""Prosody 0.12 as an XMPP partner, with a configuration and data folder of its own."""
import os

from . import plan
from .process import Process

MODULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "prosody_modules")

TEMPLATE = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}/none"
plugin_paths = {{ "{modules_path}" }}
log = {{ {{ levels = {{ min = "debug" }}, to = "file", filename = "{log}" }} }}
modules_enabled = {{ "roster", "saslauth", "tls", "ping", "disco", "lab_dns", {modules} }}
modules_disabled = {{ "offline"{disabled} }}
authentication = "internal_plain"
storage = "internal"
interfaces = {{ "{address}" }}
c2s_ports = {{ {c2s} }}
s2s_ports = {{ {s2s} }}
s2s_direct_tls_ports = {{ {direct} }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
s2s_require_encryption = {encryption}
s2s_secure_auth = {secure}
use_ipv6 = false
s2s_timeout = {s2s_timeout}
limits = {{}}
ssl = {{ certificate = "{crt}", key = "{key}", cafile = "{trust}", capath = "{folder}/none"{tls} }}
{extra}

VirtualHost "{domain}"
{host_extra}
"""


def _lua(value):
    return "true" if value else "false"


def _file_name(text):
    """As Prosody's data manager names files."""
    return "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02x}" for b in text.encode())


class Prosody:
    """secure_auth: certificates are demanded; encryption: TLS is demanded; dialback, smacks:
    modules; direct: listens for direct TLS; certificate: name of another than the good one."""

    def __init__(self, lab, domain=plan.FABRIKAM, address=plan.PROSODY, *, secure_auth=True,
                 encryption=True, tls=True, dialback=True, smacks=False, direct=True, bidi=False,
                 certificate=None, trust=None, users=("ann", "bea"), tls_options="", s2s_timeout=20,
                 extra="", host_extra="", name=None):
        self.lab = lab
        self.domain = domain
        self.address = address
        self.name = name or f"prosody-{domain}"
        self.folder = lab.folder(self.name)
        self.log = os.path.join(self.folder, "prosody.log")
        certificate = certificate or lab.certs.need(domain)
        os.makedirs(os.path.join(self.folder, "none"), exist_ok=True)
        modules = ["dialback"] * dialback + ["smacks"] * smacks + ["s2s_bidi"] * bidi
        disabled = ["s2s_auth_certs"] * (not secure_auth and trust == "nobody")
        disabled += ["tls"] * (not tls)
        text = TEMPLATE.format(
            folder=self.folder, log=self.log, modules_path=MODULES, address=address, domain=domain,
            modules=", ".join(f'"{m}"' for m in modules),
            disabled="".join(f', "{m}"' for m in disabled),
            c2s=plan.XMPP_CLIENT, s2s=plan.XMPP_SERVER, direct=plan.XMPPS_SERVER if direct else "",
            encryption=_lua(encryption), secure=_lua(secure_auth), s2s_timeout=s2s_timeout,
            crt=lab.certs.crt(certificate), key=lab.certs.key(certificate),
            trust=trust if trust and trust != "nobody" else lab.certs.trust,
            tls=tls_options, extra=extra, host_extra=host_extra)
        self.config = os.path.join(self.folder, "prosody.cfg.lua")
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(text)
        for user in users:
            self.add_user(user)
        self.process = None

    def add_user(self, user, password="secret"):
        folder = os.path.join(self.folder, "data", _file_name(self.domain), "accounts")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{_file_name(user)}.dat"), "w", encoding="utf-8") as out:
            out.write(f'return {{ ["password"] = "{password}"; }};\n')

    def start(self):
        self.process = Process(self.name, ["prosody", "--config", self.config, "-F"],
                               self.folder, log=self.log)
        self.lab.own(self.process.start())
        self.process.wait_port(self.address, plan.XMPP_CLIENT, plan.XMPP_SERVER)
        return self

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()

    def log_text(self):
        return self.process.log_text()
