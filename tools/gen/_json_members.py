# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What each verb prints as JSON: the members, their types, what they mean.

A line of `rows` is PATH TYPE: WORDS. In a path `[]` is each entry of a list, and `{}` each value of
an object whose keys are data. A type is one of JSON's, several with |; `integer` is a number
without a fraction. `any` is what another page describes. A path that ends in ? may be absent.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A member: where it is, the types that it may have, what it means, and whether it may lack."""

    path: str
    types: tuple[str, ...]
    words: str
    optional: bool


class Form(NamedTuple):
    """What a verb prints: `schema` is a JSON Schema of `efm3 spec`, or `rows` say it."""

    rows: str = ""
    schema: str = ""
    note: str = ""

    def members(self) -> list[Row]:
        """The rows, parsed."""
        out = []
        for line in filter(str.strip, self.rows.splitlines()):
            head, _, words = line.strip().partition(": ")
            path, types = head.split(" ")
            out.append(Row(path.removesuffix("?"), tuple(types.split("|")), words,
                           path.endswith("?")))
        return out


_CODES = """
    {0}[].code string: its name
    {0}[].group string: what it is about, one of the pages' headings
    {0}[].severity string: error, warning or info; status for one of the engine
    {0}[].level string: structure, coherence or values for a rule, else empty
    {0}[].name string: a short name
    {0}[].what string: what is so
    {0}[].why string: why that matters
    {0}[].fix string: what to do
    {0}[].example string: a case that shows it
    {0}[].clause string: where the specification says it
"""
_ARCH = """
    arch object: the network's shape, as the mirror's keys of these names
    arch{} any: see spec/EFM3.md
"""
_LIBRARY = """
    {0}[].name string: the distribution
    {0}[].wanted string: its versions, as efm3's metadata states them
    {0}[].version string|null: what is installed; null for nothing
    {0}[].state string: ok, missing, old, broken, or untried
    {0}[].reason string|null: what its import raised
"""
_FINDING = """
    findings list: what contradicts; none where it is ok
    findings[] any: a finding, as in spec/report.schema.json
