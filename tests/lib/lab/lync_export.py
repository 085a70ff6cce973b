# SPDX-License-Identifier: GPL-2.0-or-later
"""Exports as the management shell of Lync / Skype for Business writes them, made by us from the
documented formats: objects are dicts, enumerations Enum, what a format does to them is done here.

    clixml(partners(...), PARTNER)      Export-Clixml
    json7(...), json51(...)             ConvertTo-Json -EnumsAsStrings; of 5.1, with numbers
"""
import json
from xml.sax.saxutils import escape

SETTINGS = "Microsoft.Rtc.Management.WritableConfig.Settings."
PARTNER = SETTINGS + "XmppFederation.XmppAllowedPartner#Decorated"
GATEWAY = SETTINGS + "XmppFederation.XmppGatewaySettings"
ALLOWED = SETTINGS + "Edge.AllowedDomain"
BLOCKED = SETTINGS + "Edge.BlockedDomain"
POLICY = "Microsoft.Rtc.Management.WritableConfig.Policy.ExternalAccess.ExternalAccessPolicy"
USER = "Microsoft.Rtc.Management.ADConnect.Schema.OCSADUser"
BOM16, BOM8 = b"\xff\xfe", b"\xef\xbb\xbf"


class Enum:
    """A choice: a name, and a number that differs from export to export here, as a reader must not
    use it."""

    def __init__(self, name, number=3, kind="XmppNegotiationSetting"):
        self.name, self.number, self.kind = name, number, kind


class U32(int):
    """An unsigned number."""


def partner(domain, more=(), kind="PublicUnverified", tls="Required", sasl="Required",
            dialback=True, **others):
    """What Get-CsXmppAllowedPartner yields, with the defaults of New-CsXmppAllowedPartner."""
    made = {
        "Identity": domain, "Domain": domain, "AdditionalDomains": list(more),
        "ConnectionLimit": None, "Description": None, "EnableKeepAlive": True,
        "PartnerType": Enum(kind, 2, "XmppPartnerType"), "ProxyFqdn": None,
        "SaslNegotiation": Enum(sasl, 1), "SupportDialbackNegotiation": dialback,
        "TlsNegotiation": Enum(tls, 1)}
    made.update(others)
    return made


def gateway(**others):
    made = {
        "Identity": "Global", "ConnectionLimit": U32(1000), "DialbackPassphrase": None,
        "EnableLoggingAllMessageBodies": False, "KeepAliveInterval": U32(300),
        "PartnerConnectionLimit": U32(20), "StreamEstablishmentTimeout": U32(60),
        "StreamInactivityTimeout": U32(600), "SubscriptionRefreshInterval": U32(28800)}
    made.update(others)
    return made


def policy(identity, xmpp=False, federation=False, description=None):
    return {
        "Identity": identity, "Description": description, "EnableFederationAccess": federation,
        "EnableXmppAccess": xmpp, "EnablePublicCloudAccess": False,
        "EnablePublicCloudAudioVideoAccess": False, "EnableOutsideAccess": False}


def user(address, granted=None, **others):
    return {"Identity": "CN=" + str(address), "SipAddress": address and "sip:" + address,
            "Enabled": True, "ExternalAccessPolicy": granted, **others}


def allowed(domain):
    return {"Identity": domain, "Domain": domain, "ProxyFqdn": None, "Comment": "",
            "MarkForMonitoring": False,
            "VerificationLevel": Enum("UseSourceVerification", 2, "VerificationLevel")}


def blocked(domain):
    return {"Identity": domain, "Domain": domain, "Comment": ""}


# --- Export-Clixml ---

def _escaped(text):
    """Text as PowerShell writes it: what XML cannot hold as _xHHHH_, and what looks like it."""
    out = []
    for at, char in enumerate(text):
        if char == "_" and text[at + 1:at + 2] == "x":
            out.append("_x005F_")
        elif ord(char) < 0x20:
            out.append(f"_x{ord(char):04X}_")
        else:
            out.append(escape(char))
    return "".join(out)


