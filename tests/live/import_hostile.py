#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fedgatectl import with damaged and hostile files, and with random lists of partners: importing
what `partner export` wrote is the identity."""
import json
import os
import random
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import check, main
from lab import lync_export as old
from lab.desk import CONFIG, Desk
from lab.lync_export import Enum, U32, clixml, json7, partner


def _two():
    return [partner("contoso.example", ["chat.contoso.example", "contoso.test"], kind="Federated",
                    Description="Contoso & <Söhne>", ConnectionLimit=U32(5)),
            partner("gmail.com", tls="NotSupported", sasl="NotSupported", EnableKeepAlive=False)]


def damaged_files():
    """Cut anywhere, a file is refused with a place; nothing is taken from its good half."""
    raw = clixml(_two(), old.PARTNER, "utf-8")
    plain = json7(_two())
    with Desk() as desk:
        for at in range(1, len(raw) - 1, 97):
            desk.refused(raw[:at], "refused", "export")
        for at in range(1, len(plain) - 5, 61):
            desk.refused(plain[:at], "refused")
        desk.refused(raw + raw, "behind </Objs>")
        desk.refused(raw.replace(b"<Props>", b"<Probs>").replace(b"</Props>", b"</Probs>"),
                     "\"Probs\"", "Export-Clixml does not write")
        desk.refused(raw.replace(b"<S N=\"Domain\">", b"<S N=\"Domain\">_xD800_", 1), "_xHHHH_")
        desk.refused(raw.replace(b"<S N=\"Domain\">", b"<S N=\"Domain\">_x0000_", 1), "_xHHHH_")
        twice = raw.replace(b"<B N=\"EnableKeepAlive\">true</B>",
                            b"<B N=\"EnableKeepAlive\">true</B>" * 2, 1)
        desk.refused(twice, "\"EnableKeepAlive\" is there twice")


def _peak_kib():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def bombs():
    """Deep nesting, references without end, huge texts and lists, entities: refused with the place
    and what to do, in bounded time; none makes the program larger than a plain 8 MiB list does."""
    head = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    deep = '<Obj RefId="0"><LST>' * 100000
    doubling = "".join(f'<Obj RefId="{i + 1}"><LST><Ref RefId="{i}" /><Ref RefId="{i}" /></LST>'
                       "</Obj>" for i in range(2000))
    with Desk() as desk:
        desk.refused((head + deep).encode(), "too large or too deep", "-Depth")
        desk.refused(b"[" * 200000, "refused")
        desk.refused(b'{"a":' * 200000, "refused")
        # The references are kept as such: each list is no partner, and is refused as that.
        desk.refused(f'{head}<Obj RefId="0"><LST><S>x</S></LST></Obj>{doubling}</Objs>'.encode(),
                     "none of what is imported")
        cycle = f'{head}<Obj RefId="1"><Props><S N="Domain">a.example</S>' \
                '<Ref N="AdditionalDomains" RefId="1" /><S N="TlsNegotiation">Required</S>' \
                "</Props></Obj></Objs>"
        desk.refused(cycle.encode(), "AdditionalDomains was cut off")
        desk.refused((head + "<S>" + "x" * (2 << 20) + "</S></Objs>").encode(), "too large")
        entity = '<!DOCTYPE a [<!ENTITY b "boom">]>' + head + "<S>&b;</S></Objs>"
        desk.refused(entity.encode(), "DTD")
        desk.refused((head + "<S>&b;</S></Objs>").encode(), "entity")
        desk.refused((head + "<!-- x --></Objs>").encode(), "comment")
        desk.refused((head + '<Obj RefId="0"><LST>' + '<S N="a"/>' * 40000 + "</LST></Obj></Objs>")
                     .encode(), "too large")
        desk.refused(b"[" + b"0," * (5 << 20) + b"0]", "more than", "values")
        types = "".join(f'<Obj RefId="{i}"><TN RefId="{i}"><T>t</T></TN></Obj>'
                        for i in range(5000))
        desk.refused((head + types + "</Objs>").encode(), "types")
        many = {**json.loads(json7([partner("a.example")])), **{f"m{i}": 0 for i in range(200000)}}
        desk.refused(json.dumps(many).encode(), "more than 1000 members")
        wide = partner("a.example", [f"d{i}.example" for i in range(200000)])
        desk.refused(json7([wide]), "more than 10000 elements")
        desk.refused(b" " * (65 << 20), "larger than 64 MiB")
    check(_peak_kib() < 700 << 10, "peak", _peak_kib(), "KiB")  # with sanitizers; else 250 MiB


def _random_partner(dice, number):
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
    text = "abc ÄßЖ漢😀<>&\"'\\/_x0041_%{}@[]\u00a0"

    def name():
        label = dice.choice(["", "ü", "bücher-", "x"]) + "".join(dice.choices(alphabet, k=6))
        return f"{label}{number}-{dice.randrange(1000)}.example"

    valid = [("Required", "Required", False), ("Required", "Required", True),
             ("Required", "Optional", True), ("Required", "Optional", False),
             ("Required", "NotSupported", True), ("Optional", "NotSupported", True),
             ("Optional", "Optional", True), ("Optional", "Required", True),
             ("Optional", "Required", False), ("NotSupported", "NotSupported", True)]
    tls, sasl, dialback = dice.choice(valid)
    shown = "".join(dice.choices(text, k=dice.randrange(40))).strip()
    return partner(
        name(), sorted({f"{i}.{name()}" for i in range(dice.choice([0, 0, 1, 3]))}),
        kind=dice.choice(["Federated", "PublicVerified", "PublicUnverified"]), tls=tls, sasl=sasl,
        dialback=dialback, EnableKeepAlive=dice.random() < 0.5, Description=shown or None,
        ConnectionLimit=dice.choice([None, U32(1), U32(20), U32(100000)]),
        ProxyFqdn=dice.choice([None, None, "xmpp.example", "192.0.2.7:5270"]))


def _meaning(made):
    """A partner dict as properties with values of JSON, to compare."""
    plain = {k: v.name if isinstance(v, Enum) else v for k, v in made.items()}
    plain["AdditionalDomains"] = sorted(plain["AdditionalDomains"] or [])
    plain["Description"] = plain["Description"] or None
    return plain


def export_then_import():
    """Random lists of partners: import them in any format, export, import the export into an empty
    list: the same configuration; the export has what was imported. And what is ours besides."""
    seed = int(os.environ.get("FEDGATE_SEED", "20261121"))
    dice = random.Random(seed)
    empty = CONFIG[:CONFIG.index("    /* whom")].rstrip().rstrip(",") + "\n}\n"
    for turn in range(12):
        made = [_random_partner(dice, i) for i in range(dice.choice([1, 2, 30, 200]))]
        raw = dice.choice([clixml(made, old.PARTNER), clixml(made, old.PARTNER, "utf-8", part="MS"),
                           json7(made), json7(made, "utf-16-le")])
        with Desk(empty) as desk:
            desk.put("first", raw)
            desk.run("first")
            first = desk.text()
            exported = desk.run("export", command="partner").stdout
            rows = json.loads(exported)
            rows = rows if isinstance(rows, list) else [rows]
            wanted = sorted((_meaning(p) for p in made), key=lambda p: p["Domain"])
            got = sorted((_meaning({k: row[k] for k in wanted[0]}) for row in rows),
                         key=lambda p: p["Domain"])
            check(got == wanted, f"seed {seed}, turn {turn}: exported:", got, "wanted:", wanted)
            desk.put("second", exported.encode())
            check(not desk.plan("--update", "second")["changed"], f"seed {seed}: not the same")
            desk.put("fedgate.conf", empty.encode())
            desk.run("second")
            check(desk.text() == first, f"seed {seed}, turn {turn}: not the identity")
    ours = {"suffix_match": True, "min_tls_version": "1.3", "acks": "ping", "stanza_rate_max": 10,
            "stanza_burst": 20, "byte_rate_max": 100000, "byte_burst": 200000,
            "stanza_bytes_max": 20000, "maintenance": "back at noon", "allowed_users": [],
            "blocked": ["bad@full.example"]}
    row = {"domain": "full.example", **ours}
    with Desk(CONFIG.replace("// the first one", json.dumps(row) + ",")) as desk:
        desk.put("e.json", desk.run("export", command="partner").stdout.encode())
        check(not desk.plan("--update", "e.json")["changed"], "ours: not the same")
        desk.put("fedgate.conf", empty.encode())
        desk.run("e.json")
        check(desk.partners()["full.example"] == row, "ours:", desk.partners())


if __name__ == "__main__":
    main(damaged_files, bombs, export_then_import)
