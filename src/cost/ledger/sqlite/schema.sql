CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY, provider TEXT NOT NULL, model TEXT NOT NULL, estimated INTEGER NOT NULL,
    version TEXT NOT NULL, zone TEXT NOT NULL, footprint TEXT NOT NULL,
    UNIQUE (provider, model, estimated, version, zone, footprint)
) STRICT;
CREATE TABLE IF NOT EXISTS attribution (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, tags TEXT NOT NULL, UNIQUE (tenant, tags)
) STRICT;
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL,
    entry INTEGER NOT NULL REFERENCES entry, attribution INTEGER NOT NULL REFERENCES attribution,
    usage TEXT NOT NULL, lines TEXT NOT NULL, nano INTEGER NOT NULL, atto INTEGER NOT NULL,
    cache INTEGER NOT NULL, latency REAL, attempts INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS record_time ON record (time);
CREATE TABLE IF NOT EXISTS told (
    record INTEGER PRIMARY KEY REFERENCES record, nano INTEGER NOT NULL, atto INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS routed (
    record INTEGER PRIMARY KEY REFERENCES record, nano INTEGER NOT NULL, atto INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS hour (
    start INTEGER NOT NULL, entry INTEGER NOT NULL, attribution INTEGER NOT NULL,
    calls INTEGER NOT NULL, cache_hits INTEGER NOT NULL, estimated INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL, cost_atto INTEGER NOT NULL, saved_nano INTEGER NOT NULL, saved_atto INTEGER NOT NULL,
    energy_min REAL NOT NULL, energy_max REAL NOT NULL, co2e_min REAL NOT NULL, co2e_max REAL NOT NULL,
    avoided_min REAL NOT NULL, avoided_max REAL NOT NULL, unknown_footprint INTEGER NOT NULL,
    PRIMARY KEY (start, entry, attribution)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS budget (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, tag TEXT NOT NULL,
    period TEXT NOT NULL, zone TEXT NOT NULL, nano INTEGER NOT NULL, atto INTEGER NOT NULL, on_exceed TEXT NOT NULL,
    UNIQUE (tenant, provider, model, tag, period, zone)
) STRICT;
CREATE TABLE IF NOT EXISTS spend (
    budget INTEGER NOT NULL REFERENCES budget, start INTEGER NOT NULL, nano INTEGER NOT NULL, atto INTEGER NOT NULL,
    PRIMARY KEY (budget, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tenant_spend (
    budget INTEGER NOT NULL REFERENCES budget, tenant TEXT NOT NULL, start INTEGER NOT NULL,
    nano INTEGER NOT NULL, atto INTEGER NOT NULL, PRIMARY KEY (budget, tenant, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reservation (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, expires INTEGER NOT NULL,
    provider TEXT NOT NULL, model TEXT NOT NULL, tenant TEXT NOT NULL, tags TEXT NOT NULL,
    nano INTEGER NOT NULL, atto INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS reservation_expires ON reservation (expires);
CREATE TABLE IF NOT EXISTS hold (
    budget INTEGER NOT NULL REFERENCES budget, start INTEGER NOT NULL, reservation INTEGER NOT NULL,
    nano INTEGER NOT NULL, atto INTEGER NOT NULL, PRIMARY KEY (budget, start, reservation)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hold_reservation ON hold (reservation);
