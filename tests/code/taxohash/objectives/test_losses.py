"""Loss values recomputed by naive loops over images, pairs and triplets."""

from math import exp, log, tanh
from typing import Any

import numpy as np
import pytest
import torch

from taxohash.errors import TaxohashError
from taxohash.objectives import Batch, Setting, build
from taxohash.objectives.dsdh import ridge_solution
from taxohash.objectives.supervision import Labels
from taxohash.taxonomy.similarity import height_similarity
from tests.support.toy import RAGGED, TREE, setting

LABELS = torch.tensor([0, 0, 1, 3, 8, 1, 4, 0])
BITS = 8


@pytest.fixture
def outputs() -> torch.Tensor:
    return 1.5 * torch.randn(len(LABELS), BITS, generator=torch.Generator().manual_seed(3))


def made(name: str, **options: Any) -> Any:
    torch.manual_seed(5)
    return build(name, setting(TREE, LABELS, BITS), options)


def terms(objective: Any, outputs: torch.Tensor) -> dict[str, float]:
    found = objective.loss(Batch(outputs, Labels(LABELS), torch.arange(len(LABELS))))
    return {name: float(value.detach()) for name, value in found.items()}


def rows(values: torch.Tensor) -> list[list[float]]:
    return [[float(v) for v in row] for row in values.double()]


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def sign(x: float) -> float:
    return 1.0 if x >= 0 else -1.0


def pairs() -> list[tuple[int, int, bool]]:
    n = len(LABELS)
    return [(i, j, bool(LABELS[i] == LABELS[j])) for i in range(n) for j in range(n) if i != j]


def cubic(f: list[list[float]]) -> float:
    return float(np.mean([sum(max(0.0, abs(x) - 1.1) for x in row) for row in f]))


def vertex(f: list[list[float]]) -> float:
    return float(np.mean([sum((sign(x) - x) ** 2 for x in row) for row in f]))


def class_loss(f: list[list[float]], centres: list[list[float]], classes: list[int], s: float) -> float:
    losses = []
    for row, c in zip(f, classes, strict=True):
        likelihoods = [
            exp(-0.5 * s * sum((x - m) ** 2 for x, m in zip(row, centre, strict=True))) for centre in centres
        ]
        losses.append(-log(likelihoods[c] / sum(likelihoods)))
    return float(np.mean(losses))


def push(centres: list[list[float]]) -> float:
    n = len(centres)
    return float(
        np.mean(
            [
                log(1 + exp(0.5 * BITS * dot(a, b) / (dot(a, a) * dot(b, b)) ** 0.5))
                for i, a in enumerate(centres)
                for j, b in enumerate(centres)
                if i != j
            ]
        )
        if n > 1
        else 0.0
    )


