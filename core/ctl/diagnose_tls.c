/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_tls: what a handshake came to, and what the certificates are worth, link by link. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "ctl/diagnose.h"
#include "tls/cert.h"

#define DAY_S       86400
#define NAME_BYTES  160u
#define NAMES_SHOWN 20u

const struct diagnose_map diagnose_map_out = {
    DIAGNOSE_OUT_HEADER, DIAGNOSE_OUT_STARTTLS, DIAGNOSE_OUT_TLS,      DIAGNOSE_OUT_CHAIN,
    DIAGNOSE_OUT_NAME,   DIAGNOSE_OUT_PURPOSE,  DIAGNOSE_OUT_FEATURES,
};
const struct diagnose_map diagnose_map_in = {
    DIAGNOSE_IN_HEADER, DIAGNOSE_IN_STARTTLS, DIAGNOSE_IN_TLS,      DIAGNOSE_IN_CHAIN,
    DIAGNOSE_IN_NAME,   DIAGNOSE_IN_PURPOSE,  DIAGNOSE_IN_FEATURES,
};

/* ---- the chain ---- */

struct date {
    char text[16];
};
static struct date date_of(int64_t unix_s)
{
    struct date date;
    struct tm tm;
    time_t t = (time_t)unix_s;

    if (!gmtime_r(&t, &tm) || strftime(date.text, sizeof(date.text), "%Y-%m-%d", &tm) == 0) {
        (void)snprintf(date.text, sizeof(date.text), "?");
    }
    return date;
}

static const char *when(const struct cert *c, int64_t now, char out[40])
{
    if (now > c->not_after_unix_s) {
        return "EXPIRED";
    }
    if (now < c->not_before_unix_s) {
        return "NOT YET VALID";
    }
    (void)snprintf(out, 40, "%lld days left", (long long)((c->not_after_unix_s - now) / DAY_S));
    return out;
}

static void tell_cert(struct diagnose *d, enum diagnose_step step, uint32_t number,
                      const struct cert *c)
{
    char subject[NAME_BYTES];
    char issuer[NAME_BYTES];
    char left[40];

    cert_name_text(c->subject, subject, sizeof(subject));
    cert_name_text(c->issuer, issuer, sizeof(issuer));
    diagnose_seen(d, step, "%u: %s%s, issued by %s, %s to %s, %s%s", number, subject,
                  c->is_ca ? " (an authority)" : "",
                  cert_is_self_issued(c) ? "itself" : issuer, date_of(c->not_before_unix_s).text,
                  date_of(c->not_after_unix_s).text, when(c, (int64_t)time(NULL), left),
                  c->is_weakly_signed ? ", WEAKLY SIGNED" : "");
}

void diagnose_chain_seen(void *ctx, const struct slice *chain, uint32_t count)
{
    struct diagnose *d = ctx;
    enum diagnose_step step =
        d->at->direction == DIAGNOSE_OUT ? DIAGNOSE_OUT_CHAIN : DIAGNOSE_IN_CHAIN;
    struct cert cert;

    for (uint32_t i = 0; i < count; i++) {
        if (cert_parse(&cert, chain[i]) != 0) {
            diagnose_seen(d, step, "%u: not readable as a certificate", i + 1);
        } else {
            tell_cert(d, step, i + 1, &cert);
        }
    }
}

/* ---- verdicts ---- */

struct verdict_row {
    enum diagnose_fault out;
    enum diagnose_fault in;
};
#define BOTH(o, i) {DIAGNOSE_FAULT_##o, DIAGNOSE_FAULT_##i}
static const struct verdict_row verdicts[] = {
    [TLS_CHAIN_NONE] = BOTH(CERT_NONE, CERT_NONE),
    [TLS_CHAIN_OK] = BOTH(NONE, NONE),
    [TLS_CHAIN_SELF_SIGNED] = BOTH(CERT_SELF_SIGNED, OUR_CERT_UNTRUSTED),
    [TLS_CHAIN_UNKNOWN_CA] = BOTH(CERT_UNKNOWN_CA, OUR_CERT_UNTRUSTED),
    [TLS_CHAIN_EXPIRED] = BOTH(CERT_EXPIRED, OUR_CERT_EXPIRED),
    [TLS_CHAIN_NOT_YET_VALID] = BOTH(CERT_EARLY, OUR_CERT_EXPIRED),
    [TLS_CHAIN_BAD] = BOTH(CERT_BAD, OUR_CERT_BAD),
    [TLS_CHAIN_REVOKED] = BOTH(CERT_REVOKED, OUR_CERT_BAD),
    [TLS_CHAIN_CRL_STALE] = BOTH(CERT_STALE, CERT_STALE),
};
#undef BOTH

