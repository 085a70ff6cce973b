/* SPDX-License-Identifier: GPL-2.0-or-later */
/* out: sentences, documents, mistakes. */
#include "ctl/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/utf8.h"

#define SPILL_BYTES ((size_t)1 << 20)
#define FAIL_BYTES  ((size_t)64 << 10)

void out_put_clean(struct buf *out, struct slice text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t from = at;
        uint32_t c;

        if (!utf8_next(text, &at, &c)) {
            at = from + 1;
            buf_printf(out, "\\x%02x", (unsigned char)text.ptr[from]);
        } else if (utf8_is_harmless(c)) {
            buf_append(out, text.ptr + from, at - from);
        } else {
            buf_printf(out, "\\u{%x}", (unsigned)c);
        }
    }
}

void out_put_count(struct buf *out, int64_t count, const char *noun)
{
    buf_printf(out, "%ld %s%s", count, noun, count == 1 ? "" : "s");
}

/* False: not all of it. An empty buffer has no bytes to point to. */
static bool print(FILE *to, const struct buf *text)
{
    struct slice bytes = buf_slice(text);

    return bytes.len == 0 || fwrite(bytes.ptr, 1, bytes.len, to) == bytes.len;
}

/* On stderr for people; with --json, on stdout for the program that asked. */
static void say_mistake(const struct ctl *ctl, struct slice text)
{
    struct buf line;
    struct jout j;

    buf_init(&line, FAIL_BYTES);
    buf_put_lit(&line, "fedgatectl: ");
    out_put_clean(&line, text);
    buf_putc(&line, '\n');
    (void)print(stderr, &line);
    if (ctl->is_json) {
        buf_clear(&line);
        jout_init(&j, &line, true);
        jout_object(&j, NULL);
        jout_text(&j, "error", text);
        jout_end(&j);
        (void)print(stdout, &line);
    }
    buf_deinit(&line);
}

int out_fail(const struct ctl *ctl, int status, const char *fmt, ...)
{
    struct buf text;
    va_list args;

    buf_init(&text, FAIL_BYTES);
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    say_mistake(ctl, buf_slice(&text));
    buf_deinit(&text);
    return status;
}

void ctl_print_usage(const struct ctl_command *cmd, FILE *to)
{
    const char *form = cmd->usage;
    const char *lead = "usage:";

    for (;;) {
        size_t len = strcspn(form, "\n");

        (void)fprintf(to, "%s fedgatectl %s%s%.*s\n", lead, cmd->name, len ? " " : "", (int)len,
                      form);
        if (form[len] == 0) {
            break;
        }
        form += len + 1;
        lead = "      ";
    }
}

int out_usage(const struct ctl *ctl, const struct ctl_command *cmd, const char *fmt, ...)
{
    struct buf text;
    va_list args;

    buf_init(&text, FAIL_BYTES);
    buf_printf(&text, "%s: ", cmd->name);
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    say_mistake(ctl, buf_slice(&text));
    buf_deinit(&text);
    ctl_print_usage(cmd, stderr);
    return EX_USAGE;
}

void out_begin(struct out *o)
{
    *o = (struct out){0};
    buf_init(&o->text, POOL_BLOCK_BYTES_MAX);
    jout_init(&o->json, &o->text, true);
}

static void write_out(struct out *o)
{
    struct slice text = buf_slice(&o->text);

    if (o->text.failed) {
        o->err = ERR_LIMIT;
    } else if (o->err == 0 && text.len > 0 &&
               fwrite(text.ptr, 1, text.len, stdout) != text.len) {
        o->err = -errno;
    }
    buf_clear(&o->text);
}

void out_spill(struct out *o)
{
    if (o->text.failed || buf_len(&o->text) >= SPILL_BYTES) {
        write_out(o);
    }
}

int out_end(struct out *o, int status)
{
    write_out(o);
    buf_deinit(&o->text);
    if (fflush(stdout) != 0 && o->err == 0) {
        o->err = -errno;
    }
    if (o->err != 0) {
        (void)fprintf(stderr, "fedgatectl: not all of the answer could be written: %s\n",
                      err_text(o->err));
        return EX_IOERR;
    }
    return status;
}
