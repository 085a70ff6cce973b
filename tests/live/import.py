#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fedgatectl import: a file for each format of the old product's exports and for each of their
traps, the partners that result, what is refused and with which remedy."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main
from lab import lync_export as old
from lab.desk import CONFIG, Desk, EX_CANTCREAT, EX_CONFIG, EX_DATA, EX_NOINPUT, EX_OK, EX_USAGE
from lab.fedgate import Fedgate, corp_dns
from lab.lync_export import U32, clixml, cut, json51, json7, partner

SECRET = "correct horse battery staple"


def _set():
    """Partners that together have every property set to something of its own."""
    return [
        partner("contoso.example", ["chat.contoso.example", "contoso.test"], kind="Federated",
                sasl="Optional", Description="Contoso & <Söhne>", ConnectionLimit=U32(5)),
        partner("gmail.com", tls="NotSupported", sasl="NotSupported", EnableKeepAlive=False),
        partner("proxied.example", ProxyFqdn="xmpp.proxied.example", kind="PublicVerified",
                dialback=False),
        partner("bücher.example", tls="Optional", sasl="Optional", Description="_x0041_ \\ \"")]


EXPECTED = {
    "contoso.example": {
        "domain": "contoso.example", "description": "Contoso & <Söhne>", "type": "federated",
        "additional_domains": ["chat.contoso.example", "contoso.test"], "sasl": "optional",
        "connection_limit": 5},
    "gmail.com": {"domain": "gmail.com", "tls": "not_supported", "sasl": "not_supported",
                  "keepalive": False},
    "proxied.example": {"domain": "proxied.example", "proxy_fqdn": "xmpp.proxied.example",
                        "type": "public_verified", "dialback": False},
    "bücher.example": {"domain": "bücher.example", "tls": "optional", "sasl": "optional",
                       "description": "_x0041_ \\ \""}}


def _expect(raw, expected=None, name="export"):
    with Desk() as desk:
        desk.put(name, raw)
        desk.run(name)
        got = desk.partners()
        got.pop("fabrikam.example")
        wanted = EXPECTED if expected is None else expected
        check(got == wanted, "partners:", got, "expected:", wanted)


def clixml_files():
    """CLIXML in each encoding, with bookkeeping members, with members under MS, of Select-Object
    and of a remote session, in one list, with shared types and objects."""
    some = _set()
    for encoding in ("utf-16-le", "utf-16-be", "utf-8", "utf-8-sig"):
        _expect(clixml(some, old.PARTNER, encoding))
    _expect(clixml(some, old.PARTNER)[2:])  # UTF-16 without its mark
    _expect(clixml(some, "Deserialized." + old.PARTNER, part="MS"))
    _expect(clixml(some, "Selected." + old.PARTNER, part="MS", extras=()))
    _expect(clixml(some, "System.Management.Automation.PSCustomObject", part="MS"))
    _expect(clixml(some, old.PARTNER, extended=("Identity", "PartnerType", "AdditionalDomains")))
    text = clixml(some, old.PARTNER, "utf-8").decode()
    _expect(('<?xml version="1.0" encoding="utf-16"?>\r\n' + text).encode())
    _expect(text.replace("><", ">\r\n      <").encode())  # a line for each element
    _expect(("#< CLIXML\r\n" + text).encode())
    head = text[:text.index("  <Obj ")]
    inside = text[len(head):text.rindex("</Objs>")]
    listed = f'{head}<Obj RefId="9000"><TN RefId="900"><T>System.Object[]</T></TN><LST>{inside}' \
             "</LST></Obj></Objs>"
    _expect(listed.encode())


def clixml_references():
    """A list shared by two partners is written once and referred to; the reference counts."""
    text = clixml([partner("a.example", ["b.example"])], old.PARTNER, "utf-8").decode()
    number = re.search(r'<Obj N="AdditionalDomains" RefId="(\d+)"', text).group(1)
    ref = f'<Obj RefId="77"><TNRef RefId="0" /><Props><S N="Domain">c.example</S>' \
          f'<Ref N="AdditionalDomains" RefId="{number}" /></Props></Obj></Objs>'
    with Desk() as desk:
        said = desk.refused(text.replace("</Objs>", ref).encode(), "b.example", "one partner")
        check("a.example" in said, "the other partner is not named:", said)
        more = ref.replace(number, "4711")
        desk.refused(text.replace("</Objs>", more).encode(), "refers to an object",
                     "export it again")
        desk.refused(text.replace('<TN RefId="0"', '<TN RefId="5000000"').encode(), "RefId above")


