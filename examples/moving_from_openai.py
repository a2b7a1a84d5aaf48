"""From OpenAI's SDK: each call as it was, in a comment, and as it is with headrace. Runs offline."""

import headrace

# from openai import OpenAI
# client = OpenAI()
client = headrace.Client([headrace.providers.Simulated(seed=1)])  # headrace.Client() takes the keys of the environment

messages = [
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": "What is double materiality?"},
]

# reply = client.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0)
# print(reply.choices[0].message.content, reply.usage.total_tokens)
reply = client.chat("simulated/esg", messages, temperature=0)
print(reply.text, reply.usage.input_tokens + reply.usage.output_tokens, reply.cost)

# for chunk in client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True):
#     print(chunk.choices[0].delta.content or "", end="")
for chunk in client.stream("simulated/esg", messages):
    print(chunk.text, end="")
print()

# vectors = [row.embedding for row in client.embeddings.create(model="text-embedding-3-small", input=texts).data]
texts = ["scope 1", "scope 2"]
vectors = client.embed("simulated/embedding", texts)
print(vectors.shape)

# try: ...
# except openai.RateLimitError: ...
try:
    client.chat("simulated/nosuch", messages)
except headrace.HeadraceError as error:
    print(type(error).__name__, error)
