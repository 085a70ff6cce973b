/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_why: may these two talk, and which rule says so. Asks the running node, which also knows who
 * has written to whom; or goes by the file, and says that it did. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/why.h"
#include "policy/config.h"
#include "policy/quote.h"
#include "xmpp/jid.h"

#define REQUEST_BYTES_MAX ((size_t)16 << 10)

struct question {
    const char *from;
    const char *to;
    const char *act;
    bool by_file;
};

/* Where the verdicts come from. */
struct source {
    struct snapshot *snapshot; /* owned; NULL = the node */
    char node_error[CLIENT_WHY_BYTES]; /* why it is not the node; "" = it was not to be */
};

static void copy(char *to, size_t to_bytes, const struct client_reply *r, const char *key)
{
    slice_to_cstr_cut(client_text(r, 0, key), to, to_bytes);
}

static void read_reply(struct why *w, const struct client_reply *r)
{
    copy(w->direction, sizeof(w->direction), r, "direction");
    copy(w->act, sizeof(w->act), r, "act");
    copy(w->rule, sizeof(w->rule), r, "rule");
    copy(w->reason, sizeof(w->reason), r, "reason");
    copy(w->answer, sizeof(w->answer), r, "answer");
    copy(w->partner, sizeof(w->partner), r, "partner");
    copy(w->partner_type, sizeof(w->partner_type), r, "partner_type");
    w->allowed = client_bool(r, 0, "allowed");
    w->without_note = client_bool(r, 0, "without_note");
    w->is_reachable = client_bool(r, 0, "is_reachable");
}

static void put_request(struct buf *out, const struct why *w)
{
    struct jout j;

    jout_init(&j, out, false);
    jout_object(&j, NULL);
    jout_cstr(&j, "command", "why");
    jout_cstr(&j, "from", w->from);
    jout_cstr(&j, "to", w->to);
    jout_cstr(&j, "act", w->act);
    jout_end(&j);
}

/* An exit status of client_try with why; the node's own "no" is EX_DATAERR. */
static int ask_node(const struct ctl *ctl, struct why *w, char why[CLIENT_WHY_BYTES])
{
    struct client_reply reply;
    struct buf request;
    int status;

    buf_init(&request, REQUEST_BYTES_MAX);
    put_request(&request, w);
    status = client_try(ctl, buf_slice(&request), &reply, why);
    buf_deinit(&request);
    if (status == EX_OK && !reply.is_ok) {
        (void)snprintf(why, CLIENT_WHY_BYTES, "the node says: %.*s",
                       SLICE_FMT(client_text(&reply, 0, "error")));
        status = EX_DATAERR;
    } else if (status == EX_OK) {
        read_reply(w, &reply);
    }
    client_deinit(&reply);
    return status;
}

/* EX_OK, or EX_DATAERR when the configuration knows neither domain. */
static int ask_file(const struct snapshot *s, struct why *w)
{
    struct jid_storage mem[2];
    struct jid from;
    struct jid to;
    struct policy_question q = {0};
    struct policy_decision d;

    if (jid_parse(&mem[0], slice_from_cstr(w->from), &from) != 0 ||
        jid_parse(&mem[1], slice_from_cstr(w->to), &to) != 0 ||
        !policy_act_find(slice_from_cstr(w->act), &q.act) ||
        !policy_question_make(&q, s, &from, &to)) {
        return EX_DATAERR;
    }
    d = policy_decide(s, &q);
    (void)snprintf(w->direction, sizeof(w->direction), "%s",
                   q.direction == POLICY_TO_LOCAL ? "to_local" : "to_partner");
    w->allowed = d.allowed;
    w->without_note = d.without_note;
    policy_rule_text(d.rule, w->rule);
    (void)snprintf(w->reason, sizeof(w->reason), "%s", policy_reason_name(d.reason));
    (void)snprintf(w->answer, sizeof(w->answer), "%s", policy_answer_name(d.answer));
    if (d.partner) {
        slice_to_cstr_cut(d.partner->domain, w->partner, sizeof(w->partner));
        (void)snprintf(w->partner_type, sizeof(w->partner_type), "%s",
                       partner_type_name((enum partner_type)d.partner->type));
    }
    return EX_OK;
}

/* The configuration, or what is wrong with it on stderr. */
static int load_file(const struct ctl *ctl, struct snapshot **out)
{
    struct config_report report = {0};
    int err = config_load_file(out, ctl->config_path, &report);

    if (err != 0) {
        config_report_print(&report);
    }
    config_report_deinit(&report);
    return err == 0 ? EX_OK
                    : out_fail(ctl, EX_CONFIG, "%s is not valid: fedgatectl check",
                               quote(slice_from_cstr(ctl->config_path)).text);
}

