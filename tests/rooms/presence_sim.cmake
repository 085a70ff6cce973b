# SPDX-License-Identifier: GPL-2.0-or-later
# The presence room between models of both worlds, with faults; see sim/presence_sim.h. More seeds:
# PRESENCE_SIM_SEEDS=10000; one of them: presence_sim --seed N --trace.
if(FEDGATE_TESTS)
  add_executable(presence_sim sim/presence_sim.c sim/presence_sim_wire.c sim/presence_sim_world.c
    sim/presence_sim_partner.c sim/presence_sim_pool.c sim/presence_sim_watcher.c
    sim/presence_sim_check.c sim/presence_sim_drill.c ${presence_fixture})
  target_include_directories(presence_sim PRIVATE unit/presence)
  target_link_libraries(presence_sim PRIVATE fg_presence fg_flags)
  if(FEDGATE_SANITIZE MATCHES address)
    target_sources(presence_sim PRIVATE ${CMAKE_SOURCE_DIR}/tests/lib/lsan.c)
  endif()
  add_test(NAME presence_sim COMMAND presence_sim)
  # Some seconds; 10,000 seeds under sanitizers on a busy machine take the better part of an hour.
  set_tests_properties(presence_sim PROPERTIES LABELS unit TIMEOUT 7200 COST 10)
endif()
