"""An embedder that asks a provider: the cache finds paraphrases by its vectors, and the ledger has what it cost."""

import headrace
from headrace.embedders import ProviderEmbedder


def test_a_cache_asks_a_provider_for_its_vectors():
    with headrace.providers.SimulatedServer(time_to_first_token=0) as server:
        client = headrace.Client([headrace.providers.OpenAICompatible(server.url, name="simulated")])
        cache = headrace.SemanticCache(ProviderEmbedder(client, "simulated/embedding"), threshold=0.5)
        cache.put("What were Acme's scope 2 emissions in 2023?", "42 t")
        assert cache.get("Acme's scope 2 emissions in 2023?").response == "42 t"
        assert cache.get("Acme's scope 2 emissions in 2024?") is None
        assert len(client.costs.records()) == 3
        assert client.costs.total > 0


def test_a_client_whose_cache_asks_the_same_client():
    asking = headrace.Client([headrace.providers.Simulated(time_to_first_token=0)])
    cache = headrace.SemanticCache(ProviderEmbedder(asking, "simulated/embedding"))
    client = headrace.Client([headrace.providers.Simulated(time_to_first_token=0)], cache=cache)
    assert client.chat("simulated/echo", "What is scope 1?", timeout=20).cache is None
    assert client.chat("simulated/echo", "What is scope 1?", timeout=20).cache == "exact"
