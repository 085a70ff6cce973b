/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf_pieces: of documents to be read, as string literals. */
#ifndef FG_TESTS_PIDF_PIECES_H
#define FG_TESTS_PIDF_PIECES_H

#define OPEN(id, more) "<tuple id='" id "'><status><basic>open</basic></status>" more "</tuple>"
#define CLOSED(id) "<tuple id='" id "'><status><basic>closed</basic></status></tuple>"
#define STATUS(id, more) "<tuple id='" id "'><status>" more "</status></tuple>"
#define PERSON(more) "<dm:person id='p'>" more "</dm:person>"
#define DOING(more) PERSON("<rpid:activities>" more "</rpid:activities>")

#endif
