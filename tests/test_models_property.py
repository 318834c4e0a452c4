# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What holds for every model, on models of any shape; and the one verdict on damaged ones."""

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import efm3
from efm3 import format as fmt
from efm3 import reference
from efm3.convert.checked import convert
from efm3.scan import scan
from tests.oracle import accepts
from tests.strategies import FINITE, archs, damaged, files, tensors
from tests.test_bad_input import check
from tests.test_engine import BUDGET, needs_engine

# A whole model shrinks for minutes: the seed that is printed must do.
few = settings(max_examples=15, deadline=None, print_blob=True,
               phases=(Phase.explicit, Phase.reuse, Phase.generate),
               suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large,
                                      HealthCheck.function_scoped_fixture])


@few
@given(files())
def test_written_again_it_is_the_same(data):
    model = efm3.load(data)
    assert b"".join(model.parts(finite=False)) == data
    again = efm3.dumps(model.arch, model.tensors, finite=False, align=model.aligned,
                       mirror_extra={k: v for k, v in model.mirror.items()
                                     if k not in dict(fmt.MIRROR_KEYS)})
    assert efm3.load(again).mirror == model.mirror
    assert scan(again).data[-20:] == data[-20:]


@few
@given(files())
def test_nothing_is_found_and_the_spans_tile(data):
    report = efm3.validate(data, "coherence")
    assert report.ok
    # What is odd but legal (a 15x15 stem, a key that nobody knows) is said, and nothing else.
    assert {f.code[0] for f in report.findings} <= {"P", "M"}, report.findings
    scanned = scan(data)
    assert scanned.complete and accepts(data)
    assert [s.offset for s in scanned.spans()] == [0, *(
        s.offset + s.length for s in scanned.spans())][:-1]
    assert sum(s.length for s in scanned.spans()) == len(data)


@few
@given(files(), st.booleans())
def test_saved_and_by_way_of_numpy_it_is_the_same(tmp_path, data, first):
    source, middle, back = (tmp_path / n for n in ("a.bin", "a.npz", "b.bin"))
    source.write_bytes(data)
    model = efm3.load(source)
    model.save(back, finite=False)
    assert back.read_bytes() == data
    if all(np.isfinite(t).all() for t in model.tensors.values()):
        convert(source, middle, verify=False)
        convert(middle, back, verify=False)
        assert back.read_bytes() == data


@needs_engine
@few
@given(st.data())
def test_the_engine_computes_what_the_reference_does(data):
    arch = data.draw(archs(most_stages=3))
    model = efm3.load(efm3.dumps(arch, data.draw(tensors(arch, specials=()))))
    with efm3.Engine(model) as engine:
        assert engine.arch.header() == arch.header()
        x = np.random.default_rng(1).normal(size=(1, 3, 112, 112)).astype(np.float32)
        assert np.abs(engine.embed(x) - reference.forward(model, x)).max() <= BUDGET


@needs_engine
@few
@given(files())
def test_the_engine_takes_any_values(data):
    with efm3.Engine(data) as engine:
        out = engine.embed(np.ones((3, 112, 112), np.float32))
        assert out.shape == (engine.embedding_dim,)


@needs_engine
@settings(few, max_examples=60)
@given(damaged(files(FINITE)))
def test_damage_gets_one_verdict(data):
    check(data)
