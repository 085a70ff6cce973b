/* SPDX-License-Identifier: GPL-2.0-or-later */
/* certs: what the tool shows in TLS: one certificate for all partners' servers (a wildcard), or one
 * of its own for each domain, issued at the start by the test's CA so that no server can live on
 * one it has seen before. Whom the other side shows is reported, not judged.
 * certs_init and certs_free by the control thread; the others by any.                            */
#ifndef FG_LOAD_CERTS_H
#define FG_LOAD_CERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/crypto.h"
#include "load/plan.h"

struct tls_context;

/* 0, or an error and a line for people. */
NODISCARD int certs_init(const struct plan *plan, char *why, size_t why_bytes);
void certs_free(void);
/* A new reference: for what is dialled as that domain's server; NULL = its files cannot be read. */
struct tls_context *certs_client(uint32_t domain);
/* A new reference: for what is accepted. */
struct tls_context *certs_server(void);
const struct crypto *certs_crypto(void);

/* certs_issue.c: writes <folder>/<domain>.crt and .key for each of the plan's domains. */
NODISCARD bool certs_issue(const struct plan *plan, const char *folder, char *why,
                           size_t why_bytes);

#endif
