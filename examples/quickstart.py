"""What a user starts with; it runs without a key and without a network."""

import headrace
from headrace.providers import Simulated

with headrace.Client([Simulated(seed=1)]) as client:
    client.costs.set_budget("5.00", tenant="reporting", period="month")

    question = "What does ESRS E1 ask about Scope 3 emissions?"
    first = client.chat("simulated/esg", question, tenant="reporting", priority="high", tags=["csrd"])
    again = client.chat("simulated/esg", question, tenant="reporting")
    print(first.text)
    print(f"first: {first.cost} USD; again: {again.cost} USD from the {again.cache} cache")

    for chunk in client.stream("simulated/esg", "What is double materiality?", tenant="reporting"):
        print(chunk.text, end="", flush=True)
    print()

    answers = client.map(["What is SBTi?", "What is CDP?"], model="simulated/esg", tenant="reporting")
    print(f"{len(answers)} answers; spent in all: {client.costs.total} USD")
