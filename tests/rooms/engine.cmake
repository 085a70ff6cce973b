# SPDX-License-Identifier: GPL-2.0-or-later
# Label "threads": what ThreadSanitizer is for (tsan preset: ctest -L threads). Criterion does not
# run under it: lib/tsan stands in.
function(fg_threads_test name)
  if(NOT FEDGATE_TESTS)
    return()
  endif()
  cmake_parse_arguments(T "" "" "SOURCES;NEEDS" ${ARGN})
  if(FEDGATE_SANITIZE MATCHES thread)
    add_executable(${name}_test ${T_SOURCES} ${CMAKE_CURRENT_SOURCE_DIR}/lib/tsan/main.c)
    target_include_directories(${name}_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/lib/tsan)
    target_link_libraries(${name}_test PRIVATE ${T_NEEDS} fg_flags Threads::Threads)
    add_test(NAME ${name} COMMAND ${name}_test)
  else()
    fg_unit(${name} SOURCES ${T_SOURCES} NEEDS ${T_NEEDS})
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "unit;threads" TIMEOUT 400)
endfunction()

set(machine ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine/machine.c)
set(puppet ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine/puppet.c)
fg_threads_test(engine_conn SOURCES unit/engine/conn_test.c ${puppet} ${machine}
  NEEDS fg_engine Threads::Threads)
fg_threads_test(engine_conn_end SOURCES unit/engine/conn_end_test.c ${puppet} ${machine}
  NEEDS fg_engine Threads::Threads)
fg_threads_test(engine_connect SOURCES unit/engine/connect_test.c ${machine}
  NEEDS fg_engine Threads::Threads)
fg_threads_test(engine_mailbox SOURCES unit/engine/mailbox_test.c ${machine}
  NEEDS fg_engine Threads::Threads)
fg_threads_test(engine_move SOURCES unit/engine/move_test.c ${machine}
  NEEDS fg_engine Threads::Threads)
fg_threads_test(engine_shard SOURCES unit/engine/shard_test.c ${machine}
  NEEDS fg_engine Threads::Threads)
fg_threads_test(engine_snapshot SOURCES unit/engine/snapshot_test.c ${machine}
  NEEDS fg_engine Threads::Threads)
set(tls_tests unit/engine/tls_test.c unit/engine/tls_raw_test.c
  ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine/tls_server.c)
fg_threads_test(engine_tls SOURCES ${tls_tests} ${machine} NEEDS fg_engine Threads::Threads)
fg_threads_test(engine_sent SOURCES unit/engine/sent_test.c ${machine}
  NEEDS fg_engine Threads::Threads)
if(FEDGATE_TESTS)
  foreach(name IN ITEMS engine_tls engine_sent)
    add_dependencies(${name}_test tls_certs)
    target_compile_definitions(${name}_test PRIVATE
      TLS_CERTS="${CMAKE_BINARY_DIR}/tests/tls-certs")
  endforeach()
endif()
fg_threads_test(engine_turn SOURCES unit/engine/turn_test.c ${machine}
  NEEDS fg_engine Threads::Threads)
fg_unit(engine_admission SOURCES unit/engine/admission_test.c NEEDS fg_engine)
set(sim sim/sim_io.c sim/sim_step.c sim/sim_tls.c)
fg_unit(engine_sim SOURCES sim/engine_sim_test.c ${sim} NEEDS fg_engine)
fg_unit(engine_handshake_sim SOURCES sim/handshake_sim_test.c ${sim} NEEDS fg_engine)
if(FEDGATE_TESTS)
  foreach(name IN ITEMS engine_sim engine_handshake_sim)
    add_dependencies(${name}_test tls_certs)
    target_compile_definitions(${name}_test PRIVATE TLS_CERTS="${CMAKE_BINARY_DIR}/tests/tls-certs")
  endforeach()
endif()