def json_files():
    """ConvertTo-Json of 7, in each encoding; one partner is a bare object; 5.1 with names; its
    lists with a count; choices and truth as texts."""
    some = _set()
    for encoding in ("utf-8", "utf-16-le"):
        _expect(json7(some, encoding))
    _expect(b"\xef\xbb\xbf" + json7(some))
    one = {"contoso.example": EXPECTED["contoso.example"]}
    _expect(json7(some[:1]), one)
    wrapped = cut(some[0], "AdditionalDomains",
                  {"value": some[0]["AdditionalDomains"], "Count": 2})
    _expect(json7([wrapped]), one)
    plain = json.loads(json7(some))
    _expect(json.dumps({"value": plain, "Count": len(plain)}).encode())
    _expect(json7([cut(some[1], "SupportDialbackNegotiation", "True")]),
            {"gmail.com": EXPECTED["gmail.com"]})
    single = cut(some[0], "AdditionalDomains", "chat.contoso.example")
    _expect(json7([single]), {"contoso.example": {
        **one["contoso.example"], "additional_domains": ["chat.contoso.example"]}})


def json_numbers_are_refused():
    """5.1 writes numbers for names: refused, with the command that exports names, told once. What
    that command yields is taken."""
    some = _set()
    with Desk() as desk:
        said = desk.refused(json51(some), "TlsNegotiation is a number",
                            "@{n='TlsNegotiation';e={\"$($_.TlsNegotiation)\"}}", "Set-Content")
        check(said.count("Set-Content") == 1, "the command is told more than once:", said)
        texts = cut(some[0], "TlsNegotiation", "1")
        desk.refused(json7([texts]), "TlsNegotiation is a number")
        only = json.loads(json7(some[:1]))
        only["SaslNegotiation"] = 0
        desk.refused(json.dumps(only).encode(), "SaslNegotiation is a number")


def cut_members_are_refused():
    """Members below the export's depth: their remains are recognised, the remedy named."""
    some = _set()[0]
    remains = ("@{Length=2}", "System.Object[]", "System.Collections.Generic.List`1[System.String]",
               "chat.contoso.example contoso.test", 2, {"Length": 20}, {"Count": 2},
               ["@{Length=3}"], "{chat.contoso.example, cont...}")
    for left in remains:
        with Desk() as desk:
            desk.refused(json7([cut(some, "AdditionalDomains", left)]),
                         "AdditionalDomains was cut off", "-Depth 5", "Export-Clixml")
    with Desk() as desk:
        desk.refused(json7([cut(some, "TlsNegotiation", "@{value__=1}")]), "TlsNegotiation was cut")
        desk.refused(json7([cut(some, "TlsNegotiation", {"value__": 1})]), "TlsNegotiation is not")
        desk.refused(json7([cut(some, "Identity", {"Scope": 1, "Name": "x"})]), "Identity is not")
        desk.refused(json7([cut(some, "EnableKeepAlive", 1)]), "EnableKeepAlive is not true or")
        desk.refused(json7([cut(some, "ConnectionLimit", -1)]), "ConnectionLimit is not a whole")
        desk.refused(json7([cut(some, "ConnectionLimit", 0)]), "ConnectionLimit is 0")
        desk.refused(json7([cut(some, "TlsNegotiation", "Mandatory")]), "must be one of")


