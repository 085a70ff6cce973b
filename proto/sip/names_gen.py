#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes names_table.def (perfect hash of headers.def) and chars_table.def (character classes).

Run in this folder after changing headers.def; the unit tests fail when the tables are stale.
"""
import re
import string

SLOTS = 256


def header_names():
    text = open("headers.def", encoding="ascii").read()
    return re.findall(r"^HEADER\((\w+),\s*\"([^\"]+)\",\s*('\w'|0)", text, re.M)


def slot(name, mul):
    low = [ord(c) | 0x20 for c in name]
    n = len(low)
    return (n * mul[0] + low[0] * mul[1] + low[n // 2] * mul[2] + low[-1] * mul[3]) % SLOTS


def find_multipliers(names):
    for a in range(1, 64):
        for b in range(1, 64):
            for c in range(1, 64, 2):
                for d in range(1, 16, 2):
                    mul = (a, b, c, d)
                    seen = set()
                    for _, name, _ in names:
                        at = slot(name, mul)
                        if at in seen:
                            break
                        seen.add(at)
                    else:
                        return mul
    raise SystemExit("no perfect hash in the range searched: widen it")


def write_names():
    names = header_names()
    mul = find_multipliers(names)
    with open("names_table.def", "w", encoding="ascii") as out:
        out.write("/* SPDX-License-Identifier: GPL-2.0-or-later */\n")
        out.write("/* names_table.def: made by names_gen.py from headers.def; do not edit. */\n")
        out.write("MULTIPLIERS(%d, %d, %d, %d)\n" % mul)
        for ident, name, _ in sorted(names, key=lambda n: slot(n[1], mul)):
            out.write("SLOT(%d, %s)\n" % (slot(name, mul), ident))
        for ident, _, compact in names:
            if compact != "0":
                out.write("COMPACT(%s, %s)\n" % (compact, ident))


def write_chars():
    alnum = set(string.ascii_letters + string.digits)
    unreserved = alnum | set("-_.!~*'()")
    classes = [
        ("TOKEN", alnum | set("-.!%*_+`'~")),
        ("USER", unreserved | set("&=+$,;?/")),
        ("PASSWORD", unreserved | set("&=+$,")),
        ("PARAM", unreserved | set("[]/:&+$")),
        ("HEADER", unreserved | set("[]/?:+$")),
        ("HOST", alnum | set("-.")),
        ("WORD", alnum | set("-.!%*_+`'~()<>:\\\"/[]?{}")),
        ("URIC", unreserved | set(";/?:@&=+$,")),
        ("VALUE", set(chr(c) for c in range(0x21, 0x7F)) - set('",;<>\\')
         | set(chr(c) for c in range(0x80, 0x100))),
        ("LWS", set(" \t\r\n")),
        ("SCHEME", alnum | set("+-.")),
        ("LABEL", alnum | set("-")),
    ]
    with open("chars_table.def", "w", encoding="ascii") as out:
        out.write("/* SPDX-License-Identifier: GPL-2.0-or-later */\n")
        out.write("/* chars_table.def: made by names_gen.py; do not edit. Bits: ")
        out.write(", ".join(name for name, _ in classes) + ". */\n")
        for row in range(0, 256, 8):
            cells = []
            for c in range(row, row + 8):
                bits = sum(1 << i for i, (_, s) in enumerate(classes) if chr(c) in s)
                cells.append("0x%03x," % bits)
            out.write(" ".join(cells) + "\n")


write_names()
write_chars()
