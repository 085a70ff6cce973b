/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_print: the walk as text and as JSON. The last line of the text, "verdict" of the
 * document, says which step fails in which direction. */
#include "ctl/diagnose.h"

static const char *direction_name(enum diagnose_direction direction)
{
    return direction == DIAGNOSE_OUT ? "out" : "in";
}

static void put_expanded(struct buf *out, const struct diagnose *d,
                         const struct diagnose_part *part, const char *text)
{
    struct buf plain;

    buf_init(&plain, (size_t)8 << 10);
    diagnose_expand(&plain, d, part->local, text);
    out_put_clean(out, buf_slice(&plain));
    buf_deinit(&plain);
}

/* ---- text ---- */

static void put_lines(struct out *o, const struct diagnose_result *r)
{
    struct slice rest = buf_slice(&r->seen);
    struct slice line;

    while (rest.len > 0) {
        bool is_last = !slice_cut(&rest, '\n', &line);

        buf_put_lit(&o->text, "             ");
        out_put_clean(&o->text, line);
        buf_putc(&o->text, '\n');
        if (is_last) {
            break;
        }
    }
}

static void put_fault(struct out *o, const struct diagnose *d, const struct diagnose_part *part,
                      const struct diagnose_result *r)
{
    const struct diagnose_fault_desc *f = &diagnose_faults[r->fault];

    if (r->fault == DIAGNOSE_FAULT_NONE) {
        return;
    }
    buf_printf(&o->text, "  -> %s%s: ", f->name, f->is_refusal ? " (a refusal)" : "");
    put_expanded(&o->text, d, part, f->means);
    buf_printf(&o->text, "\n  -> %s: ", diagnose_who_name(f->who));
    put_expanded(&o->text, d, part, f->remedy);
    buf_putc(&o->text, '\n');
}

static void put_part(struct out *o, const struct diagnose *d, const struct diagnose_part *part)
{
    buf_printf(&o->text, "%s: ", direction_name(part->direction));
    if (part->direction == DIAGNOSE_OUT) {
        buf_printf(&o->text, "%.*s dials %s\n", SLICE_FMT(part->local), d->domain.text);
    } else {
        buf_printf(&o->text, "%s dials %.*s\n", d->domain.text, SLICE_FMT(part->local));
    }
    for (uint32_t i = 0; i < DIAGNOSE_STEP_COUNT; i++) {
        const struct diagnose_result *r = &part->results[i];

        if (diagnose_steps[i].direction != part->direction) {
            continue;
        }
        buf_printf(&o->text, "  %-9s  %s: %s\n", diagnose_status_name(r->status),
                   diagnose_steps[i].name, diagnose_steps[i].title);
        put_lines(o, r);
        put_fault(o, d, part, r);
        out_spill(o);
    }
    buf_putc(&o->text, '\n');
}

/* ---- the verdict ---- */

static uint32_t failed_count(const struct diagnose *d)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < d->part_count; i++) {
        count += diagnose_part_has_failed(&d->parts[i]);
    }
    return count;
}

static uint32_t warning_count(const struct diagnose *d)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < d->part_count; i++) {
        for (uint32_t k = 0; k < DIAGNOSE_STEP_COUNT; k++) {
            count += d->parts[i].results[k].status == DIAGNOSE_WARNING;
        }
    }
    return count;
}

static void put_verdict(struct buf *out, const struct diagnose *d)
{
    uint32_t warnings = warning_count(d);
    bool is_first = true;

    if (failed_count(d) == 0) {
        buf_printf(out, "%s: every step holds, out and in", d->domain.text);
        if (warnings > 0) {
            buf_printf(out, "; %u warning%s", warnings, warnings == 1 ? "" : "s");
        }
        return;
    }
    buf_printf(out, "%s: ", d->domain.text);
    for (uint32_t i = 0; i < d->part_count; i++) {
        const struct diagnose_part *part = &d->parts[i];
        enum diagnose_step step = diagnose_first_failure(part);

        if (step == DIAGNOSE_STEP_COUNT) {
            continue;
        }
        buf_printf(out, "%s%s fails at step %s (%s)", is_first ? "" : "; ",
                   direction_name(part->direction), diagnose_steps[step].name,
                   diagnose_faults[part->results[step].fault].name);
        if (part->direction == DIAGNOSE_IN) {
            buf_printf(out, " for %.*s", SLICE_FMT(part->local));
        }
        is_first = false;
    }
}

