# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(policy_edit NEEDS fg_policy SOURCES
  unit/policy/edit_random_test.c unit/policy/edit_test.c
  unit/policy/props_test.c)
fg_fuzz(edit SOURCES fuzz/edit_fuzz.c NEEDS fg_policy)
fg_fuzz(props SOURCES fuzz/props_fuzz.c NEEDS fg_policy)
