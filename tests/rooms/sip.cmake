# SPDX-License-Identifier: GPL-2.0-or-later
# Tests of proto/sip. The RFC 4475 messages are unpacked from the RFC's own archive.
set(sip_torture_dir ${CMAKE_BINARY_DIR}/data/rfc4475)
add_custom_command(OUTPUT ${sip_torture_dir}/unpacked
  COMMAND ${CMAKE_COMMAND} -E make_directory ${sip_torture_dir}
  COMMAND sh -c "base64 -d ${CMAKE_CURRENT_SOURCE_DIR}/data/rfc4475/archive.b64 | tar -xzf - -C ${sip_torture_dir} && touch ${sip_torture_dir}/unpacked"
  DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/data/rfc4475/archive.b64
  VERBATIM)
add_custom_target(sip_torture_data DEPENDS ${sip_torture_dir}/unpacked)

set(sip_units addr checks framer ids merge msg options torture txn_client txn_server uri value write)
foreach(unit IN LISTS sip_units)
  fg_unit(sip_${unit} SOURCES unit/sip/${unit}_test.c NEEDS fg_sip)
  if(TARGET sip_${unit}_test)
    target_compile_definitions(sip_${unit}_test PRIVATE
      SIP_TORTURE_DIR="${sip_torture_dir}")
    add_dependencies(sip_${unit}_test sip_torture_data)
  endif()
endforeach()
