/* SPDX-License-Identifier: GPL-2.0-or-later */
/* revocation: what a context says about its revocation lists, for logs and figures. Any thread;
 * borrowed texts live as long as the context. */
#ifndef FG_TLS_REVOCATION_H
#define FG_TLS_REVOCATION_H

#include <stdbool.h>
#include <stdint.h>

struct tls_context;

struct tls_crl_info {
    const char *path;           /* borrowed: the file it came from */
    char issuer[128];           /* for people; escaped, cut */
    int64_t this_update_unix_s;
    int64_t next_update_unix_s; /* INT64_MAX = it does not say */
    uint32_t entry_count;
    bool is_newest;             /* of its issuer, key and scope */
};

uint32_t tls_context_crl_count(const struct tls_context *ctx);
/* Revoked certificates in the newest ones. */
uint64_t tls_context_crl_entry_count(const struct tls_context *ctx);
bool tls_context_crl_info(const struct tls_context *ctx, uint32_t idx, struct tls_crl_info *out);
/* The earliest of all newest lists; 0 = there is none that says. */
int64_t tls_context_crl_next_update_unix_s(const struct tls_context *ctx);

#endif
