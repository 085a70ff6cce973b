# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers of this folder's drivers: bare, limits off, errors logged only, no needless modules.

Every class has start(), stop(), process (the root of its process tree; pids_of() gives all roots),
modes and where the load tool must go: target (s2s or TLS), component; load_options for it.
"""
import contextlib
import glob
import os
import signal

from lab import Lab, plan
from lab.fedgate import Fedgate, partner
from lab.jabberd2 import Jabberd2
from lab.process import Process
from nginx import Nginx

SECRET = "inside"
SUFFIX = "fan.test"
PARTNERS = 256
RELAY = "127.77.0.20"
LISTEN = (plan.SCRIPTED, plan.XMPP_SERVER)  # where the load tool plays the partners

DIGITS = 5  # of a partner's number in fedgate-load


def partner_domains(count=PARTNERS):
    return [f"p{number:0{DIGITS}}.{SUFFIX}" for number in range(count)]


def load_options(server, certs, mode, workload, count):
    """Of fedgate-load, for that server."""
    options = ["--mode", getattr(server, "load_mode", mode), "--workload", workload,
               "--count", str(count), "--wait", "--quiet",
               "--cert", certs.crt(SUFFIX), "--key", certs.key(SUFFIX), "--suffix", SUFFIX,
               "--inside", plan.APP, "--secret", SECRET, "--target", "%s:%d" % server.target,
               *server.load_options]
    if server.component:
        options += ["--component", "%s:%d" % server.component]
    if mode != "in":
        options += ["--listen", "%s:%d" % LISTEN]
    return options


class FedgateServer:
    modes = ("in", "out")

    def __init__(self, lab, preset, partners=PARTNERS, backend="wolfssl", shards=1, acks=None,
                 busy_poll_us=0):
        self.load_options = ["--pings"] if acks == "ping" else []
        changes = {"acks": acks} if acks else {}
        self.fedgate = Fedgate(lab,
                               partners=[partner(d, **changes) for d in partner_domains(partners)],
                               preset=preset, shards=shards, backend=backend)
        self.fedgate.config["log"]["level"] = "error"
        if busy_poll_us:
            self.fedgate.config["node"]["busy_poll_us"] = busy_poll_us
        self.fedgate.config["gateway"]["connection_limit"] = 2 * partners
        # Time is not what is measured: on a busy machine a set-up may take long.
        self.fedgate.config["gateway"]["stream_establishment_timeout_s"] = 60
        self.target = (plan.FEDGATE, plan.XMPP_SERVER)
        self.component = (plan.FEDGATE, plan.COMPONENT)

    def start(self):
        self.fedgate.start()
        self.process = self.fedgate.process

    def stop(self):
        self.fedgate.stop()


PROSODY = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}"
plugin_paths = {{ "{modules}" }}
log = {{ {{ levels = {{ min = "error" }}, to = "file", filename = "{log}" }} }}
modules_enabled = {{ "saslauth", "tls", "lab_dns" }}
modules_disabled = {{ "offline", "c2s" }}
network_backend = "epoll"
storage = "internal"
interfaces = {{ "{address}" }}
s2s_ports = {{ {s2s} }}
component_ports = {{ {component} }}
component_interfaces = {{ "{address}" }}
s2s_require_encryption = true
s2s_secure_auth = true
use_ipv6 = false
limits = {{}}
ssl = {{ certificate = "{crt}", key = "{key}", cafile = "{trust}", capath = "{folder}" }}

VirtualHost "{host}"

Component "{domain}"
    component_secret = "{secret}"
"""


class ProsodyServer:
    modes = ("in", "out")
    load_options = []

    def __init__(self, lab):
        self.lab = lab
        self.target = (plan.PROSODY, plan.XMPP_SERVER)
        self.component = (plan.PROSODY, plan.COMPONENT)
        self.folder = lab.folder("prosody")
        self.log = os.path.join(self.folder, "prosody.log")
        certificate = lab.certs.need(plan.APP)
        self.config = os.path.join(self.folder, "prosody.cfg.lua")
        modules = os.path.join(os.path.dirname(os.path.abspath(plan.__file__)), "prosody_modules")
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(PROSODY.format(
                folder=self.folder, log=self.log, modules=modules, address=plan.PROSODY,
                s2s=plan.XMPP_SERVER, component=plan.COMPONENT, crt=lab.certs.crt(certificate),
                key=lab.certs.key(certificate), trust=lab.certs.trust, host=plan.CORP,
                domain=plan.APP, secret=SECRET))

    def start(self):
        self.process = Process("prosody", ["prosody", "--config", self.config, "-F"], self.folder,
                               log=self.log)
        self.lab.own(self.process.start())
        self.process.wait_port(*self.target)
        self.process.wait_port(*self.component)

    def stop(self):
        self.process.stop()


