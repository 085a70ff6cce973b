# SPDX-License-Identifier: GPL-2.0-or-later
# Tests of proto/presence. fixture: the room's world as a script, also for simulations. puppet: the
# machines replaced, for tests of what lies below them; its objects are linked before the library,
# which then does not contribute its own.
set(presence_fixture unit/presence/fixture.c unit/presence/fixture_ops.c)
set(presence_puppet unit/presence/puppet.c ${presence_fixture})

fg_unit(presence_table SOURCES unit/presence/table_test.c ${presence_puppet} NEEDS fg_presence)
fg_unit(presence_hear SOURCES unit/presence/hear_test.c ${presence_puppet} NEEDS fg_presence)
fg_unit(presence_authorise SOURCES unit/presence/authorise_test.c ${presence_puppet}
  NEEDS fg_presence)
fg_unit(presence_pace SOURCES unit/presence/pace_test.c ${presence_puppet} NEEDS fg_presence)
# Of engine.cmake.
fg_threads_test(presence_paces SOURCES unit/presence/paces_test.c NEEDS fg_presence)
fg_unit(presence_row SOURCES unit/presence/row_test.c ${presence_puppet} NEEDS fg_presence)
fg_unit(presence_admin SOURCES unit/presence/admin_test.c ${presence_puppet} NEEDS fg_presence)
fg_unit(presence_review SOURCES unit/presence/review_test.c ${presence_puppet} NEEDS fg_presence)
fg_unit(presence_memory SOURCES unit/presence/memory_test.c ${presence_fixture} NEEDS fg_presence)
fg_unit(presence_loop SOURCES unit/presence/loop_test.c ${presence_fixture} NEEDS fg_presence)
fg_unit(presence_room SOURCES unit/presence/room_play_test.c unit/presence/room_play.c
  ${presence_fixture} NEEDS fg_presence TIMEOUT 300)
fg_fuzz(presence SOURCES fuzz/presence_fuzz.c unit/presence/room_play.c ${presence_fixture}
  NEEDS fg_presence)
if(TARGET presence_fuzz)
  target_include_directories(presence_fuzz PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/unit/presence)
endif()
