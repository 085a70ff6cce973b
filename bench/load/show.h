/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show: presence stanzas (RFC 6121 3, 4) of a flow, as the partner's server writes them, and what
 * is demanded of those that the measured server sends. The state with a number is available, its
 * status the payload (payload.h), so that the number and every byte of the text are checked
 * whatever the server translated them from; show and priority are the translation's affair.
 *   <presence from='u00007@p00003.fan.test/home' to='u00007@app.corp.test' id='s00007-0000000042'>
 *   <show>away</show><status>00007:0000000042:shall we ...</status><priority>5</priority>
 *   </presence>
 * A user without number yet is available without status. Any thread; no memory, no state. */
#ifndef FG_LOAD_SHOW_H
#define FG_LOAD_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "load/plan.h"
#include "xml/xml.h"

#define SHOW_TEXT_BYTES_MAX 1023u /* servers may cut longer ones */

/* text_bytes: of a payload. number: 1 + that of the state, 0 = none yet. */
void show_write(struct buf *out, const struct plan *plan, uint32_t flow, uint64_t number,
                uint32_t text_bytes);
/* "subscribe", "subscribed", "unsubscribe", "unsubscribed": between bare addresses. */
void show_write_type(struct buf *out, const struct plan *plan, uint32_t flow, const char *type);

enum show_finding {
    SHOW_NUMBER,  /* available, with a number */
    SHOW_INITIAL, /* available, without */
    SHOW_UNAVAILABLE,
    SHOW_SUBSCRIBE,
    SHOW_SUBSCRIBED,
    SHOW_UNSUBSCRIBE,
    SHOW_UNSUBSCRIBED,
    SHOW_PROBE,
    SHOW_ERROR, /* number as above: of the stanza that came back, where it says so */
    SHOW_OTHER, /* no presence */
    SHOW_DAMAGED,
};
/* From the inside user of a flow to the partner's. *flow is set but for OTHER and DAMAGED; *what:
 * the part that is wrong, static, with DAMAGED. */
enum show_finding show_check(const struct plan *plan, const struct xml_tree *t, uint32_t text_bytes,
                             uint32_t *flow, uint64_t *number, const char **what);

#endif