EJABBERD = """
loglevel: error
log_rotate_count: 0
hosts:
  - "{host}"
certfiles:
  - "{pem}"
ca_file: "{trust}"
s2s_use_starttls: required
s2s_access: all
listen:
  - port: {s2s}
    ip: "{address}"
    module: ejabberd_s2s_in
    max_stanza_size: 524288
    shaper: none
  - port: {component}
    ip: "{address}"
    module: ejabberd_service
    access: all
    shaper_rule: none
    hosts:
      "{domain}":
        password: "{secret}"
modules: {{}}
"""


class EjabberdServer:
    modes = ("in", "out")
    load_options = []

    def __init__(self, lab):
        self.lab = lab
        self.target = (plan.EJABBERD, plan.XMPP_SERVER)
        self.component = (plan.EJABBERD, plan.COMPONENT)
        self.folder = lab.folder("ejabberd")
        self.log = os.path.join(self.folder, "ejabberd.log")
        self.config = os.path.join(self.folder, "ejabberd.yml")
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(EJABBERD.format(
                host=plan.CORP, pem=lab.certs.both(lab.certs.need(plan.APP)),
                trust=lab.certs.trust, s2s=plan.XMPP_SERVER, component=plan.COMPONENT,
                address=plan.EJABBERD, domain=plan.APP, secret=SECRET))

    def start(self):
        library = os.path.dirname(os.path.dirname(glob.glob("/usr/lib/*/ejabberd-*/ebin")[0]))
        # Its TLS library would choose AES-256; all are to do the same work.
        openssl = os.path.join(self.folder, "openssl.cnf")
        with open(openssl, "w", encoding="ascii") as out:
            out.write("openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = all\n"
                      "[all]\nCiphersuites = TLS_AES_128_GCM_SHA256\n")
        env = {"OPENSSL_CONF": openssl,
               "EJABBERD_CONFIG_PATH": self.config, "EJABBERD_LOG_PATH": self.log,
               "ERL_LIBS": library, "HOME": self.folder,
               "ERL_CRASH_DUMP": os.path.join(self.folder, "crash.dump")}
        spool = os.path.join(self.folder, "spool")
        self.process = Process(
            "ejabberd",
            ["erl", "-noinput", "+K", "true", "+S", "2", "+sbwt", "none", "-start_epmd", "false",
             "-mnesia", "dir", f'"{spool}"', "-ejabberd", "log_rotate_count", "0",
             "-s", "ejabberd"],
            self.folder, env, log=self.log)
        self.lab.own(self.process.start())
        self.process.wait_port(*self.target, timeout=60)
        self.process.wait_port(*self.component, timeout=60)

    def stop(self):
        self.process.stop(signal.SIGTERM)


class Jabberd2Server:
    """Its router, on which the component logs in, and its s2s, which knows dialback only."""

    modes = ("in", "out")

    def __init__(self, lab):
        self.load_options = ["--auth", "dialback", "--listen", "%s:%d" % LISTEN]
        self.target = (plan.JABBERD2, plan.XMPP_SERVER)
        self.component = (plan.JABBERD2, plan.COMPONENT)
        self.server = Jabberd2(lab, plan.APP, secret=SECRET)

    def start(self):
        self.server.start()
        self.process = self.server.s2s
        self.pids = [self.server.s2s.pid, self.server.router.pid]

    def stop(self):
        self.server.stop()


HAPROXY = """
global
    nbthread 1
    maxconn 9000
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
    ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
defaults
    mode tcp
    timeout connect 5s
    timeout client 120s
    timeout server 120s
frontend tls_in
    bind {address}:{port} ssl crt {pem}
    default_backend tls_out
backend tls_out
    server sink {sink}:{sink_port}{out}
"""