/* ---- JSON ---- */

static void json_text(struct jout *j, const char *key, const struct diagnose *d,
                      const struct diagnose_part *part, const char *text)
{
    struct buf plain;

    buf_init(&plain, (size_t)8 << 10);
    diagnose_expand(&plain, d, part->local, text);
    jout_text(j, key, buf_slice(&plain));
    buf_deinit(&plain);
}

static void json_step(struct jout *j, const struct diagnose *d, const struct diagnose_part *part,
                      uint32_t step)
{
    const struct diagnose_result *r = &part->results[step];
    const struct diagnose_fault_desc *f = &diagnose_faults[r->fault];
    struct slice rest = buf_slice(&r->seen);
    struct slice line;

    jout_object(j, NULL);
    jout_cstr(j, "direction", direction_name(part->direction));
    jout_text(j, "local", part->local);
    jout_cstr(j, "step", diagnose_steps[step].name);
    jout_cstr(j, "status", diagnose_status_name(r->status));
    jout_list(j, "seen");
    while (rest.len > 0) {
        bool is_last = !slice_cut(&rest, '\n', &line);

        jout_text(j, NULL, line);
        if (is_last) {
            break;
        }
    }
    jout_end(j);
    if (r->fault == DIAGNOSE_FAULT_NONE) {
        jout_null(j, "fault");
    } else {
        jout_object(j, "fault");
        jout_cstr(j, "name", f->name);
        jout_bool(j, "is_refusal", f->is_refusal);
        json_text(j, "means", d, part, f->means);
        jout_cstr(j, "who", diagnose_who_name(f->who));
        json_text(j, "remedy", d, part, f->remedy);
        jout_end(j);
    }
    jout_end(j);
}

static void json_failures(struct jout *j, const struct diagnose *d)
{
    jout_list(j, "failures");
    for (uint32_t i = 0; i < d->part_count; i++) {
        const struct diagnose_part *part = &d->parts[i];
        enum diagnose_step step = diagnose_first_failure(part);

        if (step != DIAGNOSE_STEP_COUNT) {
            jout_object(j, NULL);
            jout_cstr(j, "direction", direction_name(part->direction));
            jout_text(j, "local", part->local);
            jout_cstr(j, "step", diagnose_steps[step].name);
            jout_cstr(j, "fault", diagnose_faults[part->results[step].fault].name);
            jout_end(j);
        }
    }
    jout_end(j);
}

static void print_json(const struct diagnose *d, struct out *o)
{
    struct jout *j = &o->json;
    struct buf verdict;

    buf_init(&verdict, (size_t)8 << 10);
    put_verdict(&verdict, d);
    jout_object(j, NULL);
    jout_text(j, "domain", jid_ascii_slice(&d->domain));
    jout_text(j, "partner", d->partner ? d->partner->domain : SLICE_NONE);
    jout_bool(j, "is_partner", d->partner != NULL);
    jout_u64(j, "row", d->row->number);
    jout_bool(j, "ok", failed_count(d) == 0);
    jout_text(j, "verdict", buf_slice(&verdict));
    json_failures(j, d);
    jout_u64(j, "domains_left_out", d->locals_left_out);
    jout_list(j, "steps");
    for (uint32_t i = 0; i < d->part_count; i++) {
        for (uint32_t step = 0; step < DIAGNOSE_STEP_COUNT; step++) {
            if (diagnose_steps[step].direction == d->parts[i].direction) {
                json_step(j, d, &d->parts[i], step);
            }
        }
    }
    jout_end(j);
    jout_end(j);
    buf_deinit(&verdict);
}

void diagnose_print(const struct diagnose *d, struct out *o, bool is_json)
{
    if (is_json) {
        print_json(d, o);
        return;
    }
    for (uint32_t i = 0; i < d->part_count; i++) {
        put_part(o, d, &d->parts[i]);
    }
    if (d->locals_left_out > 0) {
        buf_printf(&o->text, "%u more domains of ours were not looked at: name one with --from\n",
                   d->locals_left_out);
    }
    put_verdict(&o->text, d);
    buf_putc(&o->text, '\n');
}
