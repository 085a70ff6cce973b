/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_rest: the thread's list of expanded keys. Private to the record engine. */
#ifndef FG_TLS_RECORD_REST_H
#define FG_TLS_RECORD_REST_H

#include "tls/record.h"

/* Makes the expanded key of a resting side. ERR_NOMEM. */
COLD NODISCARD int record_expand(struct record_side *side);

#endif