class HaproxyServer:
    """TLS in, TLS out, the bytes unread: what a relay costs that understands nothing. is_plain: TCP
    out without TLS, as on fedgate's component side."""

    modes = ("relay",)
    load_options = []

    def __init__(self, lab, is_plain=False):
        self.lab = lab
        self.load_mode = "relay-plain" if is_plain else "relay"
        self.target = (RELAY, plan.XMPPS_SERVER)
        self.component = None
        self.folder = lab.folder("haproxy")
        self.config = os.path.join(self.folder, "haproxy.cfg")
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(HAPROXY.format(
                address=RELAY, port=plan.XMPPS_SERVER, sink=LISTEN[0], sink_port=LISTEN[1],
                out="" if is_plain else " ssl verify none",
                pem=lab.certs.both(lab.certs.need(plan.APP))))

    def start(self):
        self.process = Process("haproxy", ["haproxy", "-db", "-f", self.config], self.folder)
        self.lab.own(self.process.start())
        # No probe of the port: it would be passed on to the load tool, which is not there yet.
        self.process.wait_ready(lambda: listening(*self.target))

    def stop(self):
        self.process.stop(signal.SIGTERM)


class NginxServer:
    """The same of nginx."""

    modes = ("relay",)
    load_options = []

    def __init__(self, lab, is_plain=False):
        self.target = (RELAY, plan.XMPPS_SERVER)
        self.component = None
        self.load_mode = "relay-plain" if is_plain else "relay"
        self.nginx = Nginx(lab, self.target, LISTEN, listening, is_plain)

    def start(self):
        self.nginx.start()
        self.process = self.nginx.process

    def stop(self):
        self.nginx.stop()


def listening(address, port):
    """True when somebody listens there, seen without connecting."""
    packed = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    wanted = f" {packed}:{port:04X} 00000000:0000 0A "
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(wanted in line for line in table)


def make(name, lab, preset, partners=PARTNERS):
    """The server called so; the names of SERVERS. NAME@PRESET: fedgate of another build."""
    kind, _, other = name.partition("@")
    return SERVERS[kind](lab, other or preset, partners)


def pids_of(server):
    """Roots of the process trees whose time and memory are the server's."""
    return getattr(server, "pids", [server.process.pid])


def modes_of(name):
    return {"prosody": ProsodyServer, "ejabberd": EjabberdServer, "jabberd2": Jabberd2Server,
            "haproxy": HaproxyServer, "nginx": NginxServer}.get(
                name.split("@")[0].removesuffix("-plain"), FedgateServer).modes


@contextlib.contextmanager
def serving(name, preset, partners, prepare=None):
    """A lab in which that server runs, and nothing else: (lab, server). prepare(lab, server) may
    change its configuration before it starts."""
    with Lab("bench") as lab:
        for domain in (plan.CORP, plan.APP):
            lab.dns.xmpp(domain, plan.NOBODY)
        for domain in partner_domains(partners):
            lab.dns.xmpp(domain, plan.SCRIPTED)
        lab.certs.make(f"*.{SUFFIX}", name=SUFFIX)
        server = make(name, lab, preset, partners)
        server.name = name
        if prepare:
            prepare(lab, server)
        server.start()
        try:
            yield lab, server
        finally:
            server.stop()


SERVERS = {
    "fedgate": FedgateServer,
    "fedgate-2-shards": lambda *a: FedgateServer(*a, shards=2),
    "fedgate-busy": lambda *a: FedgateServer(*a, busy_poll_us=100),
    "fedgate-mbedtls": lambda *a: FedgateServer(*a, backend="mbedtls"),
    "fedgate-mbedtls-2-shards": lambda *a: FedgateServer(*a, backend="mbedtls", shards=2),
    "fedgate-pings": lambda *a: FedgateServer(*a, acks="ping"),
    "fedgate-no-acks": lambda *a: FedgateServer(*a, acks="off"),
    "prosody": lambda lab, *_: ProsodyServer(lab),
    "ejabberd": lambda lab, *_: EjabberdServer(lab),
    "jabberd2": lambda lab, *_: Jabberd2Server(lab),
    "haproxy": lambda lab, *_: HaproxyServer(lab),
    "haproxy-plain": lambda lab, *_: HaproxyServer(lab, is_plain=True),
    "nginx": lambda lab, *_: NginxServer(lab),
    "nginx-plain": lambda lab, *_: NginxServer(lab, is_plain=True),
}
