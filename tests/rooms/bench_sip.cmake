# SPDX-License-Identifier: GPL-2.0-or-later
# The SIP side of the load generator; the room is there where OpenSSL is.
if(TARGET fg_load)
  fg_unit(load_sip SOURCES unit/load/sip_form_test.c NEEDS fg_load)
endif()
