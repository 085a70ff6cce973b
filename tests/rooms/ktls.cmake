# SPDX-License-Identifier: GPL-2.0-or-later
# fg_uml(name SOURCES ... NEEDS ...): a test program for tests/ktls, which runs it in
# user-mode-linux. Not a ctest: the host has another kernel. Criterion's arena lies beyond the
# guest's address space, so lib/tsan stands in for it, as under ThreadSanitizer.
function(fg_uml name)
  if(NOT FEDGATE_TESTS OR FEDGATE_SANITIZE)
    return()
  endif()
  cmake_parse_arguments(T "" "" "SOURCES;NEEDS" ${ARGN})
  add_executable(uml_${name}_test EXCLUDE_FROM_ALL ${T_SOURCES}
    ${CMAKE_CURRENT_SOURCE_DIR}/lib/tsan/main.c)
  target_include_directories(uml_${name}_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/lib/tsan
    ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine)
  target_link_libraries(uml_${name}_test PRIVATE ${T_NEEDS} fg_flags Threads::Threads)
  target_compile_definitions(uml_${name}_test PRIVATE
    TLS_CERTS="${CMAKE_BINARY_DIR}/tests/tls-certs")
  add_dependencies(uml_${name}_test tls_certs)
  add_dependencies(uml_tests uml_${name}_test)
endfunction()

if(FEDGATE_TESTS AND NOT FEDGATE_SANITIZE)
  add_custom_target(uml_tests)
endif()
set(machine ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine/machine.c)
fg_uml(io SOURCES ${io_tests} NEEDS fg_io PkgConfig::URING Threads::Threads)
fg_uml(ktls_io SOURCES ktls/io_test.c NEEDS fg_io fg_tls)
fg_uml(engine_conn NEEDS fg_engine
  SOURCES unit/engine/conn_test.c unit/engine/conn_end_test.c unit/engine/puppet.c ${machine})
fg_uml(engine_move SOURCES unit/engine/move_test.c ${machine} NEEDS fg_engine)
fg_uml(engine_tls NEEDS fg_engine
  SOURCES unit/engine/tls_test.c unit/engine/tls_raw_test.c unit/engine/tls_server.c ${machine})
fg_uml(ktls_engine SOURCES ktls/engine_test.c ktls/peer.c ${machine}
  NEEDS fg_engine PkgConfig::OPENSSL)
if(TARGET uml_ktls_engine_test)
  target_compile_definitions(uml_ktls_engine_test PRIVATE
    ON_KERNEL=1 HAS_TLS13=1 BACKEND="wolfssl")
endif()

# The same tests on the host, for the user record engine and each library.
foreach(backend wolfssl mbedtls)
  fg_unit(tls_engine_${backend} SOURCES ktls/engine_test.c ktls/peer.c ${machine}
    NEEDS fg_engine PkgConfig::OPENSSL)
  if(FEDGATE_TESTS)
    string(COMPARE EQUAL ${backend} wolfssl has_tls13)
    target_include_directories(tls_engine_${backend}_test PRIVATE
      ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine)
    target_compile_definitions(tls_engine_${backend}_test PRIVATE
      ON_KERNEL=0 HAS_TLS13=${has_tls13} BACKEND="${backend}"
      TLS_CERTS="${CMAKE_BINARY_DIR}/tests/tls-certs")
    add_dependencies(tls_engine_${backend}_test tls_certs)
  endif()
endforeach()
