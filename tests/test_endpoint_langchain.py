"""LangChain's chat model for OpenAI before the endpoint."""

import headrace
import pytest
from endpoint_ways import simulated

langchain = pytest.importorskip("langchain_openai")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_chat_stream_and_tools():
    with simulated() as client, headrace.Server(client) as server:
        model = langchain.ChatOpenAI(
            model="simulated/echo", base_url=server.url + "/v1", api_key="local", max_retries=0
        )
        reply = model.invoke("Which scope is travel?")
        assert reply.content == "Which scope is travel?"
        assert reply.usage_metadata["total_tokens"] > 0
        assert "".join(piece.content for piece in model.stream("Explain ESRS E1")) == "Explain ESRS E1"

        def emissions(year: int) -> str:
            """The emissions of a year."""
            return str(year)

        bound = langchain.ChatOpenAI(
            model="simulated/esg", base_url=server.url + "/v1", api_key="local", max_retries=0
        ).bind_tools([emissions], tool_choice="required")
        assert bound.invoke("What were they?").tool_calls[0]["name"] == "emissions"
        assert len(client.costs.records()) == 3
