/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan: names of the partners. The options: options.c. */
#include "load/plan.h"

#include <stdio.h>
#include <string.h>

#include "load/payload.h"

void plan_partner(const struct plan *p, uint32_t domain, char out[PLAN_NAME_BYTES])
{
    (void)snprintf(out, PLAN_NAME_BYTES, "p%05u.%s", (unsigned)domain, p->suffix);
}

bool plan_partner_number(const struct plan *p, const char *name, size_t len, uint32_t *domain)
{
    static const size_t head = 2 + PAYLOAD_FLOW_DIGITS; /* "p00007." */
    uint64_t number;

    if (len != head + strlen(p->suffix) || name[0] != 'p' || name[head - 1] != '.' ||
        memcmp(name + head, p->suffix, len - head) != 0 ||
        !payload_take_digits(name + 1, PAYLOAD_FLOW_DIGITS, &number) || number >= p->domains) {
        return false;
    }
    *domain = (uint32_t)number;
    return true;
}
