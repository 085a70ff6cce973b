# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbered messages between many scripted partners and one component: each arrives once and in
order, or somebody says what is wrong. The partners are played by processes of their own."""
import multiprocessing
import re
import threading
import time

from . import plan
from .hostile import JOE
from .peer import Peer
from .process import HANG_S
from .xmpp import Component, message

PARTNERS = [f"p{n:02}.storm.test" for n in range(64)]
WINDOW = 200  # messages under way per partner and direction: less than any queue of fedgate holds
CERTIFICATE = "storm"


def address_of(name, others=()):
    """Each partner has an address of its own; others come after the 64."""
    return f"127.77.2.{[*PARTNERS, *others].index(name) + 1}"


BODY_OUT = re.compile(rb"<body>(\d+)</body>")
BODY_IN = re.compile(rb'from="x@p(\d\d)\.storm\.test[^"]*"[^<]*<body>(\d+)</body>')
ERROR = re.compile(rb"""<(?:message|presence|iq)[^>]*type=["']error[^>]*>.{0,300}""", re.DOTALL)
IQ_GET = re.compile(rb"<iq\b[^>]*>")
ATTRIBUTE = re.compile(rb"""\b(id|from|to|type)=["']([^"']*)["']""")
TICK_S = 0.02


class Books:
    """What all processes know: per partner the numbers sent and heard, each written by one of them;
    how many messages per tick, partner and direction are wanted."""

    def __init__(self):
        self.sent_in, self.heard_in, self.sent_out, self.heard_out = (
            multiprocessing.Array("q", len(PARTNERS), lock=False) for _ in range(4))
        self.quota = multiprocessing.Value("d", 0.0, lock=False)

    def room(self, sent, heard, n, wanted):
        """So many more of `wanted` may be under way with partner n: nothing is overrun."""
        return max(0, min(int(wanted), WINDOW - (sent[n] - heard[n])))

    def heard(self):
        return sum(self.heard_in) + sum(self.heard_out)


def whole_stanzas(held, data):
    """Splits what came into whole stanzas and the rest."""
    held += data
    cut = max((held.rfind(end) + len(end) for end in (b"</message>", b"</iq>", b"/>")
               if end in held), default=0)
    return held[:cut], held[cut:]


class Guest:
    """One partner: sends numbers on a stream, counts those it is sent."""

    def __init__(self, lab, name, books):
        self.name = name
        self.number = PARTNERS.index(name)
        self.books = books
        self.peer = Peer(lab, name, address_of(name), certificate=CERTIFICATE)
        self.peer.on_stream = self.take
        self.peer.listen()
        self.trouble = []
        self.ended = False
        self.is_over = threading.Event()
        self.stream = self.peer.dial(plan.APP, run=False)
        self.peer.replies[plan.APP] = self.stream  # pings are answered on it, too
        self.thread = threading.Thread(target=self.send, daemon=True)

    def take(self, stream):
        stream.socket.settimeout(None)
        held, data = b"", stream.raw
        try:
            while data or (data := stream.socket.recv(1 << 18)):
                whole, held = whole_stanzas(held, data)
                data = b""
                self.count(whole)
        except OSError as error:
            self.trouble.append(str(error))
        self.ended = True

    def count(self, whole):
        if ERROR.search(whole):
            self.trouble.append(f"an error: {ERROR.search(whole).group(0)[:400]}")
        heard = self.books.heard_out
        numbers = [int(number) for number in BODY_OUT.findall(whole)]
        if numbers != list(range(heard[self.number], heard[self.number] + len(numbers))):
            self.trouble.append(f"{numbers[:3]}... instead of {heard[self.number]}")
        heard[self.number] += len(numbers)
        for match in IQ_GET.finditer(whole):
            values = {k: v.decode() for k, v in ATTRIBUTE.findall(match.group(0))}
            if values.get(b"type") == "get":
                self.peer.answer_iq(values[b"id"], values[b"to"], values[b"from"])

    def send(self):
        sent, books, wanted = self.books.sent_in, self.books, 0.0
        try:
            while not self.is_over.is_set():
                wanted = min(wanted + books.quota.value, WINDOW)
                count = books.room(sent, books.heard_in, self.number, wanted)
                first = sent[self.number]
                if count:
                    self.peer.reply(plan.APP, "".join(
                        message(JOE, str(n), sender=f"x@{self.name}")
                        for n in range(first, first + count)))
                    sent[self.number] += count
                    wanted -= count
                time.sleep(TICK_S)
        except OSError as error:
            self.trouble.append(str(error))

    def result(self):
        """What went wrong."""
        self.stream.socket.settimeout(0.01)
        try:  # anything but silence on the stream that we opened is its end
            self.trouble.append(f"our stream said {self.stream.socket.recv(4096)!r}")
        except TimeoutError:
            pass
        except OSError as error:
            self.trouble.append(f"our stream: {error}")
        if len(self.peer.accepted) != 1 or self.ended:
            self.trouble.append(f"{len(self.peer.accepted)} streams from fedgate, ended: "
                                f"{self.ended}")
        return self.trouble + self.peer.trouble


def work(lab, names, books, pipe):
    """A process with some of the partners. Says "ready"; "stop" ends its sending; "add up" -> what
    went wrong."""
    guests = [Guest(lab, name, books) for name in names]
    pipe.send("ready")
    pipe.recv()
    for guest in guests:
        guest.thread.start()
    pipe.recv()
    for guest in guests:
        guest.is_over.set()
    for guest in guests:
        guest.thread.join(HANG_S)
        if guest.thread.is_alive():
            guest.trouble.append("still sending")
    pipe.send({})
    pipe.recv()
    pipe.send({guest.name: guest.result() for guest in guests})
    pipe.recv()


# --- inside ---------------------------------------------------------------------------------------

class Inside:
    """The component: sends numbers to each partner, checks the numbers of each."""

    def __init__(self, books):
        self.component = Component(plan.APP, "inside", run=False)
        self.books = books
        self.lock = threading.Lock()
        self.trouble = []
        self.is_over = threading.Event()
        threading.Thread(target=self.hear, daemon=True).start()
        self.thread = threading.Thread(target=self.send, daemon=True)

    def write(self, text):
        with self.lock:
            self.component.send(text)

    def hear(self):
        connected = self.component.stream.socket
        connected.settimeout(None)
        held = b""
        heard = self.books.heard_in
        try:
            while data := connected.recv(1 << 18):
                whole, held = whole_stanzas(held, data)
                for match in ERROR.finditer(whole):
                    if b"@v" not in match.group(0):  # told of a victim that is out
                        self.trouble.append(f"an error: {match.group(0)[:400]}")
                for name, number in BODY_IN.findall(whole):
                    if int(number) != heard[int(name)]:
                        self.trouble.append(f"p{int(name)}: {int(number)} instead of "
                                            f"{heard[int(name)]}")
                    heard[int(name)] += 1
        except OSError as error:
            self.trouble.append(str(error))

    def send(self):
        sent, books, wanted = self.books.sent_out, self.books, [0.0] * len(PARTNERS)
        while not self.is_over.is_set():
            batch = []
            for n, name in enumerate(PARTNERS):
                wanted[n] = min(wanted[n] + books.quota.value, WINDOW)
                count = books.room(sent, books.heard_out, n, wanted[n])
                batch += [message(f"x@{name}", str(number), sender=JOE)
                          for number in range(sent[n], sent[n] + count)]
                sent[n] += count
                wanted[n] -= count
            if batch:
                self.write("".join(batch))
            time.sleep(TICK_S)
