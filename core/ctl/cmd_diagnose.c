/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_diagnose: which step on the way to a partner, or on its way to us, fails. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/err.h"
#include "base/pool.h"
#include "ctl/ctl.h"
#include "ctl/diagnose.h"
#include "ctl/out.h"
#include "edge/setup.h"
#include "io/ktls.h"
#include "policy/quote.h"

struct wishes {
    const char *domain;
    const char *from; /* NULL = the first domain dials, all are looked at */
    uint32_t timeout_s;
};

static int read_timeout(const struct ctl *ctl, const char *text, struct wishes *w)
{
    uint64_t value;

    if (!slice_parse_u64(slice_from_cstr(text), &value) || value == 0 ||
        value > DIAGNOSE_TIMEOUT_S_MAX) {
        return out_usage(ctl, &cmd_diagnose, "--timeout: 1 to %u seconds, not %s",
                         DIAGNOSE_TIMEOUT_S_MAX, quote(slice_from_cstr(text)).text);
    }
    w->timeout_s = (uint32_t)value;
    return EX_OK;
}

static int read_options(const struct ctl *ctl, int argc, char **argv, struct wishes *w)
{
    static const struct option options[] = {{"from", required_argument, NULL, 'f'},
                                            {"timeout", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    int status;
    int c;

    *w = (struct wishes){.timeout_s = DIAGNOSE_TIMEOUT_S};
    optind = 0;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'f':
            w->from = optarg;
            break;
        case 't':
            status = read_timeout(ctl, optarg, w);
            if (status != EX_OK) {
                return status;
            }
            break;
        default:
            return out_usage(ctl, &cmd_diagnose, "no such option, or its value is missing");
        }
    }
    if (optind != argc - 1) {
        return out_usage(ctl, &cmd_diagnose, "one domain");
    }
    w->domain = argv[optind];
    return EX_OK;
}

/* ---- setting out ---- */

static int fail_load(const struct ctl *ctl, const struct config_report *report)
{
    for (uint32_t i = 0; i < report->count; i++) {
        const struct config_problem *p = &report->problems[i];

        if (!p->is_warning) {
            return out_fail(ctl, EX_CONFIG, "%s:%u:%u: %s: %s (%u in all: fedgatectl check)",
                            ctl->config_path, p->line, p->column, p->path, p->text,
                            report->error_count);
        }
    }
    return out_fail(ctl, EX_CONFIG, "%s cannot be loaded", ctl->config_path);
}

/* An error of the configuration is not a step of the walk: nothing can be said with it. */
static int load(const struct ctl *ctl, struct setup **setup)
{
    struct setup_params params = {.config_path = ctl->config_path, .secret = ""};
    struct config_report report = {0};
    struct ktls_caps kernel = {0};
    int status = EX_OK;

    ktls_probe(&kernel);
    params.kernel = &kernel;
    if (setup_load(setup, &params, &report) != 0) {
        status = fail_load(ctl, &report);
    }
    config_report_deinit(&report);
    return status;
}

/* Trust without credentials: to look at ourselves as a stranger does. */
static int bare_context(struct diagnose *d, struct tls_error *why)
{
    struct tls_context_params params = {
        .trust_path = d->policy->trust_path,
        .crl_path = d->policy->crl_path,
        .crl_required = d->policy->crl_required,
    };

    return tls_context_new(&d->tls_bare, tls_backend_find(d->policy->tls_backend), &params, why);
}

static struct diagnose_part *add_part(struct diagnose *d, enum diagnose_direction direction,
                                      struct slice local)
{
    struct diagnose_part *part = &d->parts[d->part_count++];

    part->direction = direction;
    part->local = local;
    for (uint32_t i = 0; i < DIAGNOSE_STEP_COUNT; i++) {
        buf_init(&part->results[i].seen,
                 (size_t)DIAGNOSE_LINES_MAX * (DIAGNOSE_LINE_BYTES + 8) + TLS_NAMES_BYTES);
    }
    return part;
}

