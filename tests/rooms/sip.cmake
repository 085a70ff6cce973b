# SPDX-License-Identifier: GPL-2.0-or-later
# Tests of proto/sip. The RFC 4475 messages are unpacked from the RFC's own archive. libosip2 is the
# second opinion; no part of the product uses it.
set(sip_torture_dir ${CMAKE_BINARY_DIR}/data/rfc4475)
set(sip_torture_archive ${CMAKE_CURRENT_SOURCE_DIR}/data/rfc4475/archive.b64)
add_custom_command(OUTPUT ${sip_torture_dir}/unpacked
  COMMAND ${CMAKE_COMMAND} -E make_directory ${sip_torture_dir}
  COMMAND sh -c "base64 -d \"$1\" | tar -xzf - -C \"$2\"" -- ${sip_torture_archive}
    ${sip_torture_dir}
  COMMAND ${CMAKE_COMMAND} -E touch ${sip_torture_dir}/unpacked
  DEPENDS ${sip_torture_archive}
  VERBATIM)
add_custom_target(sip_torture_data DEPENDS ${sip_torture_dir}/unpacked)

function(sip_with_torture name)
  if(TARGET ${name}_test)
    target_compile_definitions(${name}_test PRIVATE SIP_TORTURE_DIR="${sip_torture_dir}")
    add_dependencies(${name}_test sip_torture_data)
  endif()
endfunction()

fg_unit(sip_uri SOURCES unit/sip/uri_test.c NEEDS fg_sip)
fg_unit(sip_addr SOURCES unit/sip/addr_test.c NEEDS fg_sip)
fg_unit(sip_msg SOURCES unit/sip/msg_test.c NEEDS fg_sip)
fg_unit(sip_value SOURCES unit/sip/value_test.c NEEDS fg_sip)
fg_unit(sip_ipv6 SOURCES unit/sip/ipv6_test.c NEEDS fg_sip)
fg_unit(sip_framer SOURCES unit/sip/framer_test.c NEEDS fg_sip)
fg_unit(sip_write SOURCES unit/sip/write_test.c NEEDS fg_sip)
fg_unit(sip_ids SOURCES unit/sip/ids_test.c NEEDS fg_sip)
fg_unit(sip_checks SOURCES unit/sip/checks_test.c NEEDS fg_sip)
fg_unit(sip_options SOURCES unit/sip/options_test.c NEEDS fg_sip)
fg_unit(sip_dialog NEEDS fg_sip
  SOURCES unit/sip/dialog_test.c unit/sip/dialog_uas_test.c unit/sip/dialog_bounds_test.c)
fg_unit(sip_dialog_pack SOURCES unit/sip/dialog_pack_test.c unit/sip/dialog_play.c NEEDS fg_sip)
fg_unit(sip_event SOURCES unit/sip/event_test.c NEEDS fg_sip)
fg_unit(sip_event_view SOURCES unit/sip/event_view_test.c NEEDS fg_sip)
fg_unit(sip_merge SOURCES unit/sip/merge_test.c NEEDS fg_sip)
fg_unit(sip_txn_client SOURCES unit/sip/txn_client_test.c NEEDS fg_sip)
fg_unit(sip_txn_server SOURCES unit/sip/txn_server_test.c NEEDS fg_sip)
fg_unit(sip_txn_server_match SOURCES unit/sip/txn_server_match_test.c NEEDS fg_sip)
fg_unit(sip_txn_server_fault SOURCES unit/sip/txn_server_fault_test.c NEEDS fg_sip)
fg_unit(sip_txn_play SOURCES unit/sip/txn_play_test.c unit/sip/txn_play.c NEEDS fg_sip)
fg_unit(sip_torture SOURCES unit/sip/torture_test.c NEEDS fg_sip)
sip_with_torture(sip_torture)
if(FEDGATE_TESTS)
  fg_need_plain(OSIP osipparser2/osip_parser.h osipparser2 libosip2-dev)
endif()
fg_unit(sip_osip SOURCES unit/sip/osip_test.c NEEDS fg_sip PkgConfig::OSIP)
sip_with_torture(sip_osip)

fg_fuzz(sip_msg SOURCES fuzz/sip_msg_fuzz.c NEEDS fg_sip)
fg_fuzz(sip_uri SOURCES fuzz/sip_uri_fuzz.c NEEDS fg_sip)
fg_fuzz(sip_value SOURCES fuzz/sip_value_fuzz.c NEEDS fg_sip)
fg_fuzz(sip_stream SOURCES fuzz/sip_stream_fuzz.c NEEDS fg_sip)
fg_fuzz(sip_event SOURCES fuzz/sip_event_fuzz.c NEEDS fg_sip)
fg_fuzz(dialog SOURCES fuzz/dialog_fuzz.c unit/sip/dialog_play.c NEEDS fg_sip)
fg_fuzz(sip_txn SOURCES fuzz/sip_txn_fuzz.c unit/sip/txn_play.c NEEDS fg_sip)
if(TARGET sip_txn_fuzz)
  target_include_directories(sip_txn_fuzz PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/unit/sip)
  target_include_directories(dialog_fuzz PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/unit/sip)
endif()
