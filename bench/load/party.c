/* SPDX-License-Identifier: GPL-2.0-or-later */
/* party: the kinds there are. */
#include "load/party.h"

#include <string.h>

const struct party_kind *party_find(const char *name)
{
    static const struct party_kind *const kinds[] = {&party_s2s, &party_component, &party_tls,
                                                    &party_tcp, &party_sip, &party_presence,
                                                    &party_notify};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}
