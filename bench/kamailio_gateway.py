# SPDX-License-Identifier: GPL-2.0-or-later
"""Kamailio's xmpp module as the gateway of bench/messages: a component over plain TCP (the load
tool plays the XMPP server), SIP over plain TCP, one process for SIP and one for XMPP. It runs with
kamailio_atts.c preloaded: as Debian ships it, it dies of the first stanza (README.md)."""
import glob
import os

from lab import plan
from lab.process import Process

GATEWAY = "gw.test"
XMPP_AT = (plan.SCRIPTED, plan.COMPONENT)  # the tool, as the XMPP server
POOL_AT = (plan.PHONES, plan.SIP_TCP)      # the tool, as the next hop

CONFIG = """
debug=1
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
listen=tcp:{address}:{port}
disable_core_dump=yes
tcp_connection_lifetime=3605
tcp_accept_no_cl=no
dns_try_naptr=no
mpath="{modules}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xmpp.so"
modparam("xmpp", "backend", "component")
modparam("xmpp", "gateway_domain", "{gateway}")
modparam("xmpp", "xmpp_domain", "{gateway}")
modparam("xmpp", "xmpp_host", "{xmpp}")
modparam("xmpp", "xmpp_port", {xmpp_port})
modparam("xmpp", "xmpp_password", "inside")
modparam("xmpp", "outbound_proxy", "sip:{pool}:{pool_port};transport=tcp")
request_route {{
    if (method == "MESSAGE" && $rd == "{gateway}") {{
        if (!t_newtran()) {{
            sl_reply_error();
            exit;
        }}
        if (xmpp_send_message()) {{
            t_reply("200", "Accepted");
        }} else {{
            t_reply("500", "Not sent");
        }}
        exit;
    }}
    sl_send_reply("404", "Not here");
}}
"""


class KamailioGateway:
    """As the servers of peers.py: start(), stop(), process."""

    def __init__(self, lab, preload):
        self.lab = lab
        self.folder = lab.folder("kamailio-gateway")
        self.config = os.path.join(self.folder, "kamailio.cfg")
        self.preload = preload
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(CONFIG.format(
                address=plan.KAMAILIO, port=plan.SIP_TCP, gateway=GATEWAY, xmpp=XMPP_AT[0],
                xmpp_port=XMPP_AT[1], pool=POOL_AT[0], pool_port=POOL_AT[1],
                modules=glob.glob("/usr/lib/*/kamailio/modules")[0]))
        self.process = None

    def start(self):
        # Transactions stay for seconds: with 256 MB it falls silent after some 20,000 messages.
        self.process = Process("kamailio", [
            "kamailio", "-f", self.config, "-DD", "-E", "-m", "2048", "-M", "16",
            "-P", f"{self.folder}/pid", "-w", self.folder, "-Y", self.folder], self.folder,
            {"LD_PRELOAD": self.preload})
        self.lab.own(self.process.start())
        self.process.wait_port(plan.KAMAILIO, plan.SIP_TCP)

    def stop(self):
        self.process.stop()

    @staticmethod
    def load_options():
        return ["--gateway", GATEWAY, "--listen", "%s:%d" % XMPP_AT,
                "--target", "%s:%d" % XMPP_AT, "--sip", f"{plan.KAMAILIO}:{plan.SIP_TCP}",
                "--sip-listen", "%s:%d" % POOL_AT]
