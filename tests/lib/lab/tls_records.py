# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS records made by hand: OpenSSL shakes hands, then we take its keys (as SSLKEYLOGFILE has them)
and seal and open records ourselves, lawful and other ones. RFC 8446 5 and 7, RFC 5246 6."""
import hashlib
import hmac
import os
import re
import socket
import ssl
import struct
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from .hostile import Raw
from .process import HANG_S
from .stage import check

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
HELLO_REQUEST, CLIENT_HELLO, SERVER_HELLO, NEW_SESSION_TICKET, KEY_UPDATE = 0, 1, 2, 4, 24
CLOSE_NOTIFY = b"\x01\x00"
PLAIN_MAX = 1 << 14


def record(kind, body, version=b"\x03\x03", length=None):
    """A record as it goes over the wire; length: what the header says instead of the truth."""
    length = len(body) if length is None else length
    return bytes([kind]) + version + struct.pack(">H", length) + body


def message(kind, body):
    """A message of the handshake protocol."""
    return bytes([kind]) + struct.pack(">I", len(body))[1:] + body


def _expand_label(digest, secret, label, length):
    info = struct.pack(">HB", length, 6 + len(label)) + b"tls13 " + label + b"\0"
    out, block = b"", b""
    while len(out) < length:
        block = hmac.digest(secret, block + info + bytes([len(out) // digest().digest_size + 1]),
                            digest)
        out += block
    return out[:length]


def _prf(digest, secret, label_and_seed, length):
    """P_hash of RFC 5246 section 5."""
    out, a = b"", label_and_seed
    while len(out) < length:
        a = hmac.digest(secret, a, digest)
        out += hmac.digest(secret, a + label_and_seed, digest)
    return out[:length]


class Half:
    """One direction: its key, its counter."""

    def __init__(self, suite, is_13, secret=None, key=None, iv=None):
        self.digest = hashlib.sha384 if "SHA384" in suite else hashlib.sha256
        self.is_chacha = "CHACHA20" in suite
        self.key_bytes = 16 if re.search("AES_?128", suite) else 32
        self.is_13 = is_13
        self.secret = secret
        self.sequence = 0 if is_13 else 1  # TLS 1.2: Finished had the first
        if is_13:
            self._from_secret()
        else:
            self._set(key, iv)

    def _from_secret(self):
        self._set(_expand_label(self.digest, self.secret, b"key", self.key_bytes),
                  _expand_label(self.digest, self.secret, b"iv", 12))

    def _set(self, key, iv):
        self.aead = (ChaCha20Poly1305 if self.is_chacha else AESGCM)(key)
        self.iv = iv

    def renew(self):
        """After a KeyUpdate of this direction."""
        self.secret = _expand_label(self.digest, self.secret, b"traffic upd",
                                    self.digest().digest_size)
        self.sequence = 0
        self._from_secret()

    def _nonce(self, explicit):
        if explicit is not None:
            return self.iv + explicit
        return bytes(a ^ b for a, b in zip(self.iv, bytes(4) + struct.pack(">Q", self.sequence),
                                           strict=True))

    def _has_explicit(self):
        return not self.is_13 and not self.is_chacha

    def seal(self, kind, plain, padding=0, outer=DATA, sequence=None):
        """The next record, whatever kind and size; sequence: another place than the next."""
        if sequence is not None:
            self.sequence = sequence
        if self.is_13:
            inner = plain + (b"" if kind is None else bytes([kind])) + bytes(padding)
            header = bytes([outer, 3, 3]) + struct.pack(">H", len(inner) + 16)
            body = self.aead.encrypt(self._nonce(None), inner, header)
        else:
            explicit = struct.pack(">Q", self.sequence) if self._has_explicit() else None
            aad = struct.pack(">QBBBH", self.sequence, kind, 3, 3, len(plain))
            body = (explicit or b"") + self.aead.encrypt(self._nonce(explicit), plain, aad)
            header = bytes([kind, 3, 3]) + struct.pack(">H", len(body))
        self.sequence += 1
        return header + body

    def open(self, header, body):
        """(kind, plaintext) of the next record; raises InvalidTag."""
        if self.is_13:
            inner = self.aead.decrypt(self._nonce(None), body, header).rstrip(b"\0")
            kind, plain = inner[-1], inner[:-1]
        else:
            explicit = body[:8] if self._has_explicit() else None
            sealed = body[8:] if explicit is not None else body
            kind = header[0]
            aad = struct.pack(">QBBBH", self.sequence, kind, 3, 3, len(sealed) - 16)
            plain = self.aead.decrypt(self._nonce(explicit), sealed, aad)
        self.sequence += 1
        return kind, plain


class Hands(Raw):
    """A connection whose handshake OpenSSL did and whose records are made by us. send() takes text,
    wire() bytes as they are; text is what came as data, alerts the numbers that came."""

    def __init__(self, connected, context, folder, server_side=False, name=None, first=b""):
        self.socket = connected
        self.text = ""
        self.is_ended = False
        self.alerts = []
        self.messages = []  # (kind, body) of handshake messages after the handshake
        self.is_silent = False
        self.raw_in = b""
        context.keylog_filename = os.path.join(folder, f"keys-{id(self)}")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(first)
        tls = context.wrap_bio(incoming, outgoing, server_side, None if server_side else name)
        self.hello_in = first
        self.hello_out = b""
        self._shake(tls, incoming, outgoing)
        self.suite, self.version, _ = tls.cipher()
        self.version = tls.version()
        self.raw_in = incoming.read()
        self._take_keys(context.keylog_filename, server_side)

    def _shake(self, tls, incoming, outgoing):
        self.socket.settimeout(HANG_S)
        while True:
            try:
                tls.do_handshake()
                is_done = True
            except ssl.SSLWantReadError:
                is_done = False
            said = outgoing.read()
            self.hello_out += said
            self.socket.sendall(said)
            if is_done:
                return
            got = self.socket.recv(65536)
            check(got, "closed in the handshake")
            self.hello_in += got
            incoming.write(got)

    def _take_keys(self, path, server_side):
        with open(path, encoding="ascii") as log:
            words = [line.split() for line in log if not line.startswith("#")]
        keys = {label: (bytes.fromhex(random), bytes.fromhex(secret))
                for label, random, secret in words}
        if self.version == "TLSv1.3":
            client, server = (Half(self.suite, True, keys[f"{who}_TRAFFIC_SECRET_0"][1])
                              for who in ("CLIENT", "SERVER"))
        else:
            client_random, master = keys["CLIENT_RANDOM"]
            hello = self.hello_out if server_side else self.hello_in
            client, server = self._halves_12(master, hello[11:43] + client_random)
        self.out, self.inward = (server, client) if server_side else (client, server)

    def _halves_12(self, master, seed):
        suite = self.suite.replace("-", "_")
        probe = Half(suite, False, key=bytes(32 if "CHACHA" in suite or "256_GCM" in suite else 16),
                     iv=bytes(12))
        iv = 12 if probe.is_chacha else 4
        block = _prf(probe.digest, master, b"key expansion" + seed, 2 * (probe.key_bytes + iv))
        parts = []
        for length in (probe.key_bytes, probe.key_bytes, iv, iv):
            parts.append(block[:length])
            block = block[length:]
        return (Half(suite, False, key=parts[0], iv=parts[2]),
                Half(suite, False, key=parts[1], iv=parts[3]))

    # -- out ---------------------------------------------------------------------------------------
    def wire(self, data):
        return super().send(data)

    def send(self, data):
        return self.wire(self.seal(DATA, data.encode() if isinstance(data, str) else data))

    def seal(self, kind, plain, **options):
        return self.out.seal(kind, plain, **options)

    # -- in ----------------------------------------------------------------------------------------
    def take(self, timeout):
        """Reads once and opens what is whole; False at the end or when nothing came."""
        if self._open_all():
            return True
        self.socket.settimeout(max(0.01, timeout))
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        self.is_ended = not data
        self.raw_in += data
        self._open_all()
        return bool(data)

    def _open_all(self):
        """Opens the whole records that are there; False if there were none."""
        count = 0
        while len(self.raw_in) >= 5:
            length = 5 + struct.unpack(">H", self.raw_in[3:5])[0]
            if len(self.raw_in) < length:
                break
            self._opened(self.raw_in[:5], self.raw_in[5:length])
            self.raw_in = self.raw_in[length:]
            count += 1
        return count > 0

    def _opened(self, header, body):
        try:
            kind, plain = self.inward.open(header, body)
        except InvalidTag:
            kind, plain = header[0], body  # in the clear?
            check(kind == ALERT and len(body) == 2, "a record that nobody can read", header, body)
        if kind == DATA:
            self.text += plain.decode("utf-8", "replace")
        elif kind == ALERT:
            self.alerts.append(plain[1])
        elif kind == HANDSHAKE:
            self._message(plain)

    def _message(self, plain):
        self.messages.append((plain[0], plain[4:]))
        if plain[0] == KEY_UPDATE:
            self.inward.renew()


def connect(context, folder, port, address, source, name):
    """Direct TLS to fedgate, with hands of our own."""
    connected = socket.create_connection((address, port), 10, (source, 0))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Hands(connected, context, folder, name=name)


def answered_within(hands, seconds):
    """Seconds until the connection ended; it must be sooner."""
    begin = time.monotonic()
    hands.until_end(seconds)
    return time.monotonic() - begin