static void blame(struct diagnose *d, bool is_needed, enum diagnose_step step,
                  enum diagnose_fault fault)
{
    if (is_needed) {
        diagnose_fail(d, step, fault);
    } else {
        diagnose_warn(d, step, fault);
    }
}

static bool judge_chain(struct diagnose *d, const struct diagnose_judge *j,
                        const struct tls_peer *peer)
{
    bool is_in = j->map == &diagnose_map_in;
    enum diagnose_step step = j->map->chain;
    enum diagnose_fault fault = is_in ? verdicts[peer->chain].in : verdicts[peer->chain].out;
    int64_t left_s = peer->not_after_unix_s - (int64_t)time(NULL);

    diagnose_seen(d, step, "verdict: %s; revocation lists: %s", tls_chain_text(peer->chain),
                  d->policy->crl_path ? "looked at" : "none configured (tls.crl)");
    if (peer->chain == TLS_CHAIN_BAD && !peer->names.has_server_auth) {
        /* Its purpose is what is wrong with it: that has a step of its own. */
        diagnose_set(d, step, DIAGNOSE_OK);
        return false;
    }
    if (peer->chain != TLS_CHAIN_OK) {
        /* Our own authority need not be one that we trust ourselves. */
        blame(d, j->is_needed && fault != DIAGNOSE_FAULT_OUR_CERT_UNTRUSTED, step, fault);
        return false;
    }
    if (left_s < (int64_t)DIAGNOSE_SOON_DAYS * DAY_S) {
        diagnose_warn(d, step, is_in ? DIAGNOSE_FAULT_OUR_CERT_SOON : DIAGNOSE_FAULT_CERT_SOON);
    }
    diagnose_set(d, step, DIAGNOSE_OK);
    return true;
}

static const char *name_prefix(enum tls_name_kind kind)
{
    static const char *const prefixes[] = {
        [TLS_NAME_DNS] = "", [TLS_NAME_SRV] = "SRV:", [TLS_NAME_XMPP] = "XMPP:",
        [TLS_NAME_URI] = "URI:"};

    return prefixes[kind];
}

static bool judge_names(struct diagnose *d, const struct diagnose_judge *j,
                        const struct tls_peer *peer)
{
    enum diagnose_step step = j->map->name;
    struct jid_storage mem;
    struct jid unicode;
    struct buf names;
    bool is_named = tls_names_match_xmpp(&peer->names, j->wanted) ||
                    /* XmppAddr may hold U-labels */
                    (jid_make(&mem, SLICE_NONE, j->wanted, SLICE_NONE, &unicode) == 0 &&
                     tls_names_match_xmpp(&peer->names, unicode.domain));

    buf_init(&names, DIAGNOSE_LINE_BYTES * 4);
    for (uint32_t i = 0; i < peer->names.count && i < NAMES_SHOWN; i++) {
        enum tls_name_kind kind;
        struct slice name = tls_names_get(&peer->names, i, &kind);

        buf_printf(&names, "%s%s%s", i ? " " : "", name_prefix(kind), log_quote(name).text);
    }
    if (peer->names.count > NAMES_SHOWN) {
        buf_put_lit(&names, " ...");
    }
    diagnose_seen(d, step, "wanted: %.*s; named: %.*s", SLICE_FMT(j->wanted),
                  SLICE_FMT(peer->names.count ? buf_slice(&names) : SLICE_LIT("nobody")));
    buf_deinit(&names);
    if (!is_named) {
        blame(d, j->is_needed, step,
              j->map == &diagnose_map_in ? DIAGNOSE_FAULT_OUR_NAME_WRONG
                                         : DIAGNOSE_FAULT_NAME_WRONG);
    }
    diagnose_set(d, step, DIAGNOSE_OK);
    return is_named;
}

