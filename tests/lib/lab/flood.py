# SPDX-License-Identifier: GPL-2.0-or-later
"""Floods of numbered messages, and the count of what arrives: each once, in order per pair."""
import re
import threading

from .process import wait_until
from .stage import LabError, check

PAIRS = 16
# A body is PAIR:NUMBER:padding. The rest of a stanza is the business of the other tests.
BODY = re.compile(rb"<body[^>]*>(\d+):(\d+):[^<]*</body>")
IQ_GET = re.compile(rb"<iq\b[^>]*>")
ATTRIBUTE = re.compile(rb"""\b(id|from|to|type)=["']([^"']*)["']""")
PADDING = "x" * 60
CHUNK = 200


def numbered(pair, number, sender, to):
    """A message of about 250 bytes. sender and to hold %d for the pair's number."""
    return (f"<message type='chat' from='{sender % pair}' to='{to % pair}' "
            f"id='f{pair}-{number}'><body>{pair}:{number}:{PADDING}</body>"
            "<active xmlns='http://jabber.org/protocol/chatstates'/></message>").encode()


def send_all(send, count, sender, to, first=0):
    """Sends count messages, dealt over the pairs in turn, a good many at a time."""
    batch = []
    for number in range(first, count):
        batch.append(numbered(number % PAIRS, number // PAIRS, sender, to))
        if len(batch) == CHUNK:
            send(b"".join(batch))
            batch = []
    send(b"".join(batch))


class Tally:
    """Reads a negotiated stream's bytes and keeps the books."""

    def __init__(self, answer_iq=None):
        """answer_iq(id, from, to): how a ping is answered (Peer.answer_iq)."""
        self.answer_iq = answer_iq
        self.next_of = [0] * PAIRS
        self.total = 0
        self.errors = 0
        self.trouble = None
        self.streams = 0
        self.lock = threading.Lock()

    def take(self, stream):
        """Reads stream until its end, on the caller's thread."""
        with self.lock:
            self.streams += 1
        stream.socket.settimeout(None)
        held = b""
        data = stream.raw  # may end in stanzas that came with the last step of the negotiation
        try:
            while data or (data := stream.socket.recv(1 << 18)):
                held, data = held + data, b""
                cut = held.rfind(b"</message>")
                end = cut + len(b"</message>") if cut >= 0 else 0
                end = max(end, held.rfind(b"</iq>") + 1)
                whole, held = held[:end], held[end:]
                self._count(whole)
                self._answer(whole)
        except OSError:
            pass

    def follow(self, stream):
        threading.Thread(target=self.take, args=(stream,), daemon=True).start()
        return self

    def _count(self, data):
        with self.lock:
            self.errors += len(re.findall(rb"""<message\b[^>]*type=["']error""", data))
            for match in BODY.finditer(data):
                pair, number = int(match.group(1)), int(match.group(2))
                if number != self.next_of[pair] and self.trouble is None:
                    self.trouble = f"pair {pair}: {number} came, {self.next_of[pair]} was due"
                self.next_of[pair] = number + 1
                self.total += 1

    def _answer(self, data):
        for match in IQ_GET.finditer(data):
            values = {k: v.decode() for k, v in ATTRIBUTE.findall(match.group(0))}
            if values.get(b"type") == "get" and self.answer_iq:
                self.answer_iq(values[b"id"], values[b"to"], values[b"from"])

    def expect(self, count, timeout):
        """Waits for count messages: exactly once, in order, no error among them."""
        try:
            wait_until("flood", lambda: self.total >= count or self.trouble or self.errors, timeout)
        except TimeoutError:
            raise LabError(f"{self.total} of {count} arrived within {timeout} s") from None
        check(self.trouble is None, "order or repetition:", self.trouble)
        check(self.errors == 0, f"{self.errors} were answered with errors; arrived", self.total)
        check(self.total == count, f"{count} sent, arrived", self.total)
