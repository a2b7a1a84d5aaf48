INSERT INTO hour VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (start, entry, attribution) DO UPDATE SET
    calls = calls + excluded.calls,
    cache_hits = cache_hits + excluded.cache_hits,
    estimated = estimated + excluded.estimated,
    input_tokens = input_tokens + excluded.input_tokens,
    cached_input_tokens = cached_input_tokens + excluded.cached_input_tokens,
    output_tokens = output_tokens + excluded.output_tokens,
    cost_nano = cost_nano + excluded.cost_nano,
    cost_atto = cost_atto + excluded.cost_atto,
    saved_nano = saved_nano + excluded.saved_nano,
    saved_atto = saved_atto + excluded.saved_atto,
    energy_min = energy_min + excluded.energy_min,
    energy_max = energy_max + excluded.energy_max,
    co2e_min = co2e_min + excluded.co2e_min,
    co2e_max = co2e_max + excluded.co2e_max,
    avoided_min = avoided_min + excluded.avoided_min,
    avoided_max = avoided_max + excluded.avoided_max,
    unknown_footprint = unknown_footprint + excluded.unknown_footprint
