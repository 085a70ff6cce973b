/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_scalar: the pass byte by byte, which defines what the vector versions do. */
#define FAST_TARGET
#define FAST_RUN xml_fast_scalar
#include "xml/fast_pass.h"
