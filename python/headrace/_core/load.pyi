from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, final

_Priority = Literal["critical", "high", "normal", "low"]
_Language = Literal["en", "de", "fr", "pt"]

@final
class Request:
    """One request of a workload, and what is known about its right answer.

    Args:
        prompt: The user message.
        messages: The turns before it, as role and content.
        model: The model to ask; None leaves it to the target.
        tenant: On whose behalf.
        priority: How urgent.
        answer_key: Two requests with the same key may share an answer; by default the prompt.
        output_tokens: How many tokens are to come out; 0 is not said.

    Raises:
        ValueError: The priority or a role is unknown.

    Example:
        >>> Request("Scope 1 in 2023?", tenant="audit").messages
        [{'role': 'user', 'content': 'Scope 1 in 2023?'}]
    """

    def __new__(
        cls,
        prompt: str,
        *,
        messages: Sequence[dict[str, str]] | None = None,
        model: str | None = None,
        tenant: str = "default",
        priority: _Priority = "normal",
        answer_key: str | None = None,
        output_tokens: int = 0,
    ) -> Request: ...
    @property
    def index(self) -> int:
        """Its place in the workload, from 0."""
    @property
    def prompt(self) -> str:
        """The last user message."""
    @property
    def messages(self) -> list[dict[str, str]]:
        """The whole conversation, the prompt last."""
    @property
    def model(self) -> str | None:
        """The model to ask, where the workload says one."""
    @property
    def tenant(self) -> str:
        """On whose behalf."""
    @property
    def priority(self) -> _Priority:
        """How urgent."""
    @property
    def answer_key(self) -> str:
        """What tells its answer from all others."""
    @property
    def kind(self) -> Literal["plain", "paraphrase", "follow_up", "document"]:
        """What the request is to a cache."""
    @property
    def near_miss(self) -> bool:
        """Whether the question differs from a more popular one in exactly one slot."""
    @property
    def topic(self) -> str:
        """What is asked about, as in ``scope1``."""
    @property
    def language(self) -> str:
        """The ISO 639-1 code."""
    @property
    def session(self) -> int | None:
        """The conversation it belongs to."""
    @property
    def turn(self) -> int:
        """Its turn in the conversation, from 0."""
    @property
    def input_tokens(self) -> int:
        """About how many tokens go in, at four bytes a token."""
    @property
    def output_tokens(self) -> int:
        """How many tokens are to come out."""
    def to_json(self) -> str:
        """One line of JSON."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

class ESG:
    """An endless, seeded stream of ESG questions; iterating begins anew each time.

    Args:
        seed: The same seed gives the same requests, byte for byte.
        questions: How many different questions there are, 1 to 100,000.
        zipf: The exponent of their popularity; 0 is uniform. Web and search queries lie between 0.6 and 1.2.
        tenants: Their names, or how many.
        languages: Of en, de, fr and pt, each as likely.
        model: The model that the requests name.
        paraphrase_share: How many requests word a question in another than the plain way.
        near_miss_share: How many questions differ from another in exactly one slot.
        session_share: How many requests begin a conversation.
        session_turns: The mean number of follow-ups in one.
        document_share: How many requests bring a document.
        priorities: The weights of critical, high, normal and low.
        input_lognormal: mu and sigma of a document's tokens; by default those of Azure's conversation trace of 2023.
        output_lognormal: mu and sigma of an answer's tokens, likewise.
        max_tokens: No length goes above this.

    Raises:
        ValueError: A setting is out of its range.

    Example:
        >>> [request.index for request in ESG(seed=7).take(3)]
        [0, 1, 2]
    """

    def __new__(
        cls,
        *,
        seed: int = 0,
        questions: int = 1000,
        zipf: float = 1.1,
        tenants: int | Sequence[str] = ...,
        languages: Sequence[_Language] = ...,
        model: str | None = None,
        paraphrase_share: float = 0.5,
        near_miss_share: float = 0.4,
        session_share: float = 0.0,
        session_turns: float = 2.0,
        document_share: float = 0.0,
        priorities: tuple[float, float, float, float] = ...,
        input_lognormal: tuple[float, float] = ...,
        output_lognormal: tuple[float, float] = ...,
        max_tokens: int = 8192,
    ) -> ESG: ...
    @property
    def seed(self) -> int:
        """The seed."""
    def __iter__(self) -> Iterator[Request]: ...
    def take(self, n: int) -> list[Request]:
        """The first ``n`` requests."""
    def digest(self, n: int) -> str:
        """The BLAKE3 digest of the first ``n`` requests as JSON lines."""
    def to_jsonl(self, path: str | Path, n: int) -> None:
        """Writes the first ``n`` requests as JSON lines."""
