# SPDX-License-Identifier: GPL-2.0-or-later
# The xml room's tests. expat is their oracle; no part of the product uses it.
fg_need(EXPAT expat libexpat1-dev)
set(xml_kit unit/xml/dump.c unit/xml/gen.c unit/xml/oracle.c)
set(xml_needs fg_xml fg_base PkgConfig::EXPAT)

fg_unit(xml_parser SOURCES unit/xml/parser_test.c ${xml_kit} NEEDS ${xml_needs})
fg_unit(xml_strict SOURCES unit/xml/strict_test.c ${xml_kit} NEEDS ${xml_needs})
fg_unit(xml_limits SOURCES unit/xml/limits_test.c ${xml_kit} NEEDS ${xml_needs})
fg_unit(xml_diff SOURCES unit/xml/diff_test.c ${xml_kit} NEEDS ${xml_needs})
fg_unit(xml_document SOURCES unit/xml/document_test.c ${xml_kit} NEEDS ${xml_needs})
fg_unit(xml_writer SOURCES unit/xml/writer_test.c unit/xml/canon.c ${xml_kit}
        NEEDS ${xml_needs})
fg_unit(xml_tree SOURCES unit/xml/tree_test.c unit/xml/scan_test.c ${xml_kit} NEEDS ${xml_needs})
fg_unit(xml_ns_name SOURCES unit/xml/ns_name_test.c ${xml_kit} NEEDS ${xml_needs})
fg_unit(xml_canonical SOURCES unit/xml/canonical_test.c unit/xml/canon.c ${xml_kit}
        NEEDS ${xml_needs})
fg_fuzz(xml SOURCES fuzz/xml_fuzz.c ${xml_kit} NEEDS ${xml_needs})
fg_fuzz(xml_document SOURCES fuzz/xml_document_fuzz.c ${xml_kit} NEEDS ${xml_needs})
fg_fuzz(xml_writer SOURCES fuzz/xml_writer_fuzz.c unit/xml/canon.c ${xml_kit}
        NEEDS ${xml_needs})
if(FEDGATE_FUZZ)
  foreach(target xml_fuzz xml_document_fuzz xml_writer_fuzz)
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/unit/xml)
  endforeach()
endif()
