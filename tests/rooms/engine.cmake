# SPDX-License-Identifier: GPL-2.0-or-later
# Label "threads": what ThreadSanitizer is for (tsan preset: ctest -L threads).
set(machine ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine/machine.c)
foreach(part conn mailbox move shard snapshot)
  fg_unit(engine_${part}
    SOURCES unit/engine/${part}_test.c ${machine}
    NEEDS fg_engine Threads::Threads)
endforeach()
if(FEDGATE_TESTS)
  set_tests_properties(engine_mailbox engine_move engine_snapshot PROPERTIES LABELS "unit;threads")
endif()