"""

FORMS: dict[str, Form] = {
    "inspect": Form(schema="inspect-schema"),
    "validate": Form(schema="report-schema", note="`--format jsonl` prints each report of it as a "
                     "line, `sarif` is SARIF 2.1.0."),
    "report": Form("""
    output string: the page
    size integer: its bytes
    ok boolean: every file is valid
    level string: how deep the files were checked
    files list: in the order of the arguments, those of a folder by name
    files[].source string: the file
    files[].size integer: its bytes
    files[].ok boolean: it could be read and has no error
    files[].unreadable string: why it could not be read, or empty
    files[].counts object: findings by severity
    files[].counts{} integer: how many
    """, note="`efm3 validate --format json` has the findings."),
    "explain": Form("codes list: the codes that were asked for, or all" + _CODES.format("codes")),
    "where": Form("""
    offset integer: the first byte of what was asked for
    asked.offset integer: the same
    asked.length integer: how many bytes that is
    field string: the field at the offset
    doc string: what the field holds
    start integer: its first byte
    length integer: its bytes
    value number|integer|string|boolean|null: its value, where it has one
    tensor string: the tensor, empty outside one
    shape list|null: its sides
    shape[] integer: a side, C order
    index list|null: the place of the value in it
    index[] integer: along each side
    byte integer|null: which of the value's four bytes this is
    layer object|null: the layer that the tensor is of
    layer{} any: as `layers` of `efm3 inspect --json`
    """),
    "spec": Form("""
    forms list: every text and form
    forms[].name string: for `efm3 spec NAME`
    forms[].path string: its file in the repository
    forms[].description string: what it is
    forms[].use string: how another program is given it, or empty
    """, note="`efm3 spec NAME --json` prints one of these with the member `text`; `rules` prints "
              "rows as `explain` does, in `rules`; a JSON Schema is printed as it is."),
    "layout": Form(_ARCH + """
    table_size integer: bytes of the tensor table
    tensors list: in stored order
    tensors[].number integer: from 0
    tensors[].name string: its name
    tensors[].shape list: its sides
    tensors[].shape[] integer: a side, C order
    tensors[].count integer: its float32 values
    tensors[].size integer: their bytes
    tensors[].offset integer: of the first value, from the byte after n_tensors
    """),
    "diff": Form("""
    diff_version integer: of this form
    a string: the one file
    b string: the other
    identical boolean: the same bytes
    elsewhere boolean: bytes differ that no list below has
    header list: fields that differ
    header[].path string: the field
    header[].a any: its value in A
    header[].b any: its value in B
    mirror list: keys that differ, as those of header
    mirror[].path string: the key
    mirror[].a any: its value in A
    mirror[].b any: its value in B
    tensors list: every tensor of either
    tensors[].name string: its name
    tensors[].state string: identical, different, other shape, only in A, only in B
    tensors[].count integer: its values
    tensors[].differing integer: of them, those that differ
    tensors[].non_finite integer: those that are no number in either
    tensors[].max_abs number|null: the largest difference
    tensors[].max_ulp integer|null: the same, in steps of float32
    tensors[].cosine number|null: of the two tensors
    """),
    "extract": Form("""
    file string: FILE
    tensor string: TENSOR
    output string: what was written
    dtype string: float32
    shape list: its sides
    shape[] integer: a side
    """),
    "embed": Form("""
    file string: FILE
    engine string: c, or numpy where the C engine was not built
    isa string|null: the instruction set of the C engine
    precision string: f32, high or fast
    embeddings list: an entry for each face, in the order of the pictures
    embeddings[].path string: the picture
    embeddings[].embedding list|null: its numbers, of length 1; null for an error
    embeddings[].embedding[] number: one of them
    embeddings[].notes list: what was done to the picture
    embeddings[].notes[]? string: such a thing
    embeddings[].error? string: the code
    embeddings[].reason? string: what is wrong
    embeddings[].face? integer: with --align: which of the picture, from 0
    embeddings[].box? list: with --align: left, top, right, bottom
    embeddings[].box[]? number: pixels
    embeddings[].points? list: with --align: x and y of eyes, nose, corners of the mouth
    embeddings[].points[]? number: pixels
    embeddings[].score? number: with --align: how sure the detector is
    """, note="With `-o` these are `embed --json`'s members below, and the embeddings are in OUT."),
    "embed -o": Form("""
    file string: FILE
    output string: OUT
    pictures integer: that this run took
    faces integer: embeddings of this run
    errors object: rows without one, by code
    errors{}? integer: how many
    left_out object: what was found in folders and is no picture
    left_out{}? integer: how many
    unread integer: archives and folders that could not be read to the end
    manifest object|null: of the table, as `efm3.bulk.embed` returns it; null for X.json
    manifest{}? any: see docs/bulk.md
    """),
    "compare": Form("""
    file string: FILE
    engine string: c or numpy
    precision string: f32, high or fast
    a? string: of two pictures, the one
    b? string: the other
    similarity? number: their cosine
    pictures? list: of more than two
    pictures[]? string: each
    similarities? list: a row for each picture
    similarities[]? list: a number for each picture
    similarities[][]? number: the cosine
    threshold number: above it, one person
    threshold_from string: given, meta or rule_of_thumb
    rule_of_thumb number: the threshold where the file states none
    """),
    "faces": Form("""
    detector string: what found them
    photos list: in the order of the arguments
    photos[] any: see docs/photos.md
    """),
    "eval": Form(note="[docs/evaluation.md](evaluation.md) has the members."),
    "search": Form("""
    index list: the tables
    index[] string: a table
    model string: the model's digest
    rows integer: of the tables
    queries list: in the order of the arguments; none with -o
    queries[].query string: the picture
    queries[].face integer: which of it
    queries[].error string|null: the code, where it has no embedding
    queries[].reason string|null: what is wrong
    queries[].hits list: the most similar first
    queries[].hits[].row integer: of the tables together, from 0
    queries[].hits[].path string: the picture
    queries[].hits[].face integer: which of it
    queries[].hits[].similarity number: the cosine
    """),
    "cluster": Form("""
    index list: the tables
    index[] string: a table
    model string: the model's digest
    rows integer: of the tables
    threshold number: above it, one person
    threshold_from string: given, meta or rule_of_thumb
    linkage string: complete or average
    clusters integer: how many
    alone integer: faces in none
    without_embedding integer: rows that are no face
    sizes list: the largest first
    sizes[] integer: faces
    """),
    "dedupe": Form("""
    index list: the tables
    index[] string: a table
    threshold number: above it, nearly the same
    pictures integer: that were compared
    left_out integer: without an embedding
    copies integer: in all groups
    groups list: pictures that are nearly the same
    groups[].keep string: the one that is kept
    groups[].copies list: the others
    groups[].copies[].path string: a picture
    groups[].copies[].similarity number: to the one that is kept
    """),
    "train": Form("""
    run string: the folder
    file string|null: the weight file; null where the run was stopped
    sha256 string|null: its digest
    steps integer: that were done
    epochs number: the same
    scores object: on pairs that training did not see
    scores{}? any: see docs/training.md
    max_error number|null: of the file beside its checkpoint
    stopped string|null: why
    """),
    "draw": Form("""
    kind string: sheet, images, cache or pairs
    out string: OUT
    pictures integer: how many
    identities integer: how many
    seconds number: that it took
    drawn object: what the pictures follow from
    drawn{} any: see docs/drawn.md
    """, note="`draw speed` prints `device`, `threads`, `pictures`, `per_second` and "
              "`per_cpu_second`."),
    "verify": Form("""
    file string: FILE
    ok boolean: all is within what is allowed
    tolerance number: of float32
    against? string: with --against: SOURCE
    framework? string: what ran it
    outcomes list: of float32, each instruction set
    outcomes[].isa string: its name
    outcomes[].max_error number|string: of a component; a word for what is no number
    outcomes[].mean_cosine number|string: to the reference
    outcomes[].min_cosine number|string: the least
    outcomes[].ok boolean: within the tolerance
    outcomes[].stray object|null: the first layer that differs
    outcomes[].stray{}? any: layer, max_error, budget, guess
    precisions? list: those below f32, each on each instruction set
    precisions[].isa? string: the instruction set
    precisions[].precision? string: high or fast
    precisions[].arithmetic? string: what pointwise layers ran in
    precisions[].weight_bytes? integer: memory of the weights
    precisions[].max_error? number|string: of a component
    precisions[].mean_cosine? number|string: on drawn pictures
    precisions[].min_cosine? number|string: the least, which decides
    precisions[].constant_cosine? number|string: of pictures without a face
    precisions[].ok? boolean: as promised
    """),
    "convert": Form("""
    source string: IN
    target string: OUT
    from_format string: IN's
    to_format string: OUT's
    beside string: a second file that was written, or empty
    size integer: OUT's bytes
    turned boolean: the network takes its picture turned by 180 degrees
    assumed list: what IN does not say
    assumed[]? string: such a thing
    check object|null: OUT beside IN; null with --no-verify
    check.source? string: what ran IN
    check.result? string: what ran OUT
    check.max_error? number: of a component
    check.min_cosine? number: the least
    check.tolerance? number: what was allowed
    check.verified? boolean: it shows that OUT is right
    """ + _ARCH),
    "bench": Form("""
    file string: FILE
    isa string: the instruction set
    precision string: f32, high or fast
    threads integer: that shared a batch
    batch integer: pictures of a pass
    runs integer: passes
    min_ms number: the fastest pass
    median_ms number: half were faster
    p99_ms number: of a hundred, one was slower
    peak_gmac_per_s number: the core's float32, times the threads
    percent_of_peak number: what the fastest pass reached
    layers? list: with --layers, in order
    layers[].layer? string: its name
    layers[].arithmetic? string: what it ran in
    layers[].macs? integer: multiply-adds
    layers[].us? number: microseconds
    layers[].percent_of_peak? number: of one core
    """),
    "new": Form("""
    file string: OUT
    size integer: its bytes
    sha256 string: of the whole file
    seed integer: of the weights
    """),
    "seal": Form("""
    file string: what was written
    sha256 string: of the tensor table, as the mirror has it now
    aligned boolean: tensors are 4-byte aligned
    size integer: its bytes
    """),
    "examples": Form("""
    folder string: DIR
    files list: what is there now
    files[].path string: the file
    files[].bytes integer: its size
    files[].written boolean: false where it was there already
    """),
    "config": Form("""
    file string|null: where settings were found
    settings object: each by its key
    settings{}.value any: what holds
    settings{}.from string: default, or the file
    """),
    "doctor": Form("""
    ok boolean: nothing is broken
    quick boolean: nothing was tried
    package.version string: of efm3
    package.location string: of the package; ~ is the home folder, here and below
    package.how string: installed, editable or not installed
    python.version string: of Python
    python.implementation string: CPython or another
    python.executable string|null: its path
    python.venv boolean: in a virtual environment
    python.free_threaded boolean: built without the GIL
    python.bits integer: 64 or 32
    python.optimize integer: 1 for -O, 2 for -OO
    platform.system string: Linux, Darwin, Windows or another
    platform.release string: its version
    platform.machine string: the processor's family
    platform.libc string|null: the C library, where it is known
    platform.byte_order string: little or big
    libraries list: that efm3 always needs
    """ + _LIBRARY.format("libraries") + """
    engine.state string: works, untried, absent or broken
    engine.file string|null: the extension
    engine.reason string|null: why it does not work
    engine.version string|null: its own
    engine.isas object: instruction sets that it has, and whether this machine does
    engine.isas{}? boolean: this one
    engine.isa string|null: the one that is taken
    engine.asked_isa string|null: what MFN_ISA says
    engine.precisions object: what each precision computes in
    engine.precisions{}? string: f32, bf16, i16 or i8
    engine.checks list: a small network beside the reference
    engine.checks[].isa? string: on this instruction set
    engine.checks[].max_error? number|string: of a component
    engine.checks[].ok? boolean: within the tolerance
    threads.cores integer: that this process may use
    threads.settings object: variables that numpy's libraries read
    threads.settings{}? string: as set by whoever called, not by efm3
    extras list: each extra
    extras[].name string: its name
    extras[].installed boolean: all of it is there
    extras[].install string: how to get it
    extras[].libraries list: what it brings
    """ + _LIBRARY.format("extras[].libraries") + """
    folders list: where efm3 writes what nobody named
    folders[].purpose string: temporary, state, bytecode or working
    folders[].path string|null: the folder
    folders[].writable boolean: files can be made there
    folders[].free_bytes integer|null: room that is left
    folders[].reason string|null: why it cannot be used
    config.file string|null: of settings, in or above the working folder
    config.reason string|null: why it cannot be used
    streams list: standard input, output and error
    streams[].name string: stdin, stdout or stderr
    streams[].encoding string|null: null where there is none
    streams[].errors string|null: what is done with other characters
    streams[].terminal boolean: somebody watches
    terminal.file_names string: the encoding of names
    terminal.utf8_mode boolean: Python's -X utf8
    terminal.columns integer: its width
    terminal.settings object: variables that concern it
    terminal.settings{}? string: as set
    terminal.colours boolean|null: standard output gets colours
    problems list: what is broken
    problems[].what? string: what
    problems[].fix? string: what mends it
    notes list: what else may matter
    notes[]? string: such a thing
    """),
    "completion": Form("""
    shell string: SHELL
    script string: what the shell reads
    """),
    "conformance run": Form(schema="run-schema"),
    "conformance list": Form("""
    cases list: those that the WORDs name
    cases[] any: a case, as its .json in the exported kit: spec/conformance.md
    """),
    "conformance export": Form("""
    index_version integer: of this form
    efm3 string: the version
    count integer: cases
    negative integer: of them, those that are to be refused
    digest string: of the set
    cases list: each
    cases[] any: id, kind, level, and digests of its files: spec/conformance.md
    large list: cases that were left out for their size
    large[]? any: the same, with the digest of the recipe
    """),
    "conformance scaffold": Form("""
    kind string: reader, exporter, editor or engine
    language string: as --lang
    folder string: DIR
    files list: what was written
    files[] string: a path
    build string: the command that builds it, or empty
    run string: the command that tests it
    """),
    "conformance statement": Form(schema="statement-schema", note="It has no option: a statement "
                                  "is JSON."),
    "conformance verify-statement": Form("""
    ok boolean: nothing contradicts it
    rerun object|null: with --rerun: what was run again
    rerun.seed? integer: the sample's
    rerun.ran? integer: cases that were run
    rerun.cases? integer: of so many
    rerun.broken? boolean: the program itself does not work
    rerun.claims? list: what was run again
    rerun.claims[]? string: in words
    rerun.implementation? object: what the program calls itself
    rerun.implementation{}? any: name, version, language, classes
    """ + _FINDING),
    "conformance table": Form("""
    table_version integer: of this form
    worth string: what the table does not show
    mixed boolean: the statements are of several sets of cases
    sets list: each set
    sets[].kit string: the kit's version
    sets[].set string: the set's digest
    sets[].own boolean: it is this kit's
    sets[].implementations list: each
    sets[].implementations[] any: what its statements say, by class, level and precision
    """),
    "conformance diff": Form("""
    agree boolean: on every file
    files integer: that were tried
    found list: files on which they do not
    found[].words? string: what each says
    found[].case? string: the file, as a case of the kit
    """),
}
"""Verb to what it prints. `help` prints none."""
