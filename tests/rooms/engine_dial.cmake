# SPDX-License-Identifier: GPL-2.0-or-later
set(dial_scene ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine/dial_scene.c
  ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine/name_server.c
  ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine/machine.c)
fg_unit(engine_dial TIMEOUT 400 SOURCES unit/engine/dial_test.c ${dial_scene}
  NEEDS fg_engine Threads::Threads)
fg_unit(engine_dial_tls SOURCES unit/engine/dial_tls_test.c ${dial_scene}
  NEEDS fg_engine Threads::Threads)
if(FEDGATE_TESTS)
  # The certificates of the TLS room's tests (rooms/tls.cmake).
  add_dependencies(engine_dial_tls_test tls_certs)
  target_compile_definitions(engine_dial_tls_test PRIVATE
    TLS_CERTS="${CMAKE_BINARY_DIR}/tests/tls-certs")
endif()
