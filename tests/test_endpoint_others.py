"""Clients that are not Python before the endpoint: curl, and OpenAI's for Node where it is installed."""

import json
import os
import shutil
import subprocess

import headrace
import pytest
from endpoint_ways import simulated

NODE = """
import OpenAI from "openai";
const ai = new OpenAI({ baseURL: process.argv[2] + "/v1", apiKey: "local", maxRetries: 0 });
const messages = [{ role: "user", content: "Which scope is travel?" }];
const whole = await ai.chat.completions.create({ model: "simulated/echo", messages });
let said = "";
for await (const part of await ai.chat.completions.create({ model: "simulated/echo", messages, stream: true }))
  said += part.choices[0]?.delta?.content ?? "";
const made = await ai.embeddings.create({ model: "simulated/embedding", input: ["a", "b"] });
const refused = await ai.chat.completions.create({ model: "nosuch/model", messages }).catch((error) => error);
console.log(JSON.stringify({
  whole: whole.choices[0].message.content, said, made: made.data.map((one) => one.embedding.length),
  refused: [refused.constructor.name, refused.status, refused.code],
}));
"""


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl():
    body = json.dumps({"model": "simulated/echo", "messages": [{"role": "user", "content": "Which scope is travel?"}]})
    with simulated() as client, headrace.Server(client) as server:
        url = server.url + "/v1/chat/completions"
        # Without a word on the content, curl says that it is a form.
        told = run(["curl", "-sS", "-i", "--noproxy", "*", url, "-d", body])
        assert "x-headrace-cache: miss" in told.lower()
        streamed = run(["curl", "-sS", "-N", "--noproxy", "*", url, "-d", body[:-1] + ', "stream": true}'])
        assert streamed.endswith("data: [DONE]\n\n")


def test_openais_client_for_node(tmp_path):
    if shutil.which("node") is None or not os.environ.get("HEADRACE_NODE_MODULES"):
        pytest.skip("set HEADRACE_NODE_MODULES to a node_modules folder with the package openai in it")
    (tmp_path / "node_modules").symlink_to(os.environ["HEADRACE_NODE_MODULES"])
    script = tmp_path / "ask.mjs"
    script.write_text(NODE)
    with simulated() as client, headrace.Server(client) as server:
        told = json.loads(run(["node", str(script), server.url], cwd=tmp_path))
    assert told == {
        "whole": "Which scope is travel?",
        "said": "Which scope is travel?",
        "made": [256, 256],
        "refused": ["NotFoundError", 404, "model_not_found"],
    }


@pytest.mark.filterwarnings("ignore")
def test_litellm(monkeypatch):
    # It would fetch its prices at import.
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm = pytest.importorskip("litellm")
    with simulated() as client, headrace.Server(client) as server:
        call = {
            "messages": [{"role": "user", "content": "Which scope is travel?"}],
            "api_key": "local",
            "num_retries": 0,
        }
        openai = {"model": "openai/simulated/echo", "api_base": server.url + "/v1", **call}
        assert litellm.completion(**openai).choices[0].message.content == "Which scope is travel?"
        pieces = litellm.completion(**openai, stream=True)
        assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == "Which scope is travel?"
        anthropic = {"model": "anthropic/simulated/echo", "api_base": server.url, **call}
        assert litellm.completion(**anthropic).choices[0].message.content == "Which scope is travel?"
        with pytest.raises(litellm.NotFoundError):
            litellm.completion(**openai | {"model": "openai/nosuch/model"})
