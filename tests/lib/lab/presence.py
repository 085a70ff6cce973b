# SPDX-License-Identifier: GPL-2.0-or-later
"""Presence at the SIP side: a phone that publishes its own and watches others."""
import queue
import re
import time
import uuid
from xml.etree import ElementTree

from . import plan
from .process import HANG_S
from .sip import Phone
from .stage import LabError

PIDF = "urn:ietf:params:xml:ns:pidf"
RPID = "urn:ietf:params:xml:ns:pidf:rpid"
DATA_MODEL = "urn:ietf:params:xml:ns:pidf:data-model"

ACTIVITY = {"away": "away", "dnd": "busy", "xa": "vacation"}


def pidf(entity, show="available", note=None, tuple_id="phone", more=""):
    """A document as a phone publishes it. show: as in XMPP, "unavailable" closes the tuple."""
    basic = "closed" if show == "unavailable" else "open"
    activity = ACTIVITY.get(show)
    person = (f'<dm:person id="p"><rpid:activities><rpid:{activity}/></rpid:activities></dm:person>'
              if activity else "")
    said = f"<note>{note}</note>" if note else ""
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="{PIDF}" xmlns:rpid="{RPID}" '
            f'xmlns:dm="{DATA_MODEL}" entity="{entity}"><tuple id="{tuple_id}"><status>'
            f"<basic>{basic}</basic></status>{said}</tuple>{person}{more}</presence>")


class Seen:
    """What a NOTIFY says: state ("active"), reason, and per tuple (basic, show, notes)."""

    def __init__(self, message):
        self.message = message
        value = message.get("subscription-state") or ""
        self.state = value.split(";")[0].strip()
        found = re.search(r"reason=([a-z]+)", value)
        self.reason = found.group(1) if found else None
        self.tuples = []
        self.activities = []
        self.notes = []
        if message.body:
            root = ElementTree.fromstring(message.text)
            for element in root.iter(f"{{{PIDF}}}tuple"):
                basic = element.find(f"{{{PIDF}}}status/{{{PIDF}}}basic")
                show = element.find(f"{{{PIDF}}}status/{{jabber:client}}show")
                self.tuples.append((basic.text if basic is not None else None,
                                    show.text if show is not None else None))
            self.notes = [note.text for note in root.iter() if note.tag.endswith("}note")]
            kinds = root.iter(f"{{{RPID}}}activities")
            self.activities = [child.tag.split("}")[1] for kind in kinds for child in kind]

    @property
    def show(self):
        """The most available of all, as in XMPP; None: no document."""
        if not self.message.body:
            return None
        shows = [show or "available" for basic, show in self.tuples if basic == "open"]
        order = ("chat", "available", "dnd", "away", "xa")
        return min(shows, key=order.index) if shows else "unavailable"

    def __repr__(self):
        return f"<NOTIFY {self.state} {self.reason} {self.show} {self.notes}>"


class Watch:
    """A subscription of a phone to somebody, within its dialog."""

    def __init__(self, phone, whom, expires=600, headers=()):
        self.phone = phone
        self.whom = f"sip:{whom}"
        self.call_id = uuid.uuid4().hex
        self.tag = uuid.uuid4().hex[:8]
        self.to_tag = None
        self.target = self.whom
        self.routes = []
        self.answer = self._send(expires, headers)
        if self.answer.status == 200:
            self.to_tag = re.search(r"tag=([^;>\s]+)", self.answer.get("to")).group(1)
            self.target = re.search(r"<([^>]+)>", self.answer.get("contact")).group(1)
            self.routes = list(reversed(self.answer.all("record-route")))

    def _send(self, expires, headers=()):
        phone = self.phone
        contact = f"<sip:{phone.user}@{phone.here};transport={phone.transport.lower()}>"
        more = [("Route", route) for route in self.routes]
        if expires is not None:
            more.append(("Expires", str(expires)))
        sent = phone.request("SUBSCRIBE", self.target, self.whom, [
            ("Event", "presence"), ("Contact", contact),
            ("Accept", "application/pidf+xml"), *more, *headers],
            call_id=self.call_id, tag=self.tag, to_tag=self.to_tag)
        return phone.final(sent)

    def refresh(self, expires=600):
        self.answer = self._send(expires)
        return self.answer

    def end(self):
        return self.refresh(0)


class PresencePhone(Phone):
    """A phone with presence. publish() until stop; watch() others."""

    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.etag = None

    def publish(self, show="available", note=None, expires=600, document=None):
        """Says what it shows; PUBLISH again replaces (RFC 3903). Returns the answer."""
        headers = [("Event", "presence"), ("Expires", str(expires))]
        if self.etag:
            headers.append(("SIP-If-Match", self.etag))
        body = document if document is not None else pidf(self.aor, show, note)
        done = self.final(self.request("PUBLISH", self.aor, self.aor, headers, body,
                                       "application/pidf+xml"))
        if done.status == 412:  # the server forgot it
            self.etag = None
            return self.publish(show, note, expires, document)
        if done.status != 200:
            raise LabError(f"PUBLISH answered {done.start}")
        self.etag = done.get("sip-etag") if expires else None
        return done

    def vanish(self):
        """Takes back what it published."""
        headers = [("Event", "presence"), ("Expires", "0"), ("SIP-If-Match", self.etag)]
        self.etag = None
        return self.final(self.request("PUBLISH", self.aor, self.aor, headers))

    def watch(self, whom, expires=600, headers=()):
        return Watch(self, whom, expires, headers)

    def next_notify(self, timeout=HANG_S):
        try:
            return Seen(self.notifies.get(timeout=timeout))
        except queue.Empty:
            raise LabError(f"no NOTIFY within {timeout:g} s") from None

    def sees(self, show, note=None, state="active", timeout=HANG_S):
        """Waits for a NOTIFY that says this; those before it are passed over. note: one of its
        notes; False: it must have none."""
        until, passed = time.monotonic() + timeout, []
        while True:
            try:
                seen = self.next_notify(max(0.01, until - time.monotonic()))
            except LabError:
                raise LabError(f"{self.user} did not see {show} {note!r} {state} within "
                               f"{timeout:g} s, but {passed[-5:]}") from None
            if seen.state == state and (show is None or seen.show == show) and (
                    note is None or (note is False and not seen.notes) or note in seen.notes):
                return seen
            passed.append(seen)


def phone(user, address=plan.KAMAILIO, port=plan.SIP_TCP):
    """A registered one."""
    return PresencePhone(user, address, port).register()