/* One direction. The first decides whether the node is there; the second goes the same way. */
static int judge(const struct ctl *ctl, struct source *source, struct why *w)
{
    char why[CLIENT_WHY_BYTES];
    int status;

    if (!source->snapshot) {
        status = ask_node(ctl, w, why);
        if (status != EX_UNAVAILABLE && status != EX_CONFIG) {
            return status == EX_OK ? EX_OK : out_fail(ctl, status, "%s", why);
        }
        (void)snprintf(source->node_error, sizeof(source->node_error), "%s", why);
        status = load_file(ctl, &source->snapshot);
        if (status != EX_OK) {
            return status;
        }
    }
    if (ask_file(source->snapshot, w) != EX_OK) {
        return out_fail(ctl, EX_DATAERR, "neither of these domains is one of ours in %s",
                        quote(slice_from_cstr(ctl->config_path)).text);
    }
    return EX_OK;
}

static void answer(const struct ctl *ctl, const struct source *source, const struct why way[2],
                   struct out *o)
{
    if (ctl->is_json) {
        jout_object(&o->json, NULL);
        jout_bool(&o->json, "ok", true);
        jout_cstr(&o->json, "by", source->snapshot ? "file" : "node");
        jout_cstr(&o->json, "node_error", source->node_error[0] ? source->node_error : NULL);
        why_put_json(&o->json, "there", &way[0]);
        why_put_json(&o->json, "back", &way[1]);
        jout_end(&o->json);
        return;
    }
    if (source->node_error[0]) {
        (void)fprintf(stderr, "fedgatectl: %s\n", source->node_error);
    }
    why_put_text(&o->text, &way[0]);
    why_put_text(&o->text, &way[1]);
    if (source->snapshot) {
        buf_put_lit(&o->text, "This is what ");
        out_put_clean(&o->text, slice_from_cstr(ctl->config_path));
        buf_put_lit(&o->text, " says; no node was asked, who has written to whom is not known.\n");
    }
}

/* Bare and normalised, so that what is printed is what was judged. */
static bool take_address(char out[WHY_ADDRESS_BYTES], const char *text)
{
    struct jid_storage mem;
    struct jid jid;
    struct buf bare;
    bool fits;

    if (jid_parse(&mem, slice_from_cstr(text), &jid) != 0) {
        return false;
    }
    buf_init(&bare, JID_BYTES_MAX);
    jid_write_bare(&bare, &jid);
    fits = slice_to_cstr(buf_slice(&bare), out, WHY_ADDRESS_BYTES);
    buf_deinit(&bare);
    return fits;
}

static int explain(const struct ctl *ctl, const struct question *asked)
{
    struct source source = {0};
    struct why way[2] = {0};
    struct out o;
    int status = EX_OK;

    if (!take_address(way[0].from, asked->from) || !take_address(way[0].to, asked->to)) {
        bool is_from = way[0].from[0] == 0;

        return out_fail(ctl, EX_DATAERR, "no address: %s",
                        quote(slice_from_cstr(is_from ? asked->from : asked->to)).text);
    }
    (void)snprintf(way[0].act, sizeof(way[0].act), "%s", asked->act);
    way[1] = way[0];
    memcpy(way[1].from, way[0].to, sizeof(way[1].from));
    memcpy(way[1].to, way[0].from, sizeof(way[1].to));
    if (asked->by_file) {
        status = load_file(ctl, &source.snapshot);
    }
    for (int i = 0; i < 2 && status == EX_OK; i++) {
        status = judge(ctl, &source, &way[i]);
    }
    if (status == EX_OK) {
        out_begin(&o);
        answer(ctl, &source, way, &o);
        status = out_end(&o, EX_OK);
    }
    snapshot_free(source.snapshot);
    return status;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    static const struct option options[] = {
        {"act", required_argument, NULL, 'a'},
        {"file", no_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    struct question asked = {.act = "message"};
    enum policy_act act;
    int option;

    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'a') {
            asked.act = optarg;
        } else if (option == 'f') {
            asked.by_file = true;
        } else {
            return out_usage(ctl, &cmd_why, "no such option, or one without its value");
        }
    }
    if (argc - optind != 2) {
        return out_usage(ctl, &cmd_why, "needs two addresses");
    }
    if (!policy_act_find(slice_from_cstr(asked.act), &act)) {
        return out_usage(ctl, &cmd_why,
                         "--act is one of message, subscribe, presence, notify, "
                         "consent, query, answer");
    }
    asked.from = argv[optind];
    asked.to = argv[optind + 1];
    return explain(ctl, &asked);
}

const struct ctl_command cmd_why = {
    .name = "why",
    .usage = "[--act ACT] [--file] FROM TO",
    .summary = "may these two talk, and which rule says so",
    .run = run,
};
