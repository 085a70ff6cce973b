/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_osip: libosip2 decodes Via, From, To, Call-ID, CSeq, Record-Route, Content-Type and
 * Content-Length itself; Max-Forwards stays text among the other header fields. */
#include <osipparser2/osip_parser.h>
#include <stdlib.h>

#include "race.h"
#include "sip_bench.h"

void sip_bench_osip_init(void)
{
    RACE_MUST(parser_init() == 0);
}

static bool is_whole(const osip_message_t *m)
{
    osip_header_t *forwards = NULL;

    return (unsigned)osip_list_size(&m->vias) == SIP_BENCH_VIAS && m->from && m->to && m->req_uri &&
           m->call_id && m->cseq && m->content_type && osip_list_size(&m->record_routes) == 1 &&
           osip_message_header_get_byname(m, "max-forwards", 0, &forwards) >= 0 &&
           strtoul(forwards->hvalue, NULL, 10) == SIP_BENCH_FORWARDS;
}

bool sip_bench_osip(const char *bytes, size_t len)
{
    osip_message_t *m = NULL;
    bool ok;

    RACE_MUST(osip_message_init(&m) == 0);
    ok = osip_message_parse(m, bytes, len) == 0 && is_whole(m);
    osip_message_free(m);
    return ok;
}
