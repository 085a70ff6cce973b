# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's DNS server: authoritative for *.test, zones changeable while it runs."""
import socket
import threading

from dnslib import AAAA, QTYPE, RCODE, RR, SRV, A, DNSRecord
from dnslib.server import DNSServer, BaseResolver

from . import plan

SHORT_TTL_S = 1


class Zones(BaseResolver):
    """name -> list of (type, data). Unknown names below .test are NXDOMAIN, others refused."""

    def __init__(self):
        self.lock = threading.Lock()
        self.records = {}
        self.queries = []

    def resolve(self, request, handler):
        name = str(request.q.qname).rstrip(".").lower()
        wanted = QTYPE[request.q.qtype]
        reply = request.reply()
        with self.lock:
            self.queries.append((name, wanted))
            known = self.records.get(name)
            below = any(n.endswith("." + name) for n in self.records)
        if known is None and not below:
            inside = name == "test" or name.endswith(".test")
            reply.header.rcode = RCODE.NXDOMAIN if inside else RCODE.REFUSED
            return reply
        for kind, data in known or []:
            if kind == wanted:
                reply.add_answer(RR(request.q.qname, getattr(QTYPE, kind), ttl=SHORT_TTL_S,
                                    rdata=data))
        return reply


class LabDns:
    """dns.a(), dns.srv() and so on may be called before and after start()."""

    def __init__(self, address=plan.DNS, port=53):
        self.address = address
        self.port = port
        self.zones = Zones()
        self.servers = []

    def start(self):
        for tcp in (False, True):
            server = DNSServer(self.zones, port=self.port, address=self.address, tcp=tcp,
                               logger=_Quiet())
            # Stopping waits for a poll: half a second of each test with the default interval.
            threading.Thread(target=server.server.serve_forever, daemon=True,
                             kwargs={"poll_interval": 0.02}).start()
            self.servers.append(server)
        return self

    def stop(self):
        for server in self.servers:
            server.server.shutdown()
            server.server.server_close()
        self.servers = []

    def put(self, name, kind, *data):
        """Replaces all records of one type at a name; no data removes them."""
        name = name.rstrip(".").lower()
        with self.zones.lock:
            kept = [r for r in self.zones.records.get(name, []) if r[0] != kind]
            kept += [(kind, d) for d in data]
            if kept:
                self.zones.records[name] = kept
            else:
                self.zones.records.pop(name, None)

    def a(self, name, *addresses):
        self.put(name, "A", *[A(a) for a in addresses])

    def aaaa(self, name, *addresses):
        self.put(name, "AAAA", *[AAAA(a) for a in addresses])

    def srv(self, name, *targets):
        """targets: (priority, weight, port, host); host '.' says the service is not offered."""
        self.put(name, "SRV", *[SRV(p, w, port, host) for p, w, port, host in targets])

    def xmpp(self, domain, address, starttls=plan.XMPP_SERVER, direct=None):
        """A usual XMPP domain: host xmpp.<domain>, _xmpp-server and perhaps _xmpps-server."""
        host = f"xmpp.{domain}"
        self.a(host, address)
        self.a(domain, address)
        self.srv(f"_xmpp-server._tcp.{domain}", *([(10, 5, starttls, host)] if starttls else []))
        self.srv(f"_xmpps-server._tcp.{domain}", *([(5, 5, direct, host)] if direct else []))

    def asked(self, name):
        with self.zones.lock:
            return [q for q in self.zones.queries if q[0] == name]

    def answers(self):
        """True when a query over UDP is answered: the readiness probe."""
        query = DNSRecord.question("ready.test").pack()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.5)
            probe.sendto(query, (self.address, self.port))
            try:
                return probe.recv(512)[:2] == query[:2]
            except OSError:
                return False


class _Quiet:
    """dnslib logs by calling these."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: None
