# SPDX-License-Identifier: GPL-2.0-or-later
"""jabberd2 as an XMPP partner: its router and its s2s; the user is a component on the router.

Its s2s knows dialback only and sends stream headers without from, to and version.
"""
import os

from . import plan
from .process import Process
from .xmpp import Component

ROUTER = """<router>
  <id>router</id>
  <pidfile>{folder}/router.pid</pidfile>
  <log type='stdout'/>
  <local>
    <ip>{address}</ip>
    <port>{port}</port>
    <users>{folder}/users.xml</users>
    <secret>{secret}</secret>
  </local>
  <io><max_fds>1024</max_fds></io>
  <aci>
    <acl type='all'><user>jabberd</user></acl>
    <filter>{folder}/filter.xml</filter>
  </aci>
</router>
"""

S2S = """<s2s>
  <id>s2s</id>
  <pidfile>{folder}/s2s.pid</pidfile>
  <router>
    <ip>{address}</ip>
    <port>{port}</port>
    <user>jabberd</user>
    <pass>secret</pass>
    <retry><init>3</init><lost>3</lost><sleep>1</sleep></retry>
  </router>
  <log type='stdout'/>
  <local>
    <ip>{address}</ip>
    <port>{s2s}</port>
    {tls}
  </local>
  <io><max_fds>1024</max_fds><limits><stanzasize>262144</stanzasize></limits></io>
  <check><interval>1</interval><queue>20</queue><retry>20</retry><idle>86400</idle></check>
  <lookup>
    <srv>xmpp-server</srv>
    <srv>jabber</srv>
    <min-ttl>1</min-ttl>
    <bad-host-timeout>1</bad-host-timeout>
  </lookup>
  {security}
</s2s>
"""


class Jabberd2:
    """tls: offers and uses STARTTLS; require_tls: insists on it. secret: of components."""

    def __init__(self, lab, domain=plan.LITWARE, address=plan.JABBERD2, *, tls=True,
                 require_tls=False, secret="secret"):
        self.lab = lab
        self.domain = domain
        self.secret = secret
        self.address = address
        self.folder = lab.folder(f"jabberd2-{domain}")
        pem = lab.certs.both(lab.certs.need(domain)) if tls else ""
        values = {
            "folder": self.folder, "address": address, "port": plan.COMPONENT,
            "s2s": plan.XMPP_SERVER, "secret": secret,
            "tls": f"<pemfile>{pem}</pemfile><cachain>{lab.certs.trust}</cachain>" if tls else "",
            "security": "<security><require_tls/></security>" if require_tls else "<security/>"}
        files = {"router.xml": ROUTER.format(**values), "s2s.xml": S2S.format(**values),
                 "filter.xml": "<filter/>",
                 "users.xml": "<users><user><name>jabberd</name><secret>secret</secret></user>"
                              "</users>"}
        for name, text in files.items():
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as out:
                out.write(text)
        self.router = self.s2s = None

    def start(self):
        self.router = Process("router", ["jabberd2-router", "-c", f"{self.folder}/router.xml"],
                              self.folder)
        self.lab.own(self.router.start())
        self.router.wait_port(self.address, plan.COMPONENT)
        self.s2s = Process("s2s", ["jabberd2-s2s", "-c", f"{self.folder}/s2s.xml"], self.folder)
        self.lab.own(self.s2s.start())
        self.s2s.wait_port(self.address, plan.XMPP_SERVER)
        return self

    def stop(self):
        self.s2s.stop()
        self.router.stop()

    def user(self):
        """The whole domain as one component; say() needs the sender."""
        return self.lab.own(Component(self.domain, self.secret, self.address))

    def log_text(self):
        return self.s2s.log_text()
