/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_ground: a walk of `diagnose` without files, and what its print must be like. */
#ifndef FG_FUZZ_DIAGNOSE_GROUND_H
#define FG_FUZZ_DIAGNOSE_GROUND_H

#include "ctl/diagnose.h"
#include "xmpp_host.h"

static struct ctl ctl = {.config_path = "fedgate.conf"};
static const struct snapshot policy = {.gateway = {.stream_establishment_timeout_s = 60}};

static inline void set_out(struct diagnose *d, enum diagnose_direction direction)
{
    int err = jid_domain_to_ascii(SLICE_LIT("x.y"), &d->domain);

    ASSERT(err == 0);
    *d = (struct diagnose){.ctl = &ctl, .policy = &policy, .crypto = &fuzz_crypto,
                           .domain = d->domain, .has_secret = true, .part_count = 2,
                           .row = partner_row_at(16), .deadline_ms = diagnose_now_ms() + 2000};
    for (uint32_t i = 0; i < 2 * DIAGNOSE_STEP_COUNT; i++) {
        struct diagnose_part *part = &d->parts[i / DIAGNOSE_STEP_COUNT];

        part->direction = i < DIAGNOSE_STEP_COUNT ? direction : DIAGNOSE_IN;
        part->local = SLICE_LIT("a.b");
        buf_init(&part->results[i % DIAGNOSE_STEP_COUNT].seen, 1 << 16);
    }
    d->at = &d->parts[0];
}

static inline void check_print(const struct diagnose *d)
{
    struct out o = {0};

    buf_init(&o.text, 1 << 22);
    diagnose_print(d, &o, false);
    for (size_t i = 0; i < buf_len(&o.text); i++) {
        unsigned char c = (unsigned char)buf_slice(&o.text).ptr[i];

        ASSERT(c == '\n' || (c >= ' ' && c != 0x7f));
    }
    buf_clear(&o.text);
    jout_init(&o.json, &o.text, true);
    diagnose_print(d, &o, true);
    ASSERT(!o.text.failed);
    buf_deinit(&o.text);
}

#endif
