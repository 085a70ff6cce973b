# SPDX-License-Identifier: GPL-2.0-or-later
# The micro-benchmarks, one short round each: what they measure must be right. No time decides.
foreach(name IN ITEMS xml sip record mailbox translate presence)
  if(FEDGATE_TESTS AND TARGET ${name}_bench)
    add_test(NAME ${name}_bench COMMAND ${name}_bench 1 --check)
    set_tests_properties(${name}_bench PROPERTIES LABELS unit TIMEOUT 400)
  endif()
endforeach()
if(FEDGATE_TESTS AND TARGET partners_bench)
  add_test(NAME partners_bench COMMAND partners_bench 1000 1 --check)
  set_tests_properties(partners_bench PROPERTIES LABELS unit TIMEOUT 400)
endif()
