/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema_table: config.def as tables, and what people call its keys by other names. */
#include <string.h>

#include "base/ascii.h"
#include "base/check.h"
#include "policy/schema_int.h"

static const char *const backend_choices[] = {"wolfssl", "mbedtls", NULL};
static const char *const ktls_choices[] = {"auto", "require", "off", NULL};
static const char *const version_choices[] = {"1.2", "1.3", NULL};
static const char *const resumption_choices[] = {"off", "accept", "on", NULL};
static const char *const hop_choices[] = {"sip", "component", NULL};
static const char *const profile_choices[] = {"simple", "lync", NULL};
static const char *const type_choices[] = {"federated", "public_verified", "public_unverified",
                                           NULL};
static const char *const level_choices[] = {"required", "optional", "not_supported", NULL};
static const char *const acks_choices[] = {"auto", "sm", "ping", "off", NULL};
static const char *const log_choices[] = {"error", "warn", "info", "debug", NULL};

#define REQUIRED SCHEMA_REQUIRED
#define NULLABLE SCHEMA_NULLABLE
#define SECRET   SCHEMA_SECRET
#define ZERO_OFF SCHEMA_ZERO_OFF
#define LATER    SCHEMA_LATER

const struct schema_key schema_keys[KEY_COUNT] = {
#define SECTION(name)
#define KEY(section, key, kind, flags, min, max, number, text, choices)                            \
    {#key, SECTION_##section, SCHEMA_##kind, (flags), (min), (max), (number), (text), (choices)},
#include "policy/config.def"
#undef SECTION
#undef KEY
};

const uint32_t schema_firsts[SECTION_COUNT + 1] = {
#define SECTION(name) (uint32_t) KEY_first_##name,
#define KEY(section, key, kind, flags, min, max, number, text, choices)
#include "policy/config.def"
#undef SECTION
#undef KEY
    KEY_COUNT,
};

#undef REQUIRED
#undef NULLABLE
#undef SECRET
#undef ZERO_OFF
#undef LATER

/* The names of the product being replaced, for those who write the file by hand from its output;
 * and those of another section, too far apart for the spelling to tell. */
static const char *const old_names[][2] = {
    {"Identity", "domain"},
    {"Domain", "domain"},
    {"AdditionalDomains", "additional_domains"},
    {"PartnerType", "type"},
    {"TlsNegotiation", "tls"},
    {"SaslNegotiation", "sasl"},
    {"SupportDialbackNegotiation", "dialback"},
    {"EnableKeepAlive", "keepalive"},
    {"ConnectionLimit", "connection_limit"},
    {"ProxyFqdn", "proxy_fqdn"},
    {"SuffixMatch", "suffix_match"},
    {"StanzaRateMax", "stanza_rate_max"},
    {"StanzaBurst", "stanza_burst"},
    {"ByteRateMax", "byte_rate_max"},
    {"ByteBurst", "byte_burst"},
    {"StanzaBytesMax", "stanza_bytes_max"},
    {"AllowedUsers", "allowed_users"},
    {"EnableXmppAccess", "xmpp"},
    {"EnableFederationAccess", "sip_federation"},
    {"PartnerConnectionLimit", "partner_connection_limit"},
    {"DialbackPassphrase", "dialback_secret"},
    {"EnableLoggingAllMessageBodies", "log_message_bodies"},
    {"KeepAliveInterval", "keepalive_interval_s"},
    {"StreamEstablishmentTimeout", "stream_establishment_timeout_s"},
    {"StreamInactivityTimeout", "stream_inactivity_timeout_s"},
    {"SubscriptionRefreshInterval", "subscription_refresh_interval_s"},
    {"min_tls_version", "min_version"},
    {"min_version", "min_tls_version"},
};

const struct schema_key *schema_key_at(enum schema_key_idx key)
{
    return (uint32_t)key < KEY_COUNT ? &schema_keys[key] : NULL;
}

bool schema_is_called(enum schema_key_idx key, struct slice name)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(old_names); i++) {
        if (slice_eq_nocase(name, slice_from_cstr(old_names[i][0])) &&
            strcmp(old_names[i][1], schema_keys[key].name) == 0) {
            return true;
        }
    }
    return false;
}

const struct schema_value *schema_get(const struct schema_values *v, enum schema_key_idx key)
{
    ASSERT(schema_keys[key].section == v->section);
    return &v->values[(uint32_t)key - schema_firsts[v->section]];
}
