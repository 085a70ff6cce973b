# SPDX-License-Identifier: GPL-2.0-or-later
"""fedgate: configuration as a dict, start, figures, drain; a sanitizer report fails the test."""
import copy
import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request

from . import plan
from .process import HANG_S, Process, wait_until
from .stage import LabError

TREE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
# The live tests run the sanitized build; those that measure or flood ask for "release".
PRESET = os.environ.get("FEDGATE_LAB_PRESET", "asan-ubsan")
SANITIZER_TROUBLE = re.compile(r"(ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer)")
DRAIN_S = 2 * HANG_S


def binary(preset=None):
    """Path of the program; the environment FEDGATE names another one."""
    path = os.environ.get("FEDGATE") or os.path.join(
        TREE, "build", preset or PRESET, "core", "edge", "fedgate")
    if not os.access(path, os.X_OK):
        raise LabError(f"no fedgate at {path}: build it first (cmake --preset {preset or PRESET})")
    return path


def ctl_binary(preset=None):
    """Path of fedgatectl: the environment FEDGATECTL, or of the same build as fedgate."""
    path = os.environ.get("FEDGATECTL") or os.path.join(
        os.path.dirname(os.path.dirname(binary(preset))), "ctl", "fedgatectl")
    if not os.access(path, os.X_OK):
        raise LabError(f"no fedgatectl at {path}: build it first")
    return path


def run_ctl(*arguments, preset=None, folder=None, timeout=2 * HANG_S):
    """fedgatectl with these arguments: a CompletedProcess with text. What a sanitizer has to say
    is an error."""
    done = subprocess.run([ctl_binary(preset), *map(str, arguments)], cwd=folder, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1:exitcode=99",
                               "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"})
    if done.returncode in (99, -6, -11) or SANITIZER_TROUBLE.search(done.stderr):
        raise LabError(f"fedgatectl {arguments} ended with {done.returncode}\n{done.stderr}")
    return done


def partner(domain, **changes):
    """A row of "partners": everything demanded, no dialback, unless said otherwise."""
    row = {"domain": domain, "type": "federated", "tls": "required", "sasl": "required",
           "dialback": False}
    row.update(changes)
    return row


def sip_hop(tls=True, **changes):
    """The pool on Kamailio as next hop."""
    if tls:
        hop = {"kind": "sip", "uri": "sip:pool.corp.test;transport=tls",
               "trusted_names": ["pool.corp.test"]}
    else:
        hop = {"kind": "sip", "uri": "sip:pool.corp.test;transport=tcp",
               "trusted_addresses": ["127.0.0.0/8"]}
    hop.update(changes)
    return hop


