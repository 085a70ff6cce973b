/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_node: what only the running node can tell: the key of a dialback that it will answer
 * for, and what it has seen of the partner. */
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "ctl/client.h"
#include "ctl/diagnose.h"

#define ANSWER_MS 5000u
#define POLL_NS   200000000L

/* Bounded by what is left of the walk. */
static int ask(struct diagnose *d, struct slice request, struct client_reply *reply,
               char why[CLIENT_WHY_BYTES])
{
    struct ctl ctl = *d->ctl;

    ctl.reply_s = (unsigned)(diagnose_left_ms(d, DIAGNOSE_ADMIN_S * 1000) / 1000 + 1);
    return client_try(&ctl, request, reply, why);
}

static bool key_of_node(struct diagnose *d, const struct dialback_bond *bond,
                        struct dialback_key *out)
{
    char why[CLIENT_WHY_BYTES];
    struct client_reply reply = {0};
    struct buf request;
    struct jout j;
    struct slice key;
    bool is_there = false;

    buf_init(&request, (size_t)16 << 10);
    jout_init(&j, &request, false);
    jout_object(&j, NULL);
    jout_cstr(&j, "command", "dialback_key");
    jout_text(&j, "local", bond->originating);
    jout_text(&j, "remote", bond->receiving);
    jout_text(&j, "id", bond->stream_id);
    jout_end(&j);
    if (ask(d, buf_slice(&request), &reply, why) != EX_OK) {
        diagnose_seen(d, DIAGNOSE_OUT_DIALBACK, "%s", why);
    } else if (!reply.is_ok) {
        diagnose_seen(d, DIAGNOSE_OUT_DIALBACK, "the node says: %.*s",
                      SLICE_FMT(client_text(&reply, 0, "error")));
    } else {
        key = client_text(&reply, 0, "key");
        is_there = key.len == sizeof(out->hex);
        if (is_there) {
            memcpy(out->hex, key.ptr, key.len);
        }
    }
    client_deinit(&reply);
    buf_deinit(&request);
    return is_there;
}

bool diagnose_node_key(struct diagnose *d, const struct dialback_bond *bond,
                       struct dialback_key *out)
{
    return d->has_secret ? dialback_key_make(out, d->crypto, &d->secret, bond)
                         : key_of_node(d, bond, out);
}

/* ---- figures ---- */

struct stamp {
    char text[32];
};
static struct stamp stamp_of(int64_t unix_s)
{
    struct stamp stamp = {"?"};
    struct tm tm;
    time_t t = (time_t)unix_s;

