"""What calls cost: prices of their day, a budget that holds, a ledger on a file, a report, and files for finance.

Runs offline: the usage of each call is invented.
"""

import random
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import headrace

random.seed(11)
folder = Path(tempfile.mkdtemp())
costs = headrace.CostTracker(url=f"sqlite:///{folder / 'costs.db'}", retention=timedelta(days=400))

# Before a call: what is the most that it can cost? A text is counted offline.
question = "Summarise the Scope 3 emissions of the attached report in five sentences."
quote = costs.quote("anthropic/claude-haiku-4-5", question, max_output_tokens=300)
print(f"at most ${quote.cost} for {quote.usage}")

# A budget that calls never pass, however many run at once. Alerts are called once for each fraction.
costs.set_budget(
    "0.05",
    tenant="acme",
    period="day",
    timezone="Europe/Berlin",
    alerts=lambda alert: print("alert", alert["fraction"]),
)
try:
    while True:
        with costs.reserve("openai/gpt-4o", question, tenant="acme", max_output_tokens=300) as held:
            held.settle(headrace.Usage(input_tokens=900, output_tokens=random.randrange(100, 300)))
except headrace.BudgetExceeded as refused:
    print(refused)
print(costs.budgets()[0]["spent"], "of", costs.budgets()[0]["limit"])

# A month of calls, at the prices of their time, with what the cache answered.
now = datetime.now(timezone.utc)
for hour in range(24 * 30):
    costs.record(
        random.choice(["openai/gpt-4o", "deepseek/deepseek-v4-flash", "anthropic/claude-haiku-4-5"]),
        headrace.Usage(input_tokens=random.randrange(1000, 20_000), output_tokens=random.randrange(100, 900)),
        tenant=random.choice(["acme", "globex"]),
        tags=[f"project={random.choice(['csrd', 'cdp'])}"],
        at=now - timedelta(hours=hour),
        cache=random.choice([None, None, None, "semantic"]),
        latency=random.uniform(1, 6),
    )
for row in costs.summary(["tenant", "tag:project"]):
    print(row.get("tenant"), row.get("tag:project"), row["cost"], f"{row['co2e_g']:.1f} g CO2e")
print(costs.report(since=now - timedelta(days=30), by="tenant", move_to="deepseek/deepseek-v4-flash"))

# For finance, and for the auditor.
print(costs.export_focus(folder / "focus.csv"), "rows in the FOCUS format")
print(costs.to_csv(folder / "calls.csv"), "calls as CSV")