/* Of ours that this is about: one out, one or all in. */
static int add_parts(struct diagnose *d, const struct wishes *w)
{
    const struct snapshot *s = d->policy;
    struct jid_ascii from;

    if (w->from) {
        if (jid_domain_to_ascii(slice_from_cstr(w->from), &from) != 0 ||
            !snapshot_domain(s, jid_ascii_slice(&from))) {
            return out_fail(d->ctl, EX_USAGE, "--from: %s is not one of our domains",
                            quote(slice_from_cstr(w->from)).text);
        }
        (void)add_part(d, DIAGNOSE_OUT, snapshot_domain(s, jid_ascii_slice(&from))->name);
        (void)add_part(d, DIAGNOSE_IN, d->parts[0].local);
        return EX_OK;
    }
    if (s->domain_count == 0) {
        return out_fail(d->ctl, EX_CONFIG, "%s: no domain of ours to talk for (\"domains\")",
                        d->ctl->config_path);
    }
    (void)add_part(d, DIAGNOSE_OUT, s->domains[0].name);
    for (uint32_t i = 0; i < s->domain_count && i < DIAGNOSE_LOCALS_MAX; i++) {
        (void)add_part(d, DIAGNOSE_IN, s->domains[i].name);
    }
    d->locals_left_out =
        s->domain_count > DIAGNOSE_LOCALS_MAX ? s->domain_count - DIAGNOSE_LOCALS_MAX : 0;
    return EX_OK;
}

static int set_out(struct diagnose *d, const struct wishes *w, const struct setup *setup)
{
    struct slice secret = setup->policy->gateway.dialback_secret;
    struct tls_error why = {0};
    int err;

    d->policy = setup->policy;
    d->tls = setup->tls;
    d->crypto = setup->crypto;
    d->deadline_ms = diagnose_now_ms() + (uint64_t)w->timeout_s * 1000;
    d->partner = snapshot_partner(d->policy, jid_ascii_slice(&d->domain));
    d->row = d->partner ? d->partner->row
                        : partner_row_find(PARTNER_LEVEL_REQUIRED, PARTNER_LEVEL_REQUIRED, true);
    d->has_secret = secret.len > 0;
    if (d->has_secret) {
        dialback_secret_init(&d->secret, d->crypto, slice_from_cstr(setup->secret));
    }
    err = bare_context(d, &why);
    if (err) {
        return out_fail(d->ctl, EX_CONFIG, "%s: %s", d->ctl->config_path, why.text);
    }
    err = diagnose_dns_new(d);
    if (err) {
        return out_fail(d->ctl, EX_OSERR, "DNS: %s", err_text(err));
    }
    return add_parts(d, w);
}

static int status_of(const struct diagnose *d)
{
    if (!d->partner) {
        return EX_NOINPUT;
    }
    for (uint32_t i = 0; i < d->part_count; i++) {
        if (diagnose_part_has_failed(&d->parts[i])) {
            return EX_UNAVAILABLE;
        }
    }
    return EX_OK;
}

/* A partner that keeps us waiting does not take the time of the way back. */
static int walk(struct diagnose *d)
{
    uint64_t deadline_ms = d->deadline_ms;
    struct diagnose_figures before = diagnose_node_figures(d);
    struct out o;

    d->at = &d->parts[0];
    d->deadline_ms -= diagnose_left_ms(d, UINT64_MAX) / 3;
    diagnose_out(d);
    d->deadline_ms = deadline_ms;
    diagnose_in(d, &before);
    out_begin(&o);
    diagnose_print(d, &o, d->ctl->is_json);
    return out_end(&o, status_of(d));
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct wishes wishes;
    struct setup *setup = NULL;
    struct diagnose *d;
    const char *fault;
    int status = read_options(ctl, argc, argv, &wishes);

    if (status != EX_OK) {
        return status;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* c-ares writes to TCP connections that servers closed */
    d = pool_heap_zalloc(sizeof(*d));
    d->ctl = ctl;
    fault = jid_domain_fault(slice_from_cstr(wishes.domain));
    if (fault || jid_domain_to_ascii(slice_from_cstr(wishes.domain), &d->domain) != 0) {
        status = out_fail(ctl, EX_USAGE, "%s: %s", quote(slice_from_cstr(wishes.domain)).text,
                          fault ? fault : "not a domain");
    }
    status = status == EX_OK ? load(ctl, &setup) : status;
    if (status == EX_OK) {
        status = set_out(d, &wishes, setup);
        status = status == EX_OK ? walk(d) : status;
    }
    diagnose_deinit(d);
    setup_free(setup);
    pool_heap_free(d);
    return status;
}

const struct ctl_command cmd_diagnose = {
    .name = "diagnose",
    .usage = "DOMAIN [--from LOCAL] [--timeout SECONDS]",
    .summary = "walks to a partner and back and says which step fails",
    .run = run,
};