def lossy_formats_are_refused():
    """Export-Csv, Format-List, Format-Table, archives, other encodings, nothing: by name."""
    some = _set()
    with Desk() as desk:
        desk.refused(old.csv(some[:3]), "Export-Csv", "Export-Clixml")
        desk.refused(old.csv(some[:3], with_type=False), "Export-Csv")
        desk.refused(old.format_list(some[0]), "Format-List", "Export-Clixml")
        desk.refused(old.format_table(some), "Format-Table", "Export-Clixml")
        desk.refused(b"PK\x03\x04\n", "archive")
        desk.refused(json7(some).decode().encode("latin-1"), "UTF-8", "Set-Content -Encoding UTF8")
        desk.refused(b"", "is empty")
        desk.refused(b"nullify", "neither CLIXML nor JSON")
        desk.refused(old.BOM16 + b"\r\0\n\0", "is empty")
        desk.refused(clixml(some, old.PARTNER)[:-1], "ends inside a character")
        desk.refused(old.BOM16 + b"<\0\0\xd8<\0", "damaged")
        desk.refused(b"<html></html>", "not what Export-Clixml writes")
        desk.refused(b"hello, world", "neither CLIXML nor JSON")
        desk.refused(b'{"a": 1}', "none of what is imported")
        desk.refused(b'["contoso.example"]', "none of what is imported")
        desk.refused(clixml([{"Name": "svc"}], "System.ServiceProcess.ServiceController"),
                     "ServiceController", "Get-CsXmppAllowedPartner")
        before = desk.text()
        for nothing in (b"null", b"\xef\xbb\xbfnull\r\n", b"[]"):
            done = desk.run(desk.put("nothing.json", nothing))
            check("the command found nothing" in done.stdout, "not said:", done.stdout)
        check(desk.text() == before, "nothing was written as", desk.text())
        missing = desk.run("nowhere.xml", status=EX_NOINPUT)
        check("nowhere.xml" in missing.stderr, "not named:", missing.stderr)
        desk.run(desk.folder, status=EX_NOINPUT)


LEVELS = ("Required", "Optional", "NotSupported")
INVALID = {6, 12, 14, 16, 18}
WARNED = {3, 4, 9, 10}


def truth_table():
    """All 18 rows: taken as they are, warned about by name, written as their equivalent (5, 11),
    or refused; 1 is counted, however many have it."""
    rows = [(tls, sasl, dialback)
            for sasl in LEVELS for tls in LEVELS for dialback in (True, False)]
    words = {"Required": "required", "Optional": "optional", "NotSupported": "not_supported"}
    for number, (tls, sasl, dialback) in enumerate(rows, 1):
        with Desk() as desk:
            desk.put("x.xml", clixml([partner("r.example", tls=tls, sasl=sasl, dialback=dialback)],
                                     old.PARTNER))
            plan = desk.plan("x.xml", status=EX_DATA if number in INVALID else EX_OK)
            check(plan["partners"][0]["row"] == number, "row", number, plan["partners"])
            check(not [w for w in plan.get("warnings", []) if w["path"].startswith("partners")],
                  "told twice:", plan)
            notes = [n for n in plan["notes"] if f"row {number}" in n["text"]]
            check(len(notes) == (number in INVALID | WARNED | {5, 11}), "notes", number, notes)
            if number in INVALID:
                check(notes[0]["level"] == "refused", "level", notes)
                check(plan["error"].startswith("nothing was imported: 1 refused"), plan["error"])
                continue
            got = {"tls": "required", "sasl": "required", "dialback": True,
                   **desk.partners()["r.example"]}
            wanted = ("not_supported", "not_supported", True) if number in (5, 11) else \
                (words[tls], words[sasl], dialback)
            check((got["tls"], got["sasl"], got["dialback"]) == wanted, "row", number, got)
    with Desk() as desk:
        desk.put("x.xml", clixml([partner(f"p{i}.example") for i in range(40)], old.PARTNER))
        said = desk.run("x.xml").stdout
        check("40 partners have the old product's defaults (row 1" in said, "not counted:", said)
        check("warnings" not in said, "row 1 warns one by one:", said)


