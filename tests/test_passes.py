"""Every pass preserves meaning, is idempotent and leaves a valid DAG, on random networks; what fuse-output declines."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnlang.compiler import structure
from nnlang.lower import ENTRIES, Lowered, lower
from nnlang.network import Activation, ErrorFunction, Loss, Network, Optimizer, Sparseness, Training
from nnlang.ops import Op, Walk, dump, topological
from nnlang.passes import PIPELINE, optimise
from nnlang.runtime.interpreter import Evaluated
from nnlang.runtime.reference import forward
from nnlang.runtime.reference_training import Progress, train_step
from nnlang.verify import verify
from tests.conftest import Golden
from tests.drawn import SEED, cases, filled, interpreted, thinned, trainings
from tests.networks import build, hidden, output, source
from tests.oracle_cases import Case, Data, loss_cases, structure_cases
from tests.programs import distance, logical, masks, program_of

PLAIN = Training(optimizer=Optimizer.SGD, alpha=1.0, lambda_=0.0)
BOUND = 1e-12


def same(found: Evaluated, expected: Evaluated) -> None:
    """Equal results and equal states, each tensor within BOUND of its length."""
    assert found.results.keys() == expected.results.keys() and found.states.keys() == expected.states.keys()
    for kind in ("results", "states"):
        for number, value in getattr(expected, kind).items():
            other = getattr(found, kind)[number]
            gap = float((other - value).norm()) / max(float(value.norm()), 1e-3)
            assert other.shape == value.shape and gap <= BOUND, (kind, number, gap)


def check(case: Case, entry: str, training: Training) -> None:
    """The property of all passes on one entry point of a case."""
    low = lower(case.network, entry, structure(training))
    verify(low.roots)
    roots, expected = low.roots, interpreted(case, low, low.roots, training)
    for name, step in PIPELINE:
        roots = step(roots, low.pool, [])
        verify(roots)
        assert step(roots, low.pool, []) == roots, f"{name} is not idempotent"
        same(interpreted(case, low, roots, training), expected)


@given(case=cases(), training=trainings(), entry=st.sampled_from(ENTRIES))
@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_passes_preserve_meaning(case: Case, training: Training, entry: str) -> None:
    check(case, entry, training)


@pytest.mark.full
@given(case=cases(), training=trainings(), entry=st.sampled_from(ENTRIES))
@settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_passes_preserve_meaning_at_length(case: Case, training: Training, entry: str) -> None:
    check(case, entry, training)


@pytest.mark.parametrize("thin", [False, True])
@pytest.mark.parametrize("case", [*structure_cases()], ids=lambda c: c.name)
def test_passes_preserve_the_meaning_of_every_structure(case: Case, thin: bool) -> None:
    for entry in ENTRIES:
        check(thinned(case) if thin else case, entry, PLAIN)


@pytest.mark.parametrize("case", [*loss_cases()], ids=lambda c: c.name)
def test_passes_preserve_the_meaning_of_every_loss(case: Case) -> None:
    check(thinned(case), "step", PLAIN)
