/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose: the tables, and the record of what was seen. */
#include "ctl/diagnose.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/log.h"
#include "base/pool.h"

STATIC_ASSERT(DIAGNOSE_STEP_COUNT <= 64, "a fault's steps are bits");

const struct diagnose_step_desc diagnose_steps[DIAGNOSE_STEP_COUNT] = {
#define DIAGNOSE_STEP(name, direction, text, title)                                                \
    [DIAGNOSE_##name] = {DIAGNOSE_##direction, text, title},
#include "ctl/diagnose.def"
#undef DIAGNOSE_STEP
};

#define S(step) (1ull << DIAGNOSE_##step)
const struct diagnose_fault_desc diagnose_faults[DIAGNOSE_FAULT_COUNT] = {
    [DIAGNOSE_FAULT_NONE] = {"", DIAGNOSE_US, false, 0, "", ""},
#define DIAGNOSE_FAULT(name, text, who, refusal, steps, means, remedy)                             \
    [DIAGNOSE_FAULT_##name] = {text, DIAGNOSE_##who, refusal, steps, means, remedy},
#include "ctl/diagnose.def"
#undef DIAGNOSE_FAULT
};
#undef S

const char *diagnose_status_name(enum diagnose_status status)
{
    static const char *const names[] = {"not tried", "skipped", "ok", "warning", "failed"};

    return names[status];
}

const char *diagnose_who_name(enum diagnose_who who)
{
    static const char *const names[] = {"we", "the partner", "we or the partner"};

    return names[who];
}

/* ---- recording ---- */

static struct diagnose_result *result_of(struct diagnose *d, enum diagnose_step step)
{
    ASSERT(step < DIAGNOSE_STEP_COUNT && diagnose_steps[step].direction == d->at->direction);
    return &d->at->results[step];
}

void diagnose_seen(struct diagnose *d, enum diagnose_step step, const char *fmt, ...)
{
    struct diagnose_result *r = result_of(d, step);
    size_t before = buf_len(&r->seen);
    va_list args;

    if (r->line_count >= DIAGNOSE_LINES_MAX) {
        return; /* bounded; the first ones tell most */
    }
    r->line_count++;
    if (r->line_count == DIAGNOSE_LINES_MAX) {
        buf_put_lit(&r->seen, "... and more\n");
        return;
    }
    va_start(args, fmt);
    buf_vprintf(&r->seen, fmt, args);
    va_end(args);
    if (buf_len(&r->seen) == before) {
        return; /* nothing was said, or there is no room for it */
    }
    if (buf_len(&r->seen) - before > DIAGNOSE_LINE_BYTES) {
        buf_truncate(&r->seen, before + DIAGNOSE_LINE_BYTES);
        buf_put_lit(&r->seen, "...");
    }
    for (char *c = r->seen.data + r->seen.head + before; c < r->seen.data + r->seen.tail; c++) {
        if (*c == '\n') {
            *c = ' '; /* one line each, whatever it says */
        }
    }
    buf_putc(&r->seen, '\n');
}

static void worsen(struct diagnose *d, enum diagnose_step step, enum diagnose_status status,
                   enum diagnose_fault fault)
{
    struct diagnose_result *r = result_of(d, step);

    if (status > r->status) {
        r->status = status;
        r->fault = fault;
    }
}

void diagnose_set(struct diagnose *d, enum diagnose_step step, enum diagnose_status status)
{
    ASSERT(status == DIAGNOSE_OK || status == DIAGNOSE_SKIPPED);
    worsen(d, step, status, DIAGNOSE_FAULT_NONE);
}

void diagnose_warn(struct diagnose *d, enum diagnose_step step, enum diagnose_fault fault)
{
    ASSERT(diagnose_faults[fault].steps & 1ull << step);
    worsen(d, step, DIAGNOSE_WARNING, fault);
}

void diagnose_fail(struct diagnose *d, enum diagnose_step step, enum diagnose_fault fault)
{
    ASSERT(diagnose_faults[fault].steps & 1ull << step);
    worsen(d, step, DIAGNOSE_FAILED, fault);
}

void diagnose_block(struct diagnose *d, enum diagnose_step step, enum diagnose_fault fault)
{
    struct diagnose_result *r = result_of(d, step);

    ASSERT(diagnose_faults[fault].steps & 1ull << step);
    if (r->status == DIAGNOSE_NOT_TRIED) {
        r->fault = fault;
    }
}

void diagnose_forgive_walk(struct diagnose *d)
{
    for (uint32_t i = DIAGNOSE_OUT_HEADER; i <= DIAGNOSE_OUT_STANZA; i++) {
        if (d->at->results[i].status == DIAGNOSE_FAILED) {
            d->at->results[i].status = DIAGNOSE_WARNING;
        }
    }
}

static bool is_bad(const struct diagnose_result *r)
{
    return r->status == DIAGNOSE_FAILED ||
           (r->status == DIAGNOSE_NOT_TRIED && r->fault != DIAGNOSE_FAULT_NONE);
}

enum diagnose_step diagnose_first_failure(const struct diagnose_part *part)
{
    uint32_t i = 0;

    while (i < DIAGNOSE_STEP_COUNT && !is_bad(&part->results[i])) {
        i++;
    }
    return (enum diagnose_step)i;
}

bool diagnose_part_has_failed(const struct diagnose_part *part)
{
    return diagnose_first_failure(part) != DIAGNOSE_STEP_COUNT;
}

void diagnose_deinit(struct diagnose *d)
{
    for (uint32_t i = 0; i < d->part_count; i++) {
        for (uint32_t k = 0; k < DIAGNOSE_STEP_COUNT; k++) {
            buf_deinit(&d->parts[i].results[k].seen);
        }
    }
    diagnose_dns_free(d->dns);
    tls_context_unref(d->tls_bare);
    explicit_bzero(&d->secret, sizeof(d->secret));
}

/* ---- time, text ---- */

uint64_t diagnose_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t diagnose_left_ms(const struct diagnose *d, uint64_t ms)
{
    uint64_t now = diagnose_now_ms();
    uint64_t left = d->deadline_ms > now ? d->deadline_ms - now : 0;

    return left < ms ? left : ms;
}

static bool expand_one(struct buf *out, struct slice *text, const char *word, struct slice value)
{
    if (!slice_starts(*text, slice_from_cstr(word))) {
        return false;
    }
    buf_put(out, value);
    *text = slice_from(*text, strlen(word));
    return true;
}

void diagnose_expand(struct buf *out, const struct diagnose *d, struct slice local,
                     const char *text)
{
    struct slice rest = slice_from_cstr(text);

    while (rest.len > 0) {
        if (!expand_one(out, &rest, "{partner}", jid_ascii_slice(&d->domain)) &&
            !expand_one(out, &rest, "{local}", local) &&
            !expand_one(out, &rest, "{config}", slice_from_cstr(d->ctl->config_path))) {
            buf_putc(out, rest.ptr[0]);
            rest = slice_from(rest, 1);
        }
    }
}
