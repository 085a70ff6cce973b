# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(ctl NEEDS fg_ctl SOURCES unit/ctl/out_test.c)
fg_unit(admin NEEDS fg_edge SOURCES
  unit/edge/admin_place_test.c unit/edge/admin_request_test.c unit/edge/admin_test.c)
fg_unit(partner_diff NEEDS fg_policy SOURCES
  unit/policy/help.c unit/policy/partner_diff_test.c)
fg_fuzz(admin_request SOURCES fuzz/admin_request_fuzz.c NEEDS fg_edge)
fg_fuzz(ctl_reply SOURCES fuzz/ctl_reply_fuzz.c NEEDS fg_ctl)
fg_fuzz(ctl_path SOURCES fuzz/ctl_path_fuzz.c NEEDS fg_ctl)
