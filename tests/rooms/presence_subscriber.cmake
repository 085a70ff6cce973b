# SPDX-License-Identifier: GPL-2.0-or-later
# The subscription machine of direction in, on the fixture of presence.cmake.
function(fg_subscriber_test name source)
  fg_unit(presence_${name} NEEDS fg_presence SOURCES
    unit/presence/${source} unit/presence/subscriber_help.c ${presence_fixture})
endfunction()

fg_subscriber_test(subscriber_cells subscriber_cells_test.c)
fg_subscriber_test(subscriber_reasons subscriber_reasons_test.c)
fg_subscriber_test(subscriber_vectors subscriber_vectors_test.c)
fg_subscriber_test(subscriber_time subscriber_time_test.c)
fg_subscriber_test(subscriber_later subscriber_later_test.c)
fg_subscriber_test(subscriber_listen subscriber_listen_test.c)
fg_subscriber_test(subscriber_end subscriber_end_test.c)
fg_subscriber_test(subscriber_start subscriber_start_test.c)
fg_subscriber_test(subscriber_store subscriber_store_test.c)
fg_subscriber_test(subscriber_hostile subscriber_hostile_test.c)

fg_unit(presence_subscriber_play NEEDS fg_presence SOURCES
  unit/presence/subscriber_play_test.c unit/presence/subscriber_play.c ${presence_fixture})
fg_fuzz(presence_subscriber NEEDS fg_presence SOURCES
  fuzz/presence_subscriber_fuzz.c unit/presence/subscriber_play.c ${presence_fixture})
if(TARGET presence_subscriber_fuzz)
  target_include_directories(presence_subscriber_fuzz PRIVATE
    ${CMAKE_CURRENT_SOURCE_DIR}/unit/presence)
endif()
