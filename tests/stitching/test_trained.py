"""The trained stitch: it lowers the task loss from the fitted map on, alike by its seed, and changes no network."""

import numpy as np
import pytest
import torch

from analysis.checkpoints.load import load
from analysis.cross_moments import CrossMoments
from analysis.errors import ExplorerError
from analysis.linear_maps import affine
from analysis.stitching.behaviour import Stitch, evaluate
from analysis.stitching.states import moments, split
from analysis.stitching.trained import WARNING, train
from tests.checkpoints.models import tokenizer
from tests.stitching.families import JUDGING, loaded

PAIR = ("block 1", "block 1")


@pytest.fixture(scope="module")
def pair(tiny_run):
    return load(tiny_run / "step0"), load(tiny_run / "step8")


@pytest.fixture(scope="module")
def start(pair, probe):
    return Stitch(*PAIR, "affine", affine(moments(*pair, split(probe)[0], [PAIR], CrossMoments).paired[PAIR]))


def test_training_lowers_the_loss_on_the_texts_it_is_trained_on(pair, probe, start):
    fit = split(probe)[0]
    found = train(*pair, fit, start, steps=30, rate=0.01, batch_tokens=100)
    after = evaluate(*pair, fit, [start, Stitch(*PAIR, "trained", found.map)])
    assert after.loss((*PAIR, "trained")).value < after.loss(start.key).value - 0.05
    assert len(found.losses) == 30 and found.map.kind == "trained" and found.map.weight.shape == (16, 16)
    assert found.warning == WARNING and "far-apart layers above corresponding ones" in WARNING


def test_no_step_leaves_the_fitted_map_and_the_first_loss_is_its_own(pair, probe, start):
    still = train(*pair, probe, start, steps=3, rate=0.0)
    np.testing.assert_allclose(still.map.weight, start.map.weight, rtol=1e-6, atol=1e-7)
    assert still.losses[0] == pytest.approx(evaluate(*pair, probe, [start]).loss(start.key).value, rel=1e-5)


def test_the_seed_settles_the_map(pair, probe, start):
    one, again, other = (train(*pair, probe, start, steps=5, seed=seed, batch_tokens=60) for seed in (1, 1, 2))
    assert np.array_equal(one.map.weight, again.map.weight) and not np.array_equal(one.map.weight, other.map.weight)


def test_both_networks_stay_as_they_were(pair, probe, start):
    before = [{name: value.clone() for name, value in network.model.state_dict().items()} for network in pair]
    wanted = [[p.requires_grad for p in network.model.parameters()] for network in pair]
    train(*pair, probe, start, steps=2)
    for network, state, gradients in zip(pair, before, wanted, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in network.model.state_dict().items())
        assert [p.requires_grad for p in network.model.parameters()] == gradients
        assert all(p.grad is None for p in network.model.parameters())


def test_a_head_without_a_right_answer_cannot_be_trained_for(probe, start):
    modality, build = JUDGING["bert classes"]
    judge = loaded(build, modality, tokenizer("bert"))
    with pytest.raises(ExplorerError, match="predicts no next token and no labels were given"):
        train(judge, judge, probe, start, steps=1)
    assert all(p.requires_grad for p in judge.model.parameters())
    found = train(judge, judge, probe, start, steps=2, labels=dict.fromkeys((t.id for t in probe.texts), 1), rate=0.1)
    assert found.losses[1] < found.losses[0]
