# SPDX-License-Identifier: GPL-2.0-or-later
# Certificates are made once per build directory (they are valid, or expired, for years).
set(tls_certs ${CMAKE_BINARY_DIR}/tests/tls-certs)
if(FEDGATE_TESTS)
  file(STRINGS ${CMAKE_SOURCE_DIR}/tests/unit/tls/certs.spec tls_specs)
  add_custom_command(OUTPUT ${tls_certs}/done
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${tls_certs}
    COMMAND ${CMAKE_SOURCE_DIR}/tests/lib/make_certs ${tls_certs} ${tls_specs}
    COMMAND ${CMAKE_COMMAND} -E touch ${tls_certs}/done
    DEPENDS ${CMAKE_SOURCE_DIR}/tests/lib/make_certs ${CMAKE_SOURCE_DIR}/tests/unit/tls/certs.spec
    COMMENT "Making test certificates" VERBATIM)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${CMAKE_SOURCE_DIR}/tests/unit/tls/certs.spec)
  add_custom_target(tls_certs DEPENDS ${tls_certs}/done)

  set(tls_unit ${CMAKE_SOURCE_DIR}/tests/unit/tls)
  fg_unit(tls_session SOURCES ${tls_unit}/session_test.c ${tls_unit}/data_test.c
    ${tls_unit}/hostile_test.c ${tls_unit}/hello_test.c
    ${tls_unit}/user_test.c ${tls_unit}/kernel_test.c ${tls_unit}/resume_test.c
    ${tls_unit}/pair.c NEEDS fg_tls)
  fg_unit(tls_names SOURCES ${tls_unit}/names_test.c ${tls_unit}/der_file.c NEEDS fg_tls)
  fg_unit(tls_chain SOURCES ${tls_unit}/chain_test.c ${tls_unit}/der_file.c NEEDS fg_tls)
  fg_unit(tls_crl SOURCES ${tls_unit}/crl_test.c ${tls_unit}/crl_help.c
    ${tls_unit}/der_file.c NEEDS fg_tls)
  fg_unit(tls_crl_live SOURCES ${tls_unit}/crl_live_test.c ${tls_unit}/crl_help.c
    ${tls_unit}/der_file.c NEEDS fg_tls)
  fg_unit(tls_context SOURCES ${tls_unit}/context_test.c NEEDS fg_tls)
  fg_unit(tls_threads SOURCES ${tls_unit}/threads_test.c NEEDS fg_tls)
  fg_unit(tls_openssl SOURCES ${tls_unit}/openssl_test.c
    ${tls_unit}/openssl_resume_test.c ${tls_unit}/openssl_peer.c ${tls_unit}/pair.c NEEDS fg_tls)
  # OpenSSL is the oracle of the primitives and of the key schedule; no part of the product uses it.
  fg_need(OPENSSL openssl libssl-dev)
  set(tls_kit ${tls_unit}/record_kit.c)
  set(tls_oracle ${tls_unit}/oracle.c)
  fg_unit(tls_record SOURCES ${tls_unit}/record_test.c ${tls_kit} NEEDS fg_tls)
  fg_unit(tls_record_hostile SOURCES ${tls_unit}/record_hostile_test.c ${tls_kit} NEEDS fg_tls)
  if(NOT FEDGATE_SANITIZE)
    fg_unit(tls_record_heap SOURCES ${tls_unit}/record_heap_test.c ${tls_kit} NEEDS fg_tls)
  endif()
  fg_unit(tls_aead SOURCES ${tls_unit}/aead_test.c ${tls_kit} ${tls_oracle}
    NEEDS fg_tls PkgConfig::OPENSSL)
  fg_unit(tls_schedule SOURCES ${tls_unit}/schedule_test.c ${tls_kit} ${tls_oracle}
    NEEDS fg_tls PkgConfig::OPENSSL)
  fg_unit(tls_control SOURCES ${tls_unit}/control_test.c ${tls_kit} NEEDS fg_tls)
  fg_threads_test(tls_aead_threads SOURCES ${tls_unit}/aead_threads_test.c ${tls_kit} ${tls_oracle}
    NEEDS fg_tls PkgConfig::OPENSSL)
  set_tests_properties(tls_threads PROPERTIES LABELS "unit;threads")
  fg_threads_test(tls_chain_threads SOURCES ${tls_unit}/chain_threads_test.c
    ${tls_unit}/der_file.c NEEDS fg_tls)
  fg_unit(edge_tls_facts SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/edge/tls_facts_test.c
    NEEDS fg_edge)
  foreach(test tls_session tls_openssl tls_names tls_chain tls_chain_threads tls_crl tls_crl_live
      tls_context tls_threads edge_tls_facts)
    add_dependencies(${test}_test tls_certs)
    target_compile_definitions(${test}_test PRIVATE TLS_CERTS="${tls_certs}")
  endforeach()
endif()
fg_fuzz(tls_names SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/tls_names_fuzz.c NEEDS fg_tls)
fg_fuzz(crl SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/crl_fuzz.c NEEDS fg_tls)
fg_fuzz(record_open SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/record_open_fuzz.c NEEDS fg_tls)
fg_fuzz(record_pair SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/record_pair_fuzz.c NEEDS fg_tls)
fg_fuzz(control SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/control_fuzz.c NEEDS fg_tls)
fg_fuzz(tls_records SOURCES ${CMAKE_SOURCE_DIR}/tests/fuzz/tls_records_fuzz.c NEEDS fg_tls)