def gateway_settings():
    """All settings with their units; too large ones are cut with a warning; the passphrase is
    neither shown nor taken, in any output."""
    with Desk() as desk:
        desk.put("g.xml", clixml([old.gateway(
            DialbackPassphrase=SECRET, ConnectionLimit=U32(500), KeepAliveInterval=U32(120),
            PartnerConnectionLimit=U32(4294967295), StreamEstablishmentTimeout=U32(30),
            StreamInactivityTimeout=U32(900), SubscriptionRefreshInterval=U32(3600),
            EnableLoggingAllMessageBodies=True)], old.GATEWAY))
        dry = desk.run("--dry-run", "g.xml")
        check("4294967295; here it is at most 100000" in dry.stdout, "no warning:", dry.stdout)
        check("DialbackPassphrase is not taken over" in dry.stdout, "not said:", dry.stdout)
        done = desk.run("--json", "g.xml")
        plain = re.sub(r"//[^\n]*|/\*.*?\*/", "", desk.text(), flags=re.S)
        check(json.loads(plain)["gateway"] == {
            "connection_limit": 500, "partner_connection_limit": 100000,
            "keepalive_interval_s": 120, "stream_establishment_timeout_s": 30,
            "stream_inactivity_timeout_s": 900, "subscription_refresh_interval_s": 3600,
            "log_message_bodies": True}, "gateway:", desk.text())
        for said in (dry.stdout, dry.stderr, done.stdout, done.stderr, desk.text()):
            check(SECRET not in said, "the passphrase is shown")
        again = desk.plan("g.xml")
        check(again["gateway"] == "as it is" and not again["changed"], "not the same:", again)
        desk.put("h.json", json7([old.gateway(KeepAliveInterval=U32(60),
                                              DialbackPassphrase=SECRET)]))
        left = desk.plan("h.json")
        check(left["gateway"] == "left" and not left["changed"], "not left:", left)
        check(desk.plan("--update", "h.json")["gateway"] == "updated", "not updated")
        check('"keepalive_interval_s": 60' in desk.text() and SECRET not in desk.text(), "not so")
        for damaged in ('{"KeepAliveInterval": 5, "DialbackPassphrase": "%s\\q"}',
                        '{"KeepAliveInterval": 5, "DialbackPassphrase": "%s',
                        '{"KeepAliveInterval": "%s", "DialbackPassphrase": 1}',
                        '{"KeepAliveInterval": 5, "DialbackPassphrases": "%s"}'):
            said = desk.refused((damaged % SECRET).encode(), "refused")
            check(SECRET not in said, "the passphrase is shown:", said)
        clash = desk.run("g.xml", "h.json", status=EX_DATA)
        check("with different values" in clash.stdout and SECRET not in clash.stdout, clash.stdout)


def policies_and_users():
    """Global, site and user policies; both switches are needed; users bring their grants."""
    policies = clixml([old.policy("Global"), old.policy("site:Redmond", True, True),
                       old.policy("Tag:Sales", True, True, "may talk"),
                       old.policy("Tag:Half", True, False),
                       old.policy("Tag:SIP only", False, True)],
                      old.POLICY)
    users = clixml([old.user("ann@corp.example", "Tag:Sales"), old.user("bob@corp.example", None),
                    old.user("cid@corp.example", "sales"), old.user("o'hara@corp.example", "Half"),
                    old.user("eve@other.example", "Sales"), old.user(None, "Sales"),
                    old.user("dan@corp.example", "Sales", Enabled=False),
                    old.user("fay@corp.example", "Global")], old.USER)
    config = CONFIG.replace('    "access": { "global": { "xmpp": true } },\n', "")
    with Desk(config) as desk:
        desk.put("policies.xml", policies)
        desk.put("users.xml", users)
        alone = desk.run("--dry-run", "policies.xml").stdout
        check('policy "Sales": applies to nobody yet' in alone and "Get-CsUser" in alone,
              "no word on grants:", alone)
        check('policy "Redmond": applies to nobody yet' in alone, "no word on sites:", alone)
        plan = desk.plan("policies.xml", "users.xml")
        texts = " ".join(n["object"] + n["text"] for n in plan["notes"])
        check("eve@other.example" in texts and "dan@corp.example" in texts, "not ignored:", texts)
        check("EnableXmppAccess without EnableFederationAccess" in texts, "not warned:", texts)
        plain = re.sub(r"//[^\n]*|/\*.*?\*/", "", desk.text(), flags=re.S)
        access = json.loads(plain)["access"]
        check(access == {
            "global": {"xmpp": False, "sip_federation": False},
            "sites": {"Redmond": {"xmpp": True, "sip_federation": True}},
            "users": {
                "Sales": {"xmpp": True, "sip_federation": True, "description": "may talk",
                          "members": ["ann@corp.example", "cid@corp.example"]},
                "Half": {"xmpp": False, "sip_federation": False,
                         "members": ["o\\27hara@corp.example"]},
                "SIP only": {"xmpp": False, "sip_federation": True}}}, "access:", access)
        again = desk.plan("policies.xml", "users.xml")
        check(not again["changed"], "not the same:", again["policies"])
        # More users later: the policy is the configuration's.
        desk.put("more.xml", clixml([old.user("gil@corp.example", "Sales")], old.USER))
        check(not desk.plan("more.xml")["changed"], "left, without --update")
        desk.run("--update", "more.xml")
        check('"gil@corp.example"' in desk.text(), "not added:", desk.text())
        desk.put("odd.xml", clixml([old.user("gil@corp.example", "Nobody's")], old.USER))
        desk.put("fedgate.conf", desk.text().replace("o\\\\27hara", "o'hara").encode())
        check("o'hara" in desk.text(), "no such member:", desk.text())
        check(not desk.plan("users.xml")["changed"], "the same user in another spelling")
        odd = desk.run("odd.xml", status=EX_DATA)
        check("neither in the exports nor in the" in odd.stdout, "unknown policy:", odd.stdout)