    if (gmtime_r(&t, &tm)) {
        (void)strftime(stamp.text, sizeof(stamp.text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    return stamp;
}

/* "in: 1 stream now; authenticated so far: external 3" */
static void tell_direction(struct diagnose *d, const struct client_reply *r, uint32_t figures,
                           const char *direction)
{
    uint32_t way = client_member(r, figures, direction);
    uint32_t counts = client_member(r, way, "authenticated");
    uint32_t last = client_member(r, way, "last_failures");
    struct buf text;

    buf_init(&text, DIAGNOSE_LINE_BYTES);
    for (uint32_t key = counts == JSON_NONE ? 0 : counts + 1;
         counts != JSON_NONE && key < r->doc.nodes[counts].next;
         key = r->doc.nodes[key + 1].next) {
        if (!slice_eq_cstr(json_text(&r->doc, key + 1), "0")) {
            buf_printf(&text, " %.*s %.*s", SLICE_FMT(json_text(&r->doc, key)),
                       SLICE_FMT(json_text(&r->doc, key + 1)));
        }
    }
    diagnose_seen(d, DIAGNOSE_IN_NODE, "%s: %lld streams now; authenticated since its start:%.*s",
                  direction, (long long)client_number(r, way, "streams"),
                  SLICE_FMT(buf_len(&text) ? buf_slice(&text) : SLICE_LIT(" none")));
    buf_deinit(&text);
    for (uint32_t key = last == JSON_NONE ? 0 : last + 1;
         last != JSON_NONE && key < r->doc.nodes[last].next; key = r->doc.nodes[key + 1].next) {
        diagnose_seen(d, DIAGNOSE_IN_NODE, "%s: last failed at %.*s on %s: %.*s", direction,
                      SLICE_FMT(json_text(&r->doc, key)),
                      stamp_of(client_number(r, key + 1, "at")).text,
                      SLICE_FMT(client_text(r, key + 1, "text")));
    }
    if (client_number(r, way, "streams") == 0 && last != JSON_NONE &&
        r->doc.nodes[last].next > last + 1) {
        diagnose_warn(d, DIAGNOSE_IN_NODE, DIAGNOSE_FAULT_NODE_SAW);
    }
}

static void tell_figures(struct diagnose *d, const struct client_reply *r)
{
    uint32_t figures = client_member(r, 0, "figures");

    if (!client_bool(r, 0, "is_configured")) {
        diagnose_seen(d, DIAGNOSE_IN_NODE, "the running configuration has no such partner");
        if (d->partner) {
            diagnose_warn(d, DIAGNOSE_IN_NODE, DIAGNOSE_FAULT_NODE_OLD);
        }
    }
    if (figures == JSON_NONE || json_kind_of(&r->doc, figures) != JSON_OBJECT) {
        diagnose_seen(d, DIAGNOSE_IN_NODE, "nothing yet since its start");
    } else {
        tell_direction(d, r, figures, "in");
        tell_direction(d, r, figures, "out");
    }
    diagnose_set(d, DIAGNOSE_IN_NODE, DIAGNOSE_OK);
}

/* {"command": "partner"}: as ask. */
static int ask_partner(struct diagnose *d, struct client_reply *reply, char why[CLIENT_WHY_BYTES])
{
    struct buf request;
    struct jout j;
    int status;

    buf_init(&request, 4096);
    jout_init(&j, &request, false);
    jout_object(&j, NULL);
    jout_cstr(&j, "command", "partner");
    jout_text(&j, "domain", jid_ascii_slice(&d->domain));
    jout_end(&j);
    status = ask(d, buf_slice(&request), reply, why);
    buf_deinit(&request);
    return status;
}

void diagnose_node(struct diagnose *d)
{
    char why[CLIENT_WHY_BYTES];
    struct client_reply reply = {0};

    if (ask_partner(d, &reply, why) != EX_OK) {
        diagnose_seen(d, DIAGNOSE_IN_NODE, "%s", why);
        diagnose_warn(d, DIAGNOSE_IN_NODE, DIAGNOSE_FAULT_NODE_SILENT);
    } else if (!reply.is_ok) {
        diagnose_seen(d, DIAGNOSE_IN_NODE, "the node says: %.*s",
                      SLICE_FMT(client_text(&reply, 0, "error")));
        diagnose_warn(d, DIAGNOSE_IN_NODE, DIAGNOSE_FAULT_NODE_SILENT);
    } else {
        tell_figures(d, &reply);
    }
    client_deinit(&reply);
}

/* ---- the answer ---- */

struct diagnose_figures diagnose_node_figures(struct diagnose *d)
{
    struct diagnose_figures f = {0};
    char why[CLIENT_WHY_BYTES];
    struct client_reply r = {0};

    if (ask_partner(d, &r, why) == EX_OK && r.is_ok && client_bool(&r, 0, "is_configured")) {
        uint32_t way = client_member(&r, client_member(&r, 0, "figures"), "in");
        uint32_t counts = client_member(&r, way, "authenticated");

        f.is_known = true;
        f.streams = client_number(&r, way, "streams");
        for (uint32_t key = counts == JSON_NONE ? 0 : counts + 1;
             counts != JSON_NONE && key < r.doc.nodes[counts].next;
             key = r.doc.nodes[key + 1].next) {
            uint64_t count;

            f.authenticated +=
                slice_parse_u64(json_text(&r.doc, key + 1), &count) ? (int64_t)count : 0;
        }
    }
    client_deinit(&r);
    return f;
}

void diagnose_node_answer(struct diagnose *d, const struct diagnose_figures *before)
{
    static const struct timespec pause = {.tv_nsec = POLL_NS};
    struct diagnose_figures now = *before;
    uint64_t begin_ms = diagnose_now_ms();

    if (!d->is_ping_out || !before->is_known) {
        diagnose_seen(d, DIAGNOSE_IN_ANSWER, "%s",
                      d->is_ping_out ? "the running node cannot be asked whether it comes"
                                     : "no stanza went out that could be answered");
        return;
    }
    while (now.authenticated == before->authenticated && now.streams == 0 &&
           diagnose_now_ms() - begin_ms < ANSWER_MS && diagnose_left_ms(d, 1) > 0) {
        (void)nanosleep(&pause, NULL);
        now = diagnose_node_figures(d);
    }
    if (now.authenticated > before->authenticated) {
        diagnose_seen(d, DIAGNOSE_IN_ANSWER, "the partner dialled us and was authenticated");
    } else if (now.streams > 0) {
        diagnose_seen(d, DIAGNOSE_IN_ANSWER, "the partner has a stream to us already");
    } else {
        diagnose_seen(d, DIAGNOSE_IN_ANSWER, "no stream of the partner came within %u s",
                      ANSWER_MS / 1000);
        diagnose_warn(d, DIAGNOSE_IN_ANSWER, DIAGNOSE_FAULT_ANSWER_MISSING);
    }
    diagnose_set(d, DIAGNOSE_IN_ANSWER, DIAGNOSE_OK);
}