def test_shpdh(outputs: torch.Tensor) -> None:
    objective, f = made("shpdh"), rows(outputs)
    expected = {
        "class_class": class_loss(f, rows(objective.centres(1)), LABELS.tolist(), 1.0),
        "class_super": class_loss(f, rows(objective.centres(0)), [c // 3 for c in LABELS.tolist()], 0.5),
        "cubic": 10 * cubic(f) / BITS,
        "vertex": 0.1 * vertex(f) / BITS,
    }
    assert terms(objective, outputs) == pytest.approx(expected, rel=1e-4)


def test_dcwh_is_shpdh_without_the_superclasses(outputs: torch.Tensor) -> None:
    objective, f = made("dcwh"), rows(outputs)
    expected = {
        "class_class": class_loss(f, rows(objective.centres(0)), LABELS.tolist(), 1.0),
        "cubic": 10 * cubic(f) / BITS,
        "vertex": 0.1 * vertex(f) / BITS,
    }
    assert terms(objective, outputs) == pytest.approx(expected, rel=1e-4)


def test_idcwh(outputs: torch.Tensor) -> None:
    objective, f = made("idcwh"), rows(outputs)
    centres = rows(objective.centres.detach())
    pull = np.mean(
        [
            sum((m - x) ** 2 for m, x in zip(centres[c], row, strict=True))
            for c, row in zip(LABELS.tolist(), f, strict=True)
        ]
    )
    expected = {
        "class": class_loss(f, centres, LABELS.tolist(), 1.0),
        "pull": 0.1 * float(pull) / BITS,
        "push": 0.1 * push(centres),
        "cubic": 10 * cubic(f) / BITS,
        "vertex": 0.1 * vertex(f) / BITS,
    }
    assert terms(objective, outputs) == pytest.approx(expected, rel=1e-4)


def test_dcdh_before_and_after_its_codes_are_found(outputs: torch.Tensor) -> None:
    objective, f = made("dcdh"), rows(outputs)
    centres = rows(objective.centres.detach())
    expected = {
        "class": class_loss(f, centres, LABELS.tolist(), 0.25),
        "push": 0.1 * push(centres),
        "quantisation": 0.01 * vertex(f),
    }
    assert terms(objective, outputs) == pytest.approx(expected, rel=1e-4)
    objective.end_epoch(outputs, Labels(LABELS))
    gap = 0.0
    for row, label in zip(f, LABELS.tolist(), strict=True):
        others = [g for g, c in zip(f, LABELS.tolist(), strict=True) if c == label]
        for j, x in enumerate(row):
            mean_sign = float(np.mean([sign(g[j]) for g in others]))
            gap += (x - sign(mean_sign + 0.01 * x)) ** 2
    assert terms(objective, outputs)["quantisation"] == pytest.approx(0.01 * gap / len(f), rel=1e-4)


def test_shdh(outputs: torch.Tensor) -> None:
    objective = made("shdh", quantisation=0.3)
    h = [[tanh(x) for x in row] for row in rows(outputs)]
    squares = []
    for i, j, same in pairs():
        parents = LABELS[i] // 3 == LABELS[j] // 3
        wanted = 2 / 3 * (1 if parents else -1) + 1 / 3 * (1 if same else -1)
        found = 2 / 3 * dot(h[i][:4], h[j][:4]) / 4 + 1 / 3 * dot(h[i][4:], h[j][4:]) / 4
        squares.append((found - wanted) ** 2)
    expected = {
        "pairs": np.mean(squares),
        "balance": 0.1 * np.mean(np.mean(h, axis=0) ** 2),
        "quantisation": 0.3 * np.mean((np.abs(h) - 1) ** 2),
    }
    assert terms(objective, outputs) == pytest.approx(expected, rel=1e-4)


def test_shdh_compares_by_weighted_segments(outputs: torch.Tensor) -> None:
    found = made("shdh").search_form(outputs)
    signs, expanded = (torch.where(values >= 0, 1, -1) for values in (outputs, found))
    for i in range(len(signs)):
        for j in range(len(signs)):
            differ = signs[i] != signs[j]
            assert (expanded[i] != expanded[j]).sum() == 2 * differ[:4].sum() + differ[4:].sum()


def test_csq(outputs: torch.Tensor) -> None:
    objective, f = made("csq"), rows(outputs)
    centres = rows(objective.class_codes())
    losses, gaps = [], []
    for row, label in zip(f, LABELS.tolist(), strict=True):
        for x, centre in zip(row, centres[label], strict=True):
            p, t = (tanh(x) + 1) / 2, (centre + 1) / 2
            losses.append(-t * log(p) - (1 - t) * log(1 - p))
            gaps.append((abs(tanh(x)) - 1) ** 2)
    expected = {"central": np.mean(losses), "quantisation": 0.05 * np.mean(gaps)}
    assert terms(objective, outputs) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("epoch", [0, 45])
def test_hashnet(outputs: torch.Tensor, epoch: int) -> None:
    objective = made("hashnet")
    objective.start_epoch(epoch, 100)
    beta = (epoch // 20 + 1) ** 0.5
    u = [[tanh(beta * x) for x in row] for row in rows(outputs)]
    similar = sum(same for *_, same in pairs())
    total = 0.0
    for i, j, same in pairs():
        t = 0.1 * dot(u[i], u[j])
        weight = len(pairs()) / (similar if same else len(pairs()) - similar)
        total += weight * (log(1 + exp(t)) - same * t)
    assert terms(objective, outputs) == pytest.approx({"pairs": total / len(pairs())}, rel=1e-4)


def likelihood(f: list[list[float]]) -> float:
    return float(
        np.mean([log(1 + exp(dot(f[i], f[j]) / 2)) - same * dot(f[i], f[j]) / 2 for i, j, same in pairs()])
    )


def test_dpsh(outputs: torch.Tensor) -> None:
    f = rows(outputs)
    expected = {"pairs": likelihood(f), "quantisation": 0.1 * vertex(f) / BITS}
    assert terms(made("dpsh"), outputs) == pytest.approx(expected, rel=1e-4)


def test_dtsh(outputs: torch.Tensor) -> None:
    f, losses = rows(outputs), []
    for q, p, same in pairs():
        for n in range(len(f)):
            if same and LABELS[n] != LABELS[q]:
                losses.append(-log(sigmoid(dot(f[q], f[p]) / 2 - dot(f[q], f[n]) / 2 - BITS / 2)))
    expected = {"triplets": np.mean(losses), "quantisation": vertex(f) / BITS}
    assert terms(made("dtsh"), outputs) == pytest.approx(expected, rel=1e-4)


def test_dsdh_and_its_discrete_step_lowers_its_own_objective(outputs: torch.Tensor) -> None:
    objective, f = made("dsdh", quantisation=0.5, sweeps=3), rows(outputs)
    codes = rows(objective.codes)
    gap = np.mean(
        [(b - x) ** 2 for left, right in zip(codes, f, strict=True) for b, x in zip(left, right, strict=True)]
    )
    expected = {"pairs": likelihood(f), "quantisation": 0.5 * gap}
    assert terms(objective, outputs) == pytest.approx(expected, rel=1e-4)
    objective.end_epoch(outputs, Labels(LABELS))
    found, start = objective.codes.double().numpy(), np.where(outputs.numpy() >= 0, 1.0, -1.0)
    targets = np.eye(9)[LABELS.numpy()]
    weights = np.linalg.solve(start.T @ start + np.eye(BITS), start.T @ targets)

    def energy(b: Any) -> float:
        return float(((targets - b @ weights) ** 2).sum() + 0.5 * ((b - outputs.numpy()) ** 2).sum())

    assert set(np.unique(found)) == {-1.0, 1.0}
    assert energy(found) <= energy(start) + 1e-6
    for row in range(len(found)):  # no single bit can be turned for the better
        for bit in range(BITS):
            turned = found.copy()
            turned[row, bit] *= -1
            assert energy(turned) >= energy(found) - 1e-4


def test_ssdh(outputs: torch.Tensor) -> None:
    objective = made("ssdh")
    a = [[sigmoid(x) for x in row] for row in rows(outputs)]
    weight, bias = objective.classifier.weight.detach().double(), objective.classifier.bias.detach().double()
    losses = []
    for row, label in zip(a, LABELS.tolist(), strict=True):
        logits = [dot(row, w.tolist()) + float(b) for w, b in zip(weight, bias, strict=True)]
        losses.append(-log(exp(logits[label]) / sum(exp(v) for v in logits)))
    expected = {
        "class": np.mean(losses),
        "binary": -0.5 * np.mean((np.array(a) - 0.5) ** 2),
        "balance": 0.5 * np.mean((np.mean(a, axis=1) - 0.5) ** 2),
    }
    assert terms(objective, outputs) == pytest.approx(expected, rel=1e-4)


def test_dqn() -> None:
    objective = made("dqn", dimensions=6, rounds=3)
    vectors = torch.randn(len(LABELS), 6, generator=torch.Generator().manual_seed(1))
    z = rows(vectors)
    cosines = [
        ((1 if same else -1) - dot(z[i], z[j]) / (dot(z[i], z[i]) * dot(z[j], z[j])) ** 0.5) ** 2
        for i, j, same in pairs()
    ]
    assert terms(objective, vectors) == pytest.approx({"pairs": np.mean(cosines)}, rel=1e-4)
    objective.end_epoch(vectors, Labels(LABELS))
    # 256 words for 8 vectors: each becomes a word, so nothing is lost.
    assert terms(objective, vectors) == pytest.approx(
        {"pairs": np.mean(cosines), "quantisation": 0.0}, abs=1e-5
    )
    moved = vectors + 0.01
    word = objective.quantise(moved)
    assert torch.equal(objective.search_form(moved), word)
    assert torch.equal(objective.search_form(moved, query=True), moved)
    gap = np.mean(
        [
            sum((x - w) ** 2 for x, w in zip(*both, strict=True))
            for both in zip(rows(moved), rows(word), strict=True)
        ]
    )
    assert terms(objective, moved)["quantisation"] == pytest.approx(1e-4 * gap, rel=1e-3)


def test_hierarchy_embedding_of_a_ragged_tree() -> None:
    setting = Setting(16, RAGGED, Labels(torch.arange(len(RAGGED))))
    phi = build("hierarchy_embedding", setting, {}).get_buffer("embeddings").double().numpy()
    np.testing.assert_allclose(phi @ phi.T, height_similarity(RAGGED), atol=1e-6)


def test_hierarchy_embedding() -> None:
    objective = made("hierarchy_embedding").eval()
    vectors = torch.randn(len(LABELS), 9, generator=torch.Generator().manual_seed(1))
    phi = objective.class_codes().double().numpy()
    np.testing.assert_allclose(phi @ phi.T, TREE.similarity, atol=1e-6)
    cosines = [
        1 - dot(f, phi[c].tolist()) / dot(f, f) ** 0.5
        for f, c in zip(rows(vectors), LABELS.tolist(), strict=True)
    ]
    found = terms(objective, vectors)
    assert found["embedding"] == pytest.approx(np.mean(cosines), rel=1e-4)
    logits = objective.classifier(vectors)
    assert found["class"] == pytest.approx(
        0.1 * float(torch.nn.functional.cross_entropy(logits, LABELS).detach()), rel=1e-4
    )


def test_a_ridge_that_rounding_loses_is_refused_in_one_line() -> None:
    codes, targets = torch.ones(3, BITS), torch.eye(3)
    with pytest.raises(TaxohashError, match="ridge / classification = 1e-20 is too small: raise ridge"):
        ridge_solution(codes, targets, 1e-20)
