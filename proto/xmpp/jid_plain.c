/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_plain: byte by byte, for machines without better means; and the choice. */
#include "xmpp/jid_plain.h"

#include "xmpp/jid_plain_pass.h"

static const struct jid_plain *forced; /* by tests, before there are threads */

static void mark(const char *text, size_t len, struct jid_marks *out)
{
    *out = (struct jid_marks){0};
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool is_other = jid_pass_is_other(c);
        bool is_no_local = c == ' ' || c == '"' || c == '&' || c == '\'' || c == '/' || c == ':' ||
                           c == '<' || c == '>' || c == '@' || ascii_is_upper(c);
        bool is_domain = (c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '-' || c == '.';

        out->at |= (uint64_t)(c == '@') << i;
        out->slash |= (uint64_t)(c == '/') << i;
        out->dot |= (uint64_t)(c == '.') << i;
        out->dash |= (uint64_t)(c == '-') << i;
        out->not_local |= (uint64_t)(is_other || is_no_local) << i;
        out->not_domain |= (uint64_t)!is_domain << i;
        out->not_resource |= (uint64_t)is_other << i;
    }
}

static bool split_scalar(struct slice text, struct jid *out)
{
    struct jid_marks m;

    mark(text.ptr, text.len < JID_PLAIN_BYTES_MAX ? text.len : JID_PLAIN_BYTES_MAX, &m);
    return text.len > 0 && jid_pass_split(&m, text, out);
}

static bool domain_scalar(struct slice domain)
{
    struct jid_marks m;

    if (domain.len >= JID_PLAIN_BYTES_MAX) {
        return false;
    }
    mark(domain.ptr, domain.len, &m);
    return jid_pass_is_domain(&m, domain.ptr, 0, domain.len);
}

const struct jid_plain jid_plain_scalar = {"scalar", split_scalar, domain_scalar};

const struct jid_plain *jid_plain_best(void)
{
    if (forced) {
        return forced;
    }
#if defined(__x86_64__)
    /* Two tests of a word in memory: the C library's start has asked the processor. */
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? &jid_plain_avx2
                                                                            : &jid_plain_sse2;
#else
    return &jid_plain_scalar;
#endif
}

void jid_plain_use(const struct jid_plain *means)
{
    forced = means;
}

bool jid_plain_split(struct slice text, struct jid *out)
{
    return jid_plain_best()->split(text, out);
}

bool jid_plain_domain(struct slice domain)
{
    return jid_plain_best()->domain(domain);
}
