/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kind: what an exported object is: by the name of its type, which CLIXML has, or by its members,
 * which is all that JSON has. */
#include "base/attr.h"
#include "import/plan_int.h"

static const struct {
    const char *name;
    const char *cmdlet;
    const char *one_liner;
} kinds[IMPORT_KIND_COUNT] = {
    [IMPORT_KIND_PARTNER] =
        {"partner", "Get-CsXmppAllowedPartner",
         "Get-CsXmppAllowedPartner | Select-Object Identity, Domain, AdditionalDomains, "
         "Description, @{n='PartnerType';e={\"$($_.PartnerType)\"}}, "
         "@{n='TlsNegotiation';e={\"$($_.TlsNegotiation)\"}}, "
         "@{n='SaslNegotiation';e={\"$($_.SaslNegotiation)\"}}, SupportDialbackNegotiation, "
         "EnableKeepAlive, ConnectionLimit, ProxyFqdn | ConvertTo-Json -Depth 5 | "
         "Set-Content -Encoding UTF8 partners.json"},
    [IMPORT_KIND_GATEWAY] = {"gateway settings", "Get-CsXmppGatewayConfiguration",
                             "Get-CsXmppGatewayConfiguration | ConvertTo-Json -Depth 5 | "
                             "Set-Content -Encoding UTF8 gateway.json"},
    [IMPORT_KIND_POLICY] = {"external access policy", "Get-CsExternalAccessPolicy",
                            "Get-CsExternalAccessPolicy | ConvertTo-Json -Depth 5 | "
                            "Set-Content -Encoding UTF8 policies.json"},
    [IMPORT_KIND_USER] = {"user", "Get-CsUser",
                          "Get-CsUser | Select-Object SipAddress, Enabled, "
                          "@{n='ExternalAccessPolicy';e={\"$($_.ExternalAccessPolicy)\"}} | "
                          "ConvertTo-Json -Depth 5 | Set-Content -Encoding UTF8 users.json"},
    [IMPORT_KIND_ALLOWED] =
        {"allowed SIP domain", "Get-CsAllowedDomain",
         "Get-CsAllowedDomain | Select-Object Identity, Domain, ProxyFqdn, Comment, "
         "@{n='VerificationLevel';e={\"$($_.VerificationLevel)\"}} | ConvertTo-Json -Depth 5 | "
         "Set-Content -Encoding UTF8 allowed.json"},
    [IMPORT_KIND_BLOCKED] = {"blocked domain", "Get-CsBlockedDomain",
                             "Get-CsBlockedDomain | ConvertTo-Json -Depth 5 | "
                             "Set-Content -Encoding UTF8 blocked.json"},
    [IMPORT_KIND_KNOWN] = {"object", "", ""},
    [IMPORT_KIND_UNKNOWN] = {"object", "", ""},
};

/* The last part of a type's name. */
static const struct {
    const char *type;
    enum import_kind kind;
    const char *known;
} types[] = {
    {"XmppAllowedPartner", IMPORT_KIND_PARTNER, NULL},
    {"XmppGatewaySettings", IMPORT_KIND_GATEWAY, NULL},
    {"ExternalAccessPolicy", IMPORT_KIND_POLICY, NULL},
    {"AllowedDomain", IMPORT_KIND_ALLOWED, NULL},
    {"BlockedDomain", IMPORT_KIND_BLOCKED, NULL},
    {"OCSADUser", IMPORT_KIND_USER, NULL},
    {"ADUser", IMPORT_KIND_USER, NULL},
    {"DisplayHostingProvider", IMPORT_KIND_KNOWN,
     "a hosting provider: SIP federation, which stays where it is"},
    {"HostingProvider", IMPORT_KIND_KNOWN,
     "a hosting provider: SIP federation, which stays where it is"},
    {"DisplayPublicProvider", IMPORT_KIND_KNOWN,
     "a public provider: SIP federation, which stays where it is"},
    {"PublicProvider", IMPORT_KIND_KNOWN,
     "a public provider: SIP federation, which stays where it is"},
    {"AccessEdgeSettings", IMPORT_KIND_KNOWN,
     "the Access Edge's settings: SIP federation, which stays where it is"},
};

/* "Selected.Microsoft.Rtc...XmppFederation.XmppAllowedPartner#Decorated" ends with it. */
static bool is_type(struct slice name, const char *type)
{
    struct slice word = slice_from_cstr(type);
    ptrdiff_t hash = slice_find(name, '#');

    name = hash >= 0 ? slice_to(name, (size_t)hash) : name;
    return slice_ends(name, word) &&
           (name.len == word.len || name.ptr[name.len - word.len - 1] == '.');
}