static bool judge_purpose(struct diagnose *d, const struct diagnose_judge *j,
                          const struct tls_peer *peer)
{
    enum diagnose_step step = j->map->purpose;
    const struct tls_names *names = &peer->names;

    diagnose_seen(d, step, "server authentication: %s; client authentication: %s",
                  names->has_server_auth ? "yes" : "no", names->has_client_auth ? "yes" : "no");
    if (!names->has_server_auth) {
        blame(d, j->is_needed, step, DIAGNOSE_FAULT_NOT_FOR_SERVERS);
    } else if (!names->has_client_auth) {
        diagnose_warn(d, step, j->map == &diagnose_map_in ? DIAGNOSE_FAULT_OUR_NOT_FOR_CLIENTS
                                                          : DIAGNOSE_FAULT_NOT_FOR_CLIENTS);
    }
    diagnose_set(d, step, DIAGNOSE_OK);
    return names->has_server_auth;
}

bool diagnose_judge_peer(struct diagnose *d, const struct diagnose_judge *j,
                         const struct tls_peer *peer)
{
    bool is_good;

    diagnose_seen(d, j->map->tls, "%s, %s, server name asked for: %.*s%s%s", peer->version,
                  peer->cipher, SLICE_FMT(j->wanted), peer->alpn[0] ? ", ALPN " : "", peer->alpn);
    diagnose_set(d, j->map->tls, DIAGNOSE_OK);
    is_good = judge_chain(d, j, peer);
    if (peer->chain == TLS_CHAIN_NONE) {
        return false;
    }
    is_good = judge_names(d, j, peer) && is_good;
    return judge_purpose(d, j, peer) && is_good;
}

/* ---- no handshake ---- */

/* RFC 8446 6: alerts that speak of the certificate. */
static bool is_about_certificate(const char *why)
{
    static const char *const alerts[] = {"bad_certificate",     "unsupported_certificate",
                                         "certificate_revoked", "certificate_expired",
                                         "certificate_unknown", "unknown_ca",
                                         "access_denied",       "certificate_required"};

    for (size_t i = 0; i < ARRAY_COUNT(alerts); i++) {
        if (strstr(why, alerts[i])) {
            return true;
        }
    }
    return false;
}

void diagnose_tls_failed(struct diagnose *d, const struct diagnose_map *map,
                         const struct diagnose_wire *w, enum diagnose_step step)
{
    enum diagnose_fault fault = DIAGNOSE_FAULT_TLS_FAILED;

    diagnose_seen(d, step, "%s", w->why);
    if (w->err == ERR_TLS_CERTIFICATE && step == map->tls) {
        /* What the library could not even read. */
        diagnose_seen(d, map->chain, "%s", w->why);
        diagnose_fail(d, map->chain, map == &diagnose_map_in ? DIAGNOSE_FAULT_OUR_CERT_BAD
                                                             : DIAGNOSE_FAULT_CERT_BAD);
        return;
    }
    if (map == &diagnose_map_in) {
        diagnose_fail(d, step, DIAGNOSE_FAULT_OUR_TLS_FAILED);
        return;
    }
    if (w->err == ERR_TLS_ALERT && is_about_certificate(w->why)) {
        fault = DIAGNOSE_FAULT_TLS_WE_REFUSED;
    } else if (step == map->tls && strstr(w->why, "is not TLS")) {
        fault = DIAGNOSE_FAULT_TLS_NOT_TLS;
    } else if (w->err == ERR_CLOSED || w->err == -ECONNRESET) {
        fault = DIAGNOSE_FAULT_CLOSED;
    }
    diagnose_fail(d, step, fault);
}
