# SPDX-License-Identifier: GPL-2.0-or-later
"""The TLS programs of others, spoken to as if they were connections: openssl s_client and s_server,
gnutls-cli and gnutls-serv; and the plain part of a stream before STARTTLS, done for them."""
import os
import re
import shutil
import socket
import subprocess

from . import plan
from .fedgate import partner
from .hostile import (EVIL, EVIL_ADDRESS, FEATURE_EXTERNAL, FEATURE_TLS, JOE, Ground, Raw,
                      answer_header, header)
from .process import HANG_S, child_setup
from .splitter import Splitter
from .stage import Skip
from .xmpp import NS_SASL, NS_TLS

# As OpenSSL, GnuTLS and its programs write it.
ALERT = re.compile(r"(?:SSL alert number |Received alert \[)(\d+)")


class Tool(Raw):
    """A program whose terminal we are. Each send is one read of its own, because s_client and
    s_server look for commands in the first letter of what they read."""

    def __init__(self, lab, argv):
        if not shutil.which(argv[0]):
            raise Skip(f"no {argv[0]} here (deploy/packages/test.txt)")
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.text = ""
        self.is_ended = False
        self.messages_at = None
        self.said = ""  # everything, also what was cleared from text
        with theirs:
            self.popen = subprocess.Popen([str(word) for word in argv], stdin=theirs,
                                          stdout=theirs, stderr=theirs, cwd=lab.root,
                                          preexec_fn=child_setup)
        lab.own(self)

    def take(self, timeout):
        before = len(self.text)
        more = super().take(timeout)
        self.said += self.text[before:]
        return more

    # Handshakes of many programs at once take their time on a busy machine.
    def until(self, token, timeout=60.0):
        return super().until(token, timeout)

    def until_end(self, timeout=60.0):
        return super().until_end(timeout)

    def alerts(self):
        """Numbers of the alerts that it says it received."""
        return [int(number) for number in ALERT.findall(self.text)]

    def messages(self):
        """Lines of -msg, which are all there once it has ended: '<<< TLS 1.3, KeyUpdate ...'."""
        with open(self.messages_at, encoding="utf-8", errors="replace") as log:
            return [line.strip() for line in log if line[:3] in ("<<<", ">>>")]

    def stop(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        self.socket.close()


def _with_messages(lab, argv):
    number = len(lab.owned)
    path = os.path.join(lab.root, f"messages-{number}")
    tool = Tool(lab, [*argv, "-msg", "-msgfile", path])
    tool.messages_at = path
    return tool


def s_client(lab, *options, name=plan.APP, port=plan.XMPPS_SERVER, address=plan.FEDGATE,
             certificate=None):
    """openssl s_client to fedgate; name None: no SNI; port 5269: with STARTTLS."""
    argv = ["openssl", "s_client", "-connect", f"{address}:{port}"]
    argv += ["-servername", name] if name else ["-noservername"]
    if port == plan.XMPP_SERVER:
        argv += ["-starttls", "xmpp-server", "-xmpphost", plan.APP]
    if certificate:
        argv += ["-cert", lab.certs.crt(certificate), "-key", lab.certs.key(certificate)]
    return _with_messages(lab, argv + list(options))


def s_server(lab, port, certificate, *options, address=EVIL_ADDRESS):
    """openssl s_server for one connection after the other; it is ready when this returns."""
    tool = _with_messages(lab, [
        "openssl", "s_server", "-accept", f"{address}:{port}", "-cert",
        lab.certs.crt(certificate), "-key", lab.certs.key(certificate), *options])
    tool.until("ACCEPT")
    return tool


def gnutls_cli(lab, *options, name=plan.APP, port=plan.XMPPS_SERVER, address=plan.FEDGATE,
               certificate=None):
    """gnutls-cli reads whole lines: what is sent to it must end in one."""
    argv = ["gnutls-cli", "--no-ca-verification", "-p", str(port)]
    argv += ["--sni-hostname", name] if name else ["--disable-sni"]
    if certificate:
        argv += ["--x509certfile", lab.certs.crt(certificate),
                 "--x509keyfile", lab.certs.key(certificate)]
    return Tool(lab, argv + list(options) + [address])


def gnutls_serv(lab, port, certificate, *options):
    """gnutls-serv as an echo of lines; it is ready when this returns."""
    tool = Tool(lab, ["stdbuf", "-oL", "gnutls-serv", "--echo", "-p", str(port), "--x509certfile",
                      lab.certs.crt(certificate), "--x509keyfile", lab.certs.key(certificate),
                      *options])
    tool.until("IPv4 0.0.0.0 port")
    tool.until("done")
    return tool


def follows_key_updates(on):
    """Whether this fedgate can take new keys of a peer; one that cannot closes in order."""
    return on.fedgate.stats()["tls"]["key_updates"]


def accept_for(listener, domain):
    """The connection in which fedgate names that domain at first (SNI, or the header in the clear);
    others, which it dials again after an earlier failure, are closed."""
    listener.settimeout(HANG_S)
    while True:
        connected, _ = listener.accept()
        connected.settimeout(HANG_S)
        if domain.encode() in connected.recv(4096, socket.MSG_PEEK):
            return connected
        connected.close()


def stream_of(on, remote, direction):
    """The row of /stats of the last stream with that partner, or None."""
    rows = [row for row in on.fedgate.stats()["streams"]
            if row["remote"] == remote and row["direction"] == direction]
    return rows[-1] if rows else None


class StarttlsOut(Splitter):
    """To be connected to by a TLS client: connects to fedgate, asks for TLS there, and passes the
    handshake and all after it. piece: so many bytes at once."""

    def __init__(self, lab, port, piece=1 << 16):
        super().__init__(EVIL_ADDRESS, port, plan.FEDGATE, plan.XMPP_SERVER, piece)
        lab.own(self)

    def begin(self, one, other):
        raw = Raw.over(other)
        raw.send(header()).until("</stream:features>")
        raw.send(f"<starttls xmlns='{NS_TLS}'/>").until("<proceed")


class StarttlsIn(Splitter):
    """To be connected to by fedgate: offers TLS, and passes the handshake and all after it to a TLS
    server on another port of its address."""

    def __init__(self, lab, server_port, domain, port=plan.XMPP_SERVER, piece=1 << 16):
        self.domain = domain
        super().__init__(EVIL_ADDRESS, port, EVIL_ADDRESS, server_port, piece)
        lab.own(self)

    def begin(self, one, other):
        raw = Raw.over(one)
        answer_header(raw, FEATURE_TLS, self.domain)
        raw.until("<starttls")
        raw.send(f"<proceed xmlns='{NS_TLS}'/>")


def opening(**options):
    """A stream header that may follow white space: gnutls-cli sends a line end with everything, and
    XML allows none before a declaration."""
    return header(**options).partition("?>")[2] + "\n"


def log_in(raw, **options):
    """As a client of TLS: up to the features of the authenticated stream."""
    raw.send(opening(**options)).until("</stream:features>")
    raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>=</auth>\n").until('sasl"/>')
    raw.text = ""
    raw.send(opening(**options)).until("</stream:features>")
    return raw


def message_of(text, sender=f"ann@{EVIL}", to=JOE):
    return f"<message from='{sender}' to='{to}'><body>{text}</body></message>\n"


def say(on, raw, text, **options):
    """A message from the tool to the component."""
    raw.send(message_of(text, **options))
    on.hears(text)


def farewell(raw):
    """Closes the stream; fedgate closes it too, then TLS, then the connection."""
    raw.text = ""
    raw.send("</stream:stream>\n").until("</stream:stream>")
    return raw.until_end()


def take_stream(raw, domain=EVIL):
    """As a server of TLS: up to the authenticated stream with acknowledgements."""
    answer_header(raw, FEATURE_EXTERNAL, domain)
    raw.until("</auth>")
    raw.text = ""
    raw.send(f"<success xmlns='{NS_SASL}'/>")
    answer_header(raw, "<sm xmlns='urn:xmpp:sm:3'/>", domain)
    raw.until("<enable")
    raw.send("<enabled xmlns='urn:xmpp:sm:3'/>")


def take_message(raw, text, number=1):
    """The number-th stanza of the stream comes and is acknowledged."""
    raw.until(f"<body>{text}</body>")
    raw.until("<r xmlns")
    raw.text = ""
    raw.send(f"<a xmlns='urn:xmpp:sm:3' h='{number}'/>")


NAMES_PER_CERTIFICATE = 50  # fedgate keeps 64 of a certificate


class Partners(Ground):
    """A ground with many more partners: what one server did does not delay the dial to the next.
    Their servers share few certificates, made with the options in certificate."""

    def __init__(self, lab, count, certificate=None, change=None):
        self.lab = lab
        self.left = [f"p{number}.test" for number in range(count)]
        rows = [partner(domain) for domain in self.left]
        self.make_certificates(**(certificate or {}))

        def with_partners(config):
            config["partners"] += rows
            if change:
                change(config)
        super().__init__(lab, None, with_partners)

    def make_certificates(self, **options):
        """For those that are left."""
        for at in range(0, len(self.left), NAMES_PER_CERTIFICATE):
            names = self.left[at:at + NAMES_PER_CERTIFICATE]
            self.lab.certs.make(*names, name=self.certificate(names[0]), **options)

    @staticmethod
    def certificate(domain):
        """Name of the certificate that names the domain."""
        return f"partners-{int(domain[1:-5]) // NAMES_PER_CERTIFICATE}"

    def dial(self, serve, starttls=False, piece=1 << 16):
        """serve(port, certificate) starts the server of the next partner, which gets a message.
        Returns (server, domain)."""
        domain = self.left.pop()
        port = 7000 + len(self.left)
        front = 8000 + len(self.left)
        server = serve(port, self.certificate(domain))
        if starttls:
            StarttlsIn(self.lab, port, domain, front, piece)
            self.lab.dns.xmpp(domain, EVIL_ADDRESS, starttls=front)
        else:
            if piece < 1 << 16:
                self.lab.own(Splitter(EVIL_ADDRESS, front, EVIL_ADDRESS, port, piece))
                port = front
            self.lab.dns.xmpp(domain, EVIL_ADDRESS, starttls=None, direct=port)
        self.component.say(JOE, f"ann@{domain}", f"to {domain}", ident=domain)
        return server, domain