static bool by_type(struct slice names, enum import_kind *kind, const char **known)
{
    struct slice name;

    while (names.len) {
        (void)slice_cut(&names, '\n', &name);
        for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
            if (is_type(name, types[i].type)) {
                *kind = types[i].kind;
                *known = types[i].known;
                return true;
            }
        }
    }
    return false;
}

/* The first row all of whose members are there counts. */
static const struct {
    enum import_kind kind;
    const char *members[2];
    const char *known;
} shapes[] = {
    {IMPORT_KIND_PARTNER, {"TlsNegotiation", NULL}, NULL},
    {IMPORT_KIND_PARTNER, {"SaslNegotiation", NULL}, NULL},
    {IMPORT_KIND_PARTNER, {"PartnerType", NULL}, NULL},
    {IMPORT_KIND_PARTNER, {"SupportDialbackNegotiation", NULL}, NULL},
    {IMPORT_KIND_PARTNER, {"AdditionalDomains", NULL}, NULL},
    {IMPORT_KIND_GATEWAY, {"PartnerConnectionLimit", NULL}, NULL},
    {IMPORT_KIND_GATEWAY, {"KeepAliveInterval", NULL}, NULL},
    {IMPORT_KIND_GATEWAY, {"DialbackPassphrase", NULL}, NULL},
    {IMPORT_KIND_GATEWAY, {"StreamEstablishmentTimeout", NULL}, NULL},
    {IMPORT_KIND_GATEWAY, {"StreamInactivityTimeout", NULL}, NULL},
    {IMPORT_KIND_GATEWAY, {"SubscriptionRefreshInterval", NULL}, NULL},
    {IMPORT_KIND_USER, {"SipAddress", NULL}, NULL},
    {IMPORT_KIND_POLICY, {"EnableXmppAccess", NULL}, NULL},
    {IMPORT_KIND_POLICY, {"Identity", "EnableFederationAccess"}, NULL},
    {IMPORT_KIND_KNOWN,
     {"HostsOCSUsers", NULL},
     "a hosting provider: SIP federation, which stays where it is"},
    {IMPORT_KIND_KNOWN,
     {"AllowFederatedUsers", NULL},
     "the Access Edge's settings: SIP federation, which stays where it is"},
    {IMPORT_KIND_KNOWN,
     {"VerificationLevel", "Enabled"},
     "a public provider: SIP federation, which stays where it is"},
    {IMPORT_KIND_ALLOWED, {"MarkForMonitoring", NULL}, NULL},
    {IMPORT_KIND_ALLOWED, {"Domain", "VerificationLevel"}, NULL},
};

/* A blocked domain has nothing but its name and a comment. */
static bool is_blocked(const struct import_tree *t, uint32_t record)
{
    uint32_t child = IMPORT_NONE;

    while ((child = import_next_child(t, record, child)) != IMPORT_NONE) {
        struct slice name = import_name(t, child);

        if (!slice_eq_nocase(name, SLICE_LIT("Identity")) &&
            !slice_eq_nocase(name, SLICE_LIT("Domain")) &&
            !slice_eq_nocase(name, SLICE_LIT("Comment")) && !import_is_bookkeeping(name)) {
            return false;
        }
    }
    return import_member(t, record, "Domain") != IMPORT_NONE &&
           import_member(t, record, "Comment") != IMPORT_NONE;
}

enum import_kind import_kind_of(const struct import_tree *t, uint32_t record, const char **known)
{
    enum import_kind kind;

    *known = NULL;
    if (t->nodes[record].value != IMPORT_OBJECT) {
        return IMPORT_KIND_UNKNOWN;
    }
    if (by_type(import_type(t, record), &kind, known)) {
        return kind;
    }
    for (size_t i = 0; i < ARRAY_COUNT(shapes); i++) {
        if (import_member(t, record, shapes[i].members[0]) != IMPORT_NONE &&
            (!shapes[i].members[1] ||
             import_member(t, record, shapes[i].members[1]) != IMPORT_NONE)) {
            *known = shapes[i].known;
            return shapes[i].kind;
        }
    }
    return is_blocked(t, record) ? IMPORT_KIND_BLOCKED : IMPORT_KIND_UNKNOWN;
}

const char *import_kind_name(enum import_kind kind)
{
    return kinds[kind].name;
}

const char *import_kind_cmdlet(enum import_kind kind)
{
    return kinds[kind].cmdlet;
}

const char *import_kind_one_liner(enum import_kind kind)
{
    return kinds[kind].one_liner;
}