class Clixml:
    """Writes objects: Properties under Props, or under MS for deserialized and selected ones."""

    def __init__(self, kind, part="Props", extended=()):
        self.kind, self.part, self.extended = kind, part, extended
        self.types, self.count = {}, 0
        self.out = ['<Objs Version="1.1.0.1" '
                    'xmlns="http://schemas.microsoft.com/powershell/2004/04">\r\n']

    def _ref(self):
        self.count += 1
        return self.count - 1

    def _type(self, names):
        if names in self.types:
            return f'<TNRef RefId="{self.types[names]}" />'
        self.types[names] = len(self.types)
        inside = "".join(f"<T>{escape(name)}</T>" for name in names)
        return f'<TN RefId="{self.types[names]}">{inside}</TN>'

    def value(self, name, value):
        at = f' N="{_escaped(name)}"' if name is not None else ""
        if value is None:
            return f"<Nil{at} />"
        if isinstance(value, bool):
            return f"<B{at}>{str(value).lower()}</B>"
        if isinstance(value, U32):
            return f"<U32{at}>{value}</U32>"
        if isinstance(value, int):
            return f"<I32{at}>{value}</I32>"
        if isinstance(value, str):
            return f"<S{at}>{_escaped(value)}</S>"
        if isinstance(value, Enum):
            kind = self._type((SETTINGS + "XmppFederation." + value.kind, "System.Enum",
                               "System.ValueType", "System.Object"))
            return (f'<Obj{at} RefId="{self._ref()}">{kind}<ToString>{escape(value.name)}'
                    f"</ToString><I32>{value.number}</I32></Obj>")
        ref = self._ref()
        kind = self._type(("System.Collections.Generic.List`1[[System.String]]", "System.Object"))
        inside = "".join(self.value(None, one) for one in value)
        return f'<Obj{at} RefId="{ref}">{kind}<LST>{inside}</LST></Obj>'

    def add(self, made, extras=()):
        ref = self._ref()
        kind = self._type((self.kind, self.kind.split("#")[0], "System.Object"))
        plain = "".join(self.value(n, v) for n, v in made.items() if n not in self.extended)
        more = "".join(self.value(n, v) for n, v in [*extras] +
                       [(n, v) for n, v in made.items() if n in self.extended])
        body = f"<{self.part}>{plain}</{self.part}>" + (f"<MS>{more}</MS>" if more else "")
        shown = f"<ToString>{escape(str(made.get('Identity', '')))}</ToString>"
        self.out.append(f'  <Obj RefId="{ref}">{kind}{shown}{body}</Obj>\r\n')

    def text(self):
        return "".join(self.out) + "</Objs>"


BOOKKEEPING = (("Anchor", "<anchor>"), ("Key", "k"), ("ScopeClass", "Global"))


def clixml(objects, kind, encoding="utf-16-le", extras=BOOKKEEPING, **how):
    """The file's bytes; UTF-16 with its mark, as Export-Clixml writes by default."""
    writer = Clixml(kind, **how)
    for made in objects:
        writer.add(made, extras)
    return encode(writer.text(), encoding)


def encode(text, encoding="utf-16-le"):
    mark = {"utf-16-le": BOM16, "utf-16-be": b"\xfe\xff", "utf-8-sig": b""}.get(encoding, b"")
    return mark + text.encode(encoding)


# --- ConvertTo-Json ---

def _plain(value, numbers):
    if isinstance(value, Enum):
        return value.number if numbers else value.name
    if isinstance(value, dict):
        return {name: _plain(inner, numbers) for name, inner in value.items()}
    return [_plain(one, numbers) for one in value] if isinstance(value, (list, tuple)) else value


def _json(objects, numbers, encoding):
    plain = [_plain(made, numbers) for made in objects]
    text = json.dumps(plain[0] if len(plain) == 1 else plain, indent=4, ensure_ascii=False)
    return encode(text.replace("\n", "\r\n") + "\r\n", encoding)


def json7(objects, encoding="utf-8"):
    """PowerShell 7, -EnumsAsStrings; also what our one-liners make in 5.1."""
    return _json(objects, False, encoding)


def json51(objects, encoding="utf-16-le"):
    """Windows PowerShell 5.1, redirected into a file: numbers for names, UTF-16."""
    return _json(objects, True, encoding)


def cut(made, member, left):
    """An object one of whose members was below the depth: what is left of it stands there."""
    return {**made, member: left}


# --- formats that lose ---

def format_list(made):
    lines = [f"{name:<26} : {_shown(value)}" for name, value in made.items()]
    return encode("\r\n\r\n" + "\r\n".join(lines) + "\r\n\r\n")


def format_table(objects):
    rows = "\r\n".join(f"{o['Identity']:<20} {_shown(o['AdditionalDomains'])}" for o in objects)
    return encode("\r\nIdentity             AdditionalDomains\r\n--------             "
                  f"-----------------\r\n{rows}\r\n\r\n")


def csv(objects, with_type=True):
    head = f"#TYPE {PARTNER}\r\n" if with_type else ""
    names = ",".join(f'"{name}"' for name in objects[0])
    rows = "\r\n".join(",".join(f'"{_csv_cell(v)}"' for v in o.values()) for o in objects)
    return (head + names + "\r\n" + rows + "\r\n").encode("ascii", "replace")


def _shown(value):
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, list):
        return "{" + ", ".join(value[:4]) + ("..." if len(value) > 4 else "") + "}"
    return "" if value is None else str(value)


def _csv_cell(value):
    return "System.Collections.Generic.List`1[System.String]" if isinstance(value, list) \
        else _shown(value)
