# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(policy NEEDS fg_policy fg_translate SOURCES
  unit/policy/access_error_test.c unit/policy/address_test.c unit/policy/bad_file_test.c
  unit/policy/config_error_test.c unit/policy/config_file_test.c unit/policy/config_random_test.c
  unit/policy/config_test.c unit/policy/decide_test.c unit/policy/help.c unit/policy/json_test.c
  unit/policy/list_file_test.c unit/policy/manual_test.c unit/policy/names_test.c unit/policy/page.c
  unit/policy/partner_test.c unit/policy/snapshot_test.c unit/policy/suffix_test.c
  unit/policy/text_test.c unit/policy/users_test.c)
if(TARGET policy_test)
  # page.c reads doc/man/fedgate.conf.5.
  target_compile_definitions(policy_test PRIVATE FEDGATE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
endif()
fg_fuzz(config SOURCES fuzz/config_fuzz.c NEEDS fg_policy)
fg_fuzz(list_file SOURCES fuzz/list_file_fuzz.c NEEDS fg_policy)
