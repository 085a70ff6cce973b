/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply: a judged plan as changes of a configuration's text (policy/edit.h): of the one it was held
 * against, or of "{}", which makes a fragment.
 * Threads: one. */
#ifndef FG_IMPORT_APPLY_H
#define FG_IMPORT_APPLY_H

#include "import/plan.h"
#include "policy/edit.h"

/* e: begun over the document that the plan was judged with. 0; ERR_CONFIG with e->why. Texts that
 * the edit takes live in the plan's arena: the plan goes after the edit. */
NODISCARD int import_plan_apply(const struct import_plan *p, struct edit *e);

#endif
