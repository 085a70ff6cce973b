/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import_print: an import's plan for people and as JSON. One thread. */
#ifndef FG_CTL_IMPORT_PRINT_H
#define FG_CTL_IMPORT_PRINT_H

#include "ctl/out.h"
#include "import/plan.h"

/* What comes over, what does not, what warns; refusals last. */
void import_print_people(const struct import_plan *p, struct out *o);
/* Members of the open object: files, partners, gateway, policies, blocked, maps, ignored_members,
 * notes, refused. */
void import_print_json(const struct import_plan *p, struct out *o);

#endif
