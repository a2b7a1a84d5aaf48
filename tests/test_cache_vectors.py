"""Vectors that the caller brings."""

import headrace
import numpy as np


def test_the_same_vector_serves_whatever_the_wording_but_not_another_year():
    cache, same = headrace.SemanticCache(), np.ones(8, dtype=np.float32)
    cache.put("good", "g", embedding=same)
    assert cache.get("other", embedding=same).response == "g"
    cache.put("Emissions in 2023?", "e", embedding=np.arange(1, 9, dtype=np.float32))
    assert cache.get("Emissions in 2024?", embedding=np.arange(1, 9, dtype=np.float32)) is None