def policy_json():
    """The same as JSON; a policy as an object, with a name; a grant as a number is refused."""
    with Desk() as desk:
        desk.put("p.json", json7([old.policy("Tag:Sales", True, True)]))
        desk.put("u.json", json7([old.user("ann@corp.example", {"Name": "Sales", "Authority": 1}),
                                  old.user("bob@corp.example", {"Name": "Sales"})]))
        plan = desk.plan("p.json", "u.json")
        check(plan["policies"][0]["members"] == 2, "members:", plan["policies"])
        desk.refused(json7([{"Identity": "Tag:X", "EnableXmppAccess": True}]),
                     "EnableFederationAccess is not in the export")
        desk.refused(json7([{"SipAddress": "sip:ann@corp.example"}]),
                     "ExternalAccessPolicy is not in the export")


def domain_lists():
    """Blocked domains come over, allowed ones do not; a domain on two lists is said so."""
    config = CONFIG.replace('    "access"',
                            '    "blocked": [ "old.example" ], // spam\n    "access"')
    with Desk(config) as desk:
        desk.put("b.xml", clixml([old.blocked("evil.example"), old.blocked("OLD.example"),
                                  old.blocked("Evil.Example")], old.BLOCKED))
        providers = [{"Identity": "Skype", "ProxyFqdn": "x.example", "Enabled": True,
                      "VerificationLevel": "AlwaysVerifiable"},
                     {"Identity": "Online", "HostsOCSUsers": True, "Enabled": True},
                     {"Identity": "Global", "AllowFederatedUsers": False}]
        desk.put("a.json", json7([old.allowed("evil.example"), old.allowed("sip.example"),
                                  old.allowed("fabrikam.example"), *providers]))
        said = desk.run("--dry-run", "b.xml", "a.json").stdout
        for word in ("2 for SIP federation", "is blocked here", "exported twice",
                     "the SIP server must reach it one way only", "is a public provider",
                     "is a hosting provider", "the Access Edge's settings",
                     "AllowFederatedUsers is False"):
            check(word in said, f"no {word!r}:", said)
        plan = desk.plan("b.xml", "a.json")
        check([b["action"] for b in plan["blocked"]] == ["new", "as it is"], plan["blocked"])
        check('[ "old.example", "evil.example" ], // spam' in desk.text(), "blocked:", desk.text())
        desk.put("p.json", json7([partner("evil.example")]))
        said = desk.run("--dry-run", "p.json").stdout
        check('is in "blocked" of the configuration' in said, "not warned:", said)
        desk.refused(clixml([old.blocked("fabrikam.example")], old.BLOCKED),
                     "is an XMPP partner as well")
        desk.refused(json7([old.blocked("corp.example")]), "one of our own domains")
        desk.put("c.json", json7([old.blocked("fabrikam.example"), old.blocked("third.example")]))
        desk.run("--partial", "c.json")
        check('"third.example"' in desk.text(), "the rest was not imported")


