# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(translate NEEDS fg_translate SOURCES
  unit/translate/address_test.c unit/translate/error_test.c
  unit/translate/message_in_test.c unit/translate/message_out_test.c)
fg_unit(presence_documents NEEDS fg_translate SOURCES unit/translate/presence_kit.c
  unit/translate/pidf_names_test.c unit/translate/pidf_peers_test.c
  unit/translate/pidf_read_test.c unit/translate/pidf_write_test.c
  unit/translate/presence_state_test.c)
fg_fuzz(translate SOURCES fuzz/translate_fuzz.c NEEDS fg_translate)
fg_fuzz(address SOURCES fuzz/address_fuzz.c NEEDS fg_translate)
fg_fuzz(message_out SOURCES fuzz/message_out_fuzz.c NEEDS fg_translate)
fg_fuzz(pidf SOURCES fuzz/pidf_fuzz.c NEEDS fg_translate)
fg_fuzz(rpid SOURCES fuzz/rpid_fuzz.c NEEDS fg_translate)
