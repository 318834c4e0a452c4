# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Why training data is refused."""

ROWS = (
    ("F020", "error", "", "no-data",
     "The data does not exist: a missing path, or a text that names no source.",
     "Training needs pictures with identities.",
     "give a folder of folders, a .rec file, shards, a cache or synth:SEED:IDENTITIES:SHOTS"),
    ("F021", "error", "", "rec",
     "A damaged .rec file.",
     "The records after the damage would be read as other pictures.",
     "fetch the file again, with its .idx"),
    ("F022", "error", "", "idx",
     "A damaged .idx file.",
     "Its offsets would point into other records.",
     "fetch it again, or leave it out: the records are then found one by one"),
    ("F023", "error", "", "shards",
     "Shards that are missing or damaged, or a shards.json that contradicts them.",
     "An epoch would lack samples unnoticed.",
     "fetch the shards again; check the pattern"),
    ("F024", "error", "", "cache",
     "A cache whose two files do not fit together, or are damaged.",
     "Pictures would get other identities.",
     "create it again: `efm3 draw cache`"),
    ("F025", "error", "", "undecodable",
     "No picture, or none of a thousand in a row, can be decoded.",
     "Single broken pictures are skipped; this many mean another format.",
     "check that these are pictures that Pillow reads"),
)
