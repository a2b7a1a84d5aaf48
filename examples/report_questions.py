"""Questions about a sustainability report: find the passages, ask with them, say where it stands and what it cost.

The report is invented (`data/nordwind_2024.md`). A stand-in answers offline; HEADRACE_MODEL asks a model.
"""

from pathlib import Path

import headrace
import numpy as np
from stand_in import client_and_model

REPORT = Path(__file__).parent / "data" / "nordwind_2024.md"
QUESTIONS = [
    "What were the gross Scope 1 emissions in 2024?",
    "What were the gross Scope 3 emissions in 2024?",
    "How many employees did Nordwind Paper have at the end of 2024?",
    "gross scope 1 emissions 2024",  # asks the same in other words
    "What were the gross Scope 1 emissions in 2023?",  # asks for another year
]

passages = [part.strip() for part in REPORT.read_text(encoding="utf-8").split("\n\n") if not part.startswith("#")]
embed = headrace.embedders.static()
vectors = embed(passages)


def nearest(question: str, count: int = 4) -> list[int]:
    return [int(n) for n in np.argsort(-(vectors @ embed([question])[0]))[:count]]


# The passages are part of what must be equal for an answer to serve: the same question about another report is another.
with client_and_model(cache=headrace.SemanticCache(embed)) as (client, model):
    client.costs.set_budget("1.00", tenant="reporting")
    for question in QUESTIONS:
        found = sorted(nearest(question))
        context = "\n\n".join(passages[n] for n in found)
        messages = [
            {"role": "system", "content": f"Answer from these passages alone:\n\n{context}"},
            {"role": "user", "content": question},
        ]
        answer = client.chat(model, messages, tenant="reporting")
        print(f"{question}\n  {answer.text}\n  passages {found}, {answer.cache or 'asked'}, {answer.cost} USD")
    print(f"{client.costs.total} USD in all")
