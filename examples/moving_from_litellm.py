"""From LiteLLM: completion, batch, router, budget and cost, as they were and as they are. Runs offline."""

import asyncio

import headrace
from headrace.providers import Simulated, SimulatedServer

messages = [{"role": "user", "content": "What does ESRS E1 ask about Scope 3 emissions?"}]

# import litellm
# litellm.cache = Cache(type="local")
client = headrace.Client([Simulated(seed=1)])

# reply = litellm.completion(model="openai/gpt-4o-mini", messages=messages, num_retries=3, caching=True)
# print(reply.choices[0].message.content, litellm.completion_cost(reply))
reply = client.chat("simulated/esg", messages)
print(reply.text, reply.cost)

# replies = litellm.batch_completion(model="openai/gpt-4o-mini", messages=[[...], [...]])
replies = client.map(["What is SBTi?", "What is CDP?"], model="simulated/esg")
print([reply.text for reply in replies])

# reply = await litellm.acompletion(model="openai/gpt-4o-mini", messages=messages)
print(asyncio.run(client.achat("simulated/esg", messages)).cache)

# budget = BudgetManager(project_name="reports"); budget.create_budget(total_budget=10, user="reporting")
# if budget.get_current_cost(user="reporting") <= budget.get_total_budget("reporting"): ...
client.costs.set_budget("0.0000001", tenant="reporting", period="day")
try:
    client.chat("simulated/esg", "Summarise the report.", tenant="reporting")
except headrace.BudgetExceeded as refused:
    print(refused)

# router = Router(model_list=[...], fallbacks=[{"first": ["second"]}])
with SimulatedServer(faults={"rates": {"unavailable": 1.0}}) as broken, SimulatedServer() as spare:
    providers = [
        headrace.providers.OpenAICompatible(broken.url, name="first"),
        headrace.providers.OpenAICompatible(spare.url, name="second"),
    ]
    with headrace.Client(providers, fallbacks={"first/esg": ["second/esg"]}, max_attempts=1) as router:
        print(router.chat("first/esg", messages).provider)