class Fedgate:
    """`config` starts as a complete configuration; a test changes it before start()."""

    def __init__(self, lab, *, partners=(), hop=None, preset=None, shards=1, backend="wolfssl",
                 address=plan.FEDGATE, name="fedgate"):
        self.lab = lab
        self.address = address
        self.name = name
        self.preset = preset
        self.folder = lab.folder(name)
        self.log = os.path.join(self.folder, "fedgate.log")
        self.config_path = os.path.join(self.folder, "fedgate.conf")
        self.admin_path = lab.socket_path(self.folder, "admin.sock")
        certificate = "edge"
        if certificate not in lab.certs.made:
            lab.certs.make(plan.CORP, plan.APP, "edge.corp.test", name=certificate)
        self.config = {
            "node": {"name": "edge.corp.test", "state_dir": self.folder, "shards": shards},
            "listen": {
                "xmpp_server": [f"{address}:{plan.XMPP_SERVER}"],
                "xmpps_server": [f"{address}:{plan.XMPPS_SERVER}"],
                "component": [f"{address}:{plan.COMPONENT}"],
                "sip": [f"tls:{address}:{plan.SIP_TLS}", f"tcp:{address}:{plan.SIP_TCP}"],
                "http": f"{address}:{plan.HTTP}",
                "admin": self.admin_path},
            "tls": {"backend": backend, "certificate": lab.certs.crt(certificate),
                    "key": lab.certs.key(certificate), "trust": lab.certs.trust},
            "dns": {"servers": [plan.DNS]},
            "domains": [{"name": plan.CORP, "next_hop": "pool"},
                        {"name": plan.APP, "next_hop": "app"}],
            "next_hops": {"pool": hop or sip_hop(),
                          "app": {"kind": "component", "secret": "inside"}},
            "partners": [copy.deepcopy(p) for p in partners],
            "access": {"global": {"xmpp": True}},
            "gateway": {"stream_establishment_timeout_s": 120},
            "limits": {"connections_per_address_max": 0},
            "log": {"level": "debug", "file": self.log}}
        self.process = None
        self.wants_clean_exit = True
        self.asan_more = ""  # further options, each with a colon before it

    # -- life --------------------------------------------------------------------------------------
    def write_config(self):
        with open(self.config_path, "w", encoding="utf-8") as out:
            json.dump(self.config, out, indent=2)

    def start(self):
        self.launch()
        self.process.wait_ready(self.ready, timeout=HANG_S)
        self.check_hooks()
        return self

    def check_hooks(self):
        """What the environment asks for must be in force: what is shipped has no such hooks."""
        if "FEDGATE_TEST_PLAIN_IO" in os.environ:
            with open(self.process.output, encoding="utf-8", errors="replace") as out:
                if "receives as on Linux 6.1" not in out.read():
                    raise LabError(f"{binary(self.preset)} does not know FEDGATE_TEST_PLAIN_IO")

    def launch(self):
        """Starts the process and does not wait until it is ready."""
        self.write_config()
        env = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:detect_stack_use_after_return=1"
                               + self.asan_more,
               "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
               "TSAN_OPTIONS": "halt_on_error=0:exitcode=99"}
        self.process = Process(self.name, [binary(self.preset), "--config", self.config_path],
                               self.folder, env, log=self.log)
        self.process.start()
        self.lab.own(self)

    def stop(self):
        """Drains and ends; anything but a clean exit is an error. May be called again."""
        if self.process is None:
            return
        process, self.process = self.process, None
        status = process.stop(signal.SIGTERM, DRAIN_S)
        with open(process.output, encoding="utf-8", errors="replace") as out:
            trouble = SANITIZER_TROUBLE.search(out.read())
        if trouble or (status != 0 and self.wants_clean_exit):
            raise LabError(f"{self.name} ended with {status}\n{process.tail(60)}")

    def kill(self):
        """As a crash would: no drain, nothing checked."""
        process, self.process = self.process, None
        process.kill()

    def reload(self):
        self.write_config()
        self.process.send_signal(signal.SIGHUP)

    # -- fedgatectl --------------------------------------------------------------------------------
    def ctl(self, *arguments, status=0):
        """What `fedgatectl ARGUMENTS` prints about this node and its file; it must end with that
        status. With --json among the arguments: the document."""
        done = run_ctl("--config", self.config_path, *arguments, preset=self.preset,
                       folder=self.folder)
        if done.returncode != status:
            raise LabError(f"fedgatectl {arguments} ended with {done.returncode}, not {status}\n"
                           f"{done.stdout}{done.stderr}")
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    # -- figures -----------------------------------------------------------------------------------
    def get(self, path):
        """(status, body) of an HTTP GET."""
        try:
            url = f"http://{self.address}:{plan.HTTP}{path}"
            with urllib.request.urlopen(url, timeout=HANG_S) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self):
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def stats(self):
        status, text = self.get("/stats")
        if status != 200:
            raise LabError(f"/stats answered {status}")
        return json.loads(text)

    def totals(self):
        return self.stats()["totals"]

    def partner(self, domain):
        return self.stats()["partners"].get(domain)

    def authenticated(self, domain):
        """{'in': {...}, 'out': {...}}: how often by each method, those above zero."""
        row = self.partner(domain) or {}
        return {way: {method: count for method, count in
                      row.get(way, {}).get("authenticated", {}).items() if count}
                for way in ("in", "out")}

    def wait_stats(self, what, condition, timeout=HANG_S):
        """Waits until condition(stats) holds, and returns its result."""
        return wait_until(what, lambda: condition(self.stats()), timeout)

    def log_text(self):
        for path in (self.log, os.path.join(self.folder, f"{self.name}.out")):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as log:
                    text = log.read()
                if text:
                    return text
        return ""


def corp_dns(lab):
    """The organisation's names: its XMPP domains on fedgate, its pool on Kamailio."""
    for domain in (plan.CORP, plan.APP):
        lab.dns.xmpp(domain, plan.FEDGATE)
    lab.dns.a("edge.corp.test", plan.FEDGATE)
    lab.dns.a("pool.corp.test", plan.KAMAILIO)
    lab.dns.srv("_sip._tcp.pool.corp.test", (10, 5, plan.SIP_TCP, "pool.corp.test"))
    lab.dns.srv("_sips._tcp.pool.corp.test", (10, 5, plan.SIP_TLS, "pool.corp.test"))
