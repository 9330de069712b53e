import pytest

pytest.importorskip("torch")

from anchorpose.training.rates import warmup_cosine


def test_the_rate_rises_to_the_full_one_and_falls_to_a_hundredth():
    rising = [warmup_cosine(step, 10, 0.0) for step in range(12)]
    assert rising == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1])
    assert warmup_cosine(500, 10, 0.5) == pytest.approx(0.505)
    falling = [warmup_cosine(500, 10, k / 20) for k in range(21)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] == warmup_cosine(500, 10, 3.0) == pytest.approx(0.01)
