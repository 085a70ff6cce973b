/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gateway: Get-CsXmppGatewayConfiguration, one object. */
#include "import/plan_int.h"

/* The passphrase keys dialback between the nodes of one deployment; the old one's end with the
 * export, which holds it in the clear. */
static void leave_passphrase(struct import_record *r)
{
    uint32_t node = import_member(r->tree, r->node, "DialbackPassphrase");

    if (node != IMPORT_NONE && r->tree->nodes[node].value != IMPORT_NIL) {
        import_note(r, IMPORT_IGNORES,
                    "DialbackPassphrase is not taken over: nobody else needs the old one, and the "
                    "export holds it in the clear (delete the file). A new one is made: by each "
                    "node at its start, or write gateway.dialback_secret when several nodes serve "
                    "the same domains");
    }
    if (node != IMPORT_NONE) {
        import_mapped(r->plan, SLICE_LIT("DialbackPassphrase"), "");
    }
}

void import_gateway(struct import_record *r)
{
    static const char *const apart[] = {"Identity", "DialbackPassphrase", "dialback_secret",
                                        "DialbackSecret", NULL};
    struct import_plan *p = r->plan;
    struct props props;
    uint32_t given;

    r->object = "gateway settings";
    props_init(&props, SECTION_gateway, p->arena);
    leave_passphrase(r);
    import_set_all(r, &props, &given, "gateway.", apart);
    if (p->has_gateway && !r->is_refused) {
        bool is_same = props_eq(&props, &p->gateway);

        import_note(r, is_same ? IMPORT_IGNORES : IMPORT_REFUSES,
                    is_same ? "were exported twice, with the same values"
                            : "were exported twice, with different values; leave one file out");
        return;
    }
    p->has_gateway = true;
    p->gateway = props;
    p->gateway_given = given;
    p->gateway_place = r->place;
    p->gateway_action = r->is_refused ? IMPORT_DROPPED : IMPORT_ADDS;
}
