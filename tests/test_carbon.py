import json
import random
from pathlib import Path

import pytest
from headrace import CostTracker, Usage
from headrace._core.cost import estimate

SAMPLES = json.loads((Path(__file__).parent / "data" / "ecologits_samples.json").read_text())["cases"]
PROVIDERS = ["openai", "anthropic", "mistralai", "google_genai", "cohere", "huggingface_hub"]


def bounds(value):
    return value if isinstance(value, list) else [value, value]


def same(found, expected, scale):
    assert [found.min, found.max] == pytest.approx([end * scale for end in bounds(expected)], rel=1e-9)


@pytest.mark.parametrize("case", SAMPLES, ids=lambda case: f"{case['model']}-{case['out_tokens']}-{case['zone']}")
def test_published_samples(case):
    name = f"{case['provider']}/{case['model']}"
    found = estimate(name, case["out_tokens"], latency=case["latency_s"], zone=case["zone"])
    same(found["energy_wh"], case["energy_kWh"], 1000)
    same(found["co2e_g"], case["gwp_kg"], 1000)
    same(found["water_l"], case["wcf_L"], 1)
    same(found["depletion_kg_sb"], case["adpe_kgSb"], 1)
    same(found["primary_energy_mj"], case["pe_MJ"], 1)


def test_every_model_of_the_package_agrees():
    pytest.importorskip("ecologits")
    from ecologits.electricity_mix_repository import electricity_mixes
    from ecologits.model_repository import models
    from ecologits.tracers.utils import llm_impacts

    chance = random.Random(7)
    zones = [mix.zone for mix in electricity_mixes.list_electricity_mixes()]
    for model in models.list_models():
        provider, name = model.provider.value, model.name
        tokens, latency = chance.randrange(5000), chance.choice([None, 0.1, 3.7, 60.0])
        zone = chance.choice([None, *zones])
        theirs = llm_impacts(provider, name, tokens, float("inf") if latency is None else latency, zone)
        ours = estimate(f"{provider}/{name}", tokens, latency=latency, zone=zone)
        for figure, impact, scale in [
            ("energy_wh", theirs.energy, 1000), ("co2e_g", theirs.gwp, 1000), ("water_l", theirs.wcf, 1),
        ]:  # fmt: skip
            value = impact.value
            ends = [value.min, value.max] if hasattr(value, "min") else [value, value]
            same(ours[figure], ends, scale)


def test_own_factors_hold_for_what_follows():
    costs, usage = CostTracker(), Usage(10, 1000)
    before = costs.record("openai/gpt-4", usage)
    costs.set_emission_factors(provider="openai", zone="FRA")
    french = costs.record("openai/gpt-4", usage)
    costs.set_emission_factors(co2e_g_per_kwh=0.0, pue=1.0)
    green = costs.record("openai/gpt-4", usage)
    assert (before.zone, french.zone, green.zone) == ("USA", "FRA", "own")
    assert french.co2e_g < before.co2e_g
    assert green.co2e_g == pytest.approx(green.co2e_embodied_g)
    assert green.energy_wh == pytest.approx(before.energy_wh / 1.2)
    first = costs.records()[0]
    assert first.co2e_g == before.co2e_g


def test_a_size_can_be_given():
    costs = CostTracker()
    assert costs.quote("acme/novel", Usage(1, 100)).energy_wh is None
    costs.set_emission_factors(model="novel", total_parameters=(7.0, 70.0), active_parameters=7.0)
    energy = costs.quote("acme/novel", Usage(1, 100)).energy_wh
    assert energy.min < energy < energy.max


def test_bad_factors_change_nothing():
    costs = CostTracker()
    for bad in [{"zone": "France"}, {"pue": 0.9}, {"co2e_g_per_kwh": -1.0}, {"total_parameters": (2.0, 1.0)}]:
        with pytest.raises(ValueError, match="give"):
            costs.set_emission_factors(**bad)
    assert costs.quote("openai/gpt-4", Usage(1, 1)).zone == "USA"


def test_a_cached_answer_avoids():
    costs = CostTracker()
    paid = costs.record("openai/gpt-4", Usage(10, 100))
    hit = costs.record("openai/gpt-4", Usage(10, 100), cache="exact")
    assert hit.cost == 0
    assert hit.saved == paid.cost
    assert hit.co2e_g == 0
    assert hit.avoided_co2e_g == paid.co2e_g