def names():
    """Two spellings of a name are one name; what is no name, too long, ours or twice is refused."""
    with Desk() as desk:
        more = ["XN--BCHER-KVA.example", "a.Example", "ü.example", "xn--tda.example"]
        desk.put("u.xml", clixml([partner("bücher.example", more)], old.PARTNER))
        said = desk.run("u.xml").stdout
        check(said.count("is named twice") == 2, "twice:", said)
        check(desk.partners()["bücher.example"]["additional_domains"] == \
            ["a.Example", "ü.example"], "kept:", desk.text())
        same = desk.plan(desk.put("v.xml", clixml([partner("xn--bcher-kva.example", ["a.example"])],
                                                  old.PARTNER)))
        check(same["partners"][0]["action"] == "left", "not found:", same)
        check("another additional_domains, which" in same["notes"][-1]["text"], same["notes"])
        other = partner("XN--bcher-kva.example", ["xn--tda.example", "A.example"])
        desk.put("w.xml", clixml([other], old.PARTNER))
        check(desk.plan("w.xml")["partners"][0]["action"] == "as it is", "spelled otherwise")
        label = "a" * 60
        long = ".".join([label] * 5) + ".example"
        for name, word in ((long, "long"), ("no domain", "export"), ("192.0.2.1", "export"),
                           ("x..y", "export"), ("a" * 64 + ".example", "export")):
            desk.refused(json7([partner(name)]), word)
        desk.refused(json7([partner("corp.example")]), "is one of ours")
        desk.refused(json7([partner("n.example", ["fabrikam.example"])]), "belongs to the partner")
        desk.refused(json7([partner("n.example"), partner("m.example", ["N.Example"])]),
                     "one partner")
        desk.refused(json7([partner("n.example"), partner("N.example", kind="Federated")]),
                     "one partner")
        desk.refused(json7([{**partner("n.example"), "Identity": "m.example"}]),
                     "must be the same")
        desk.refused(json7([partner("n.example", ProxyFqdn="no host")]), "ProxyFqdn")
        desk.refused(json7([{"TlsNegotiation": "Required"}]), "neither Domain nor Identity")
        desk.refused(json7([{**partner("n.example"), "TlsNegotation": "Required"}]),
                     "did you mean TlsNegotiation")
        same = [partner(name, more, tls="NotSupported") for name, more in (
            ("n.example", ["o.example", "p.example"]),
            ("N.example", ["p.example", "O.example", "o.example"]))]
        said = desk.run(desk.put("t.json", json7(same))).stdout
        check("exported twice" in said, "the same twice:", said)
        check(len([d for d in desk.partners() if d.lower() == "n.example"]) == 1, desk.partners())
        missing = desk.put("m.json", json7([{"Identity": "N2.example", "Domain": "n2.example",
                                             "TlsNegotiation": "Optional"}]))
        said = desk.run(missing).stdout
        check("not in the export: PartnerType, SaslNegotiation" in said, "not warned:", said)


