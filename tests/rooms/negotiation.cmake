# SPDX-License-Identifier: GPL-2.0-or-later
# doc/negotiation.table against policy's truth table and the manual page.
fg_unit(policy_negotiation SOURCES unit/policy/negotiation_test.c unit/policy/page.c
  NEEDS fg_policy fg_base)
if(TARGET policy_negotiation_test)
  target_compile_definitions(policy_negotiation_test PRIVATE
    FEDGATE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
endif()
