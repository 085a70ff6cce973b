/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml_fault: which stream error answers XML that the parser refused (RFC 6120 4.9.3, 11; the
 * application condition of oversized elements is Prosody's and ejabberd's). Any thread.          */
#ifndef FG_XMPP_XML_FAULT_H
#define FG_XMPP_XML_FAULT_H

#include "xml/parser.h"
#include "xmpp/error.h"

/* *app: an application condition element, or NULL. */
static inline enum stream_condition xml_fault_condition(enum xml_why why, const char **app)
{
    *app = NULL;
    switch (why) {
    case XML_WHY_NONE:
    case XML_WHY_NOT_WELL_FORMED:
        return STREAM_CONDITION_NOT_WELL_FORMED;
    case XML_WHY_RESTRICTED:
        return STREAM_CONDITION_RESTRICTED_XML;
    case XML_WHY_UNSUPPORTED_ENCODING:
        return STREAM_CONDITION_UNSUPPORTED_ENCODING;
    case XML_WHY_TOO_BIG:
        *app = "<stanza-too-big xmlns=\"urn:xmpp:errors\"/>";
        return STREAM_CONDITION_POLICY_VIOLATION;
    case XML_WHY_NOMEM:
        return STREAM_CONDITION_RESOURCE_CONSTRAINT;
    }
    return STREAM_CONDITION_NOT_WELL_FORMED;
}

#endif