def existing_partners():
    """A partner that is there stays without --update; with it the exported keys change, the others,
    comments and order stay. Nothing is saved by --dry-run, or when one of many is refused."""
    with Desk() as desk:
        desk.put("x.xml", clixml([partner("fabrikam.example", kind="PublicVerified"),
                                  partner("new.example", kind="Federated")], old.PARTNER))
        before = desk.text()
        dry = desk.run("--dry-run", "x.xml").stdout
        check("+" in dry and "new.example" in dry and "nothing was saved" in dry, "diff:", dry)
        check(desk.text() == before, "--dry-run changed the file")
        bad = desk.put("bad.json", json7([partner("bad.example", tls="NotSupported",
                                                  dialback=False)]))
        desk.run("x.xml", bad, status=EX_DATA)
        check(desk.text() == before, "a refused import changed the file")
        plan = desk.plan("x.xml")
        actions = {p["domain"]: p["action"] for p in plan["partners"]}
        check(actions == {"fabrikam.example": "left", "new.example": "new"}, actions)
        check(any("another type, which stays" in n["text"] for n in plan["notes"]), plan["notes"])
        desk.run("--update", "--partial", "x.xml", bad)
        row = desk.partners()["fabrikam.example"]
        check(row == {"domain": "fabrikam.example", "type": "public_verified",
                      "stanza_rate_max": 50}, "updated:", row)
        for comment in ("// the gateway of corp.example", "// in the cellar",
                        "/* whom we talk to */", "// the first one", "// since 2015"):
            check(comment in desk.text(), f"{comment} is gone")
        check("bad.example" not in desk.text(), "refused, and yet there")
        check(not desk.plan("--update", "x.xml")["changed"], "the second time changes something")


def fragments():
    """--output writes what could be put into a configuration; never over a file."""
    with Desk() as desk:
        before = desk.text()
        desk.put("x.xml", clixml(_set(), old.PARTNER))
        desk.put("g.xml", clixml([old.gateway(KeepAliveInterval=U32(9))], old.GATEWAY))
        desk.run("--output", "out.json", "x.xml", "g.xml")
        got = json.loads(desk.text("out.json"))
        check({p["domain"]: p for p in got["partners"]} == EXPECTED, "fragment:", got)
        check(got["gateway"] == {"keepalive_interval_s": 9}, "fragment:", got)
        check(os.stat(os.path.join(desk.folder, "out.json")).st_mode & 0o007 == 0, "mode")
        desk.run("--output=out.json", "x.xml", status=EX_CANTCREAT)
        desk.run("--output", "no/such/folder", "x.xml", status=EX_CANTCREAT)
        desk.run("--dry-run", "--output", "none.json", "x.xml")
        check(not os.path.exists(os.path.join(desk.folder, "none.json")), "made by --dry-run")
        check(desk.text() == before, "--output changed the configuration")
        for bad in ((), ("--outputs", "x.xml"), ("--output",)):
            desk.run(*bad, status=EX_USAGE)
    with Desk(CONFIG.replace('"nod', '"noode')) as desk:
        desk.put("x.xml", clixml(_set(), old.PARTNER))
        desk.run("x.xml", status=EX_CONFIG)


def into_a_running_node():
    """--reload: the node judges by what was imported, partners and grants alike."""
    with Lab("import") as lab:
        corp_dns(lab)
        node = Fedgate(lab)
        del node.config["access"]
        node.start()
        for name, raw in (
                ("x.xml", clixml([partner("scripted.test", kind="Federated")], old.PARTNER)),
                ("p.json", json7([old.policy("Global"), old.policy("Tag:Sales", True, True)])),
                ("u.xml", clixml([old.user("joe@app.corp.test", "Tag:Sales"),
                                  old.user("ann@app.corp.test", None)], old.USER)),
                ("b.json", json7([old.blocked("evil.test")]))):
            with open(os.path.join(node.folder, name), "wb") as out:
                out.write(raw)

        def may(user, far):
            return node.ctl("--json", "why", f"{user}@app.corp.test", far)["there"]["allowed"]

        check(not may("joe", "liz@scripted.test"), "allowed before")
        said = node.ctl("import", "x.xml", "p.json", "u.xml", "b.json", "--reload")
        check("generation 2 is in force: 1 partner" in said, "not reloaded:", said)
        check(may("joe", "liz@scripted.test"), "who was granted it may not")
        check(not may("ann", "liz@scripted.test"), "who was not granted it may")
        check(not may("joe", "liz@evil.test"), "blocked, and may")
        status = node.ctl("--json", "status")
        check(status["config"]["is_written"], "the file is not what runs:", status["config"])
        node.stop()


if __name__ == "__main__":
    main(clixml_files, clixml_references, json_files, json_numbers_are_refused,
         cut_members_are_refused, lossy_formats_are_refused, truth_table, gateway_settings,
         policies_and_users, policy_json, domain_lists, names, existing_partners, fragments,
         into_a_running_node)
