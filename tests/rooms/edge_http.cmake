# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(edge_http NEEDS fg_edge SOURCES unit/edge/http_test.c unit/edge/logger_test.c)
