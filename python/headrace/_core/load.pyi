from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import numpy as np
import numpy.typing as npt

from .queue import RequestQueue

__all__ = [
    "ESG",
    "Arrivals",
    "EsgIterator",
    "Estimate",
    "ProcessSampler",
    "Request",
    "Run",
    "Target",
    "batch_means",
    "block_bootstrap",
    "clopper_pearson",
    "closed_loop",
    "least_trials",
    "least_values",
    "machine_noise",
    "mean_interval",
    "mser5",
    "open_loop",
    "quantile_interval",
    "quantile_lower_bound",
    "quantile_upper_bound",
    "rate_lower_bound",
    "rate_upper_bound",
    "theil_sen",
    "wilson",
]

_Process: TypeAlias = Literal["constant", "poisson", "gamma"]
_Values: TypeAlias = Sequence[float] | npt.NDArray[np.float64]
_Priority: TypeAlias = Literal["critical", "high", "normal", "low"]
_Language: TypeAlias = Literal["en", "de", "fr", "pt"]

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
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
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
    def __iter__(self) -> EsgIterator: ...
    def take(self, n: int) -> list[Request]:
        """The first ``n`` requests."""
    def digest(self, n: int) -> str:
        """The BLAKE3 digest of the first ``n`` requests as JSON lines."""
    def to_jsonl(self, path: str | Path, n: int) -> None:
        """Writes the first ``n`` requests as JSON lines."""

@final
class EsgIterator(Iterator[Request]):
    """The requests of an ESG workload, one by one, without end."""

    def __iter__(self) -> EsgIterator: ...
    def __next__(self) -> Request: ...

@final
class Arrivals:
    """When requests are due. Rates are requests a second, lengths seconds.

    Example:
        >>> [float(at) for at in Arrivals.constant(4).times(3)]
        [0.0, 0.25, 0.5]
    """

    @staticmethod
    def constant(rate: float) -> Arrivals:
        """Evenly spaced, without end; the first at once.

        Raises:
            ValueError: The rate is not a positive number; so for all of these.
        """
    @staticmethod
    def poisson(rate: float) -> Arrivals:
        """Independent of one another, without end."""
    @staticmethod
    def gamma(rate: float, cv: float) -> Arrivals:
        """In bursts, without end.

        Args:
            rate: Requests a second.
            cv: Coefficient of variation of the gaps; 1 is Poisson. Azure's code trace of 2023 has 13.
        """
    @staticmethod
    def staged(
        stages: Sequence[tuple[float, float, float]], *, process: _Process = "poisson", cv: float = 1.0
    ) -> Arrivals:
        """Ramp, hold, spike: stages of (length, rate at its start, rate at its end).

        Args:
            stages: In order.
            process: How regular arrivals are at a rate.
            cv: For ``gamma``.

        Example:
            >>> Arrivals.staged([(10, 0, 100), (60, 100, 100), (5, 500, 500)]).length
            75.0
        """
    @staticmethod
    def day(rate: float, length: float, *, process: _Process = "poisson", cv: float = 1.0) -> Arrivals:
        """A day of office hours in ``length`` seconds, at ``rate`` on average; its shape is an assumption."""
    @staticmethod
    def season(rate: float, length: float, *, process: _Process = "poisson", cv: float = 1.0) -> Arrivals:
        """A reporting year in ``length`` seconds, at ``rate`` on average; its shape is an assumption."""
    @staticmethod
    def trace(path: str | Path, *, speed: float = 1.0) -> Arrivals:
        """As a recording says, which also sets the tokens of each request.

        Args:
            path: A CSV file with TIMESTAMP, ContextTokens and GeneratedTokens as Azure's, or JSON lines as Mooncake's.
            speed: 2 is twice as fast as recorded.

        Raises:
            ConfigError: The file cannot be read.
        """
    @property
    def length(self) -> float | None:
        """From the start to the end; None without end."""
    def times(self, n: int, *, seed: int = 0) -> npt.NDArray[np.float64]:
        """When the first ``n`` requests are due; fewer where the plan ends before."""

@final
class Target:
    """Of whom is asked."""

    @staticmethod
    def null() -> Target:
        """Answers at once: what is left is the generator's own cost."""
    @staticmethod
    def sleep(time: float, *, exponential: bool = False, seed: int = 0) -> Target:
        """Answers after ``time`` seconds, always or on average."""
    @staticmethod
    def stall(period: float, stall: float, *, service: float = 0.0, one_at_a_time: bool = False) -> Target:
        """Stands still for the first ``stall`` seconds of each ``period``, otherwise answers after ``service``."""
    @staticmethod
    def queue(queue: RequestQueue, *, workers: int = 4, service: float = 0.0) -> Target:
        """A request queue with workers of its own: a request is put, taken, acked, and its result waited for.

        `Run.extra` has ``enqueue_ms``, how long the put took, and ``queue_wait_ms``, from there to the worker.

        Args:
            queue: Workers take everything that is in it, whoever put it there.
            workers: How many take requests at once.
            service: For how many seconds a worker is busy with one.
        """
    @staticmethod
    def http(
        base_url: str,
        *,
        model: str,
        api_key: str | None = None,
        stream: bool = True,
        limit_tokens: bool = False,
        headers: dict[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Target:
        """An OpenAI-compatible server.

        Args:
            base_url: As in ``http://127.0.0.1:8080/v1``.
            model: For requests that name none.
            api_key: The bearer key; in no repr or message.
            stream: Whether to stream, which is what shows the time to first token.
            limit_tokens: Whether to ask for as many tokens as the workload says, as ``max_tokens``.
            headers: More headers.
            timeout: When a request is given up, in seconds.

        Raises:
            ConfigError: The URL is none, or a header cannot be sent.
        """
    @staticmethod
    def python(function: Callable[[Request], object], *, workers: int = 64) -> Target:
        """A Python callable, plain or async.

        It may return None; a reply of ``Client.chat``; or a dict with any of error, status, first_token, token_gaps
        (seconds), input_tokens, output_tokens, cached_input_tokens, cost (a Decimal), cache (exact, semantic, miss),
        text, retries and extra (other figures by name). An exception is a failure of the name of its class.

        Args:
            function: Called with a `Request`.
            workers: How many threads call a plain one, 1 to 400; waiting for one counts as the generator's lag.
        """

def open_loop(
    target: Target,
    requests: ESG | Iterable[Request | str],
    arrivals: Arrivals,
    *,
    length: float | None = None,
    limit: int | None = None,
    seed: int = 0,
    max_in_flight: int = 10_000,
    timeout: float | None = ...,
    drain: float = 30.0,
    max_lag: float = 0.01,
    progress: Callable[[dict[str, float]], object] | None = None,
) -> Run:
    """Sends requests when they are due, whatever became of the ones before.

    Args:
        target: Of whom is asked.
        requests: A workload, or requests that are asked in turn, over and over.
        arrivals: When they are due.
        length: No request is due at or after this, in seconds.
        limit: No more requests than this are due.
        seed: The seed of the arrivals.
        max_in_flight: A request that is due while so many are in flight is shed: counted, not sent.
        timeout: When a request counts as failed, in seconds from its sending; 30 where not given, None for never.
        drain: How long the last requests may take, in seconds; what is left is unfinished.
        max_lag: By how many seconds the generator may be late, at the 99th percentile, before the run is void.
        progress: Told five times a second: elapsed_s, sent, succeeded, failed, shed.

    Raises:
        ValueError: Nothing would end the run, or a setting is out of its range.
    """

def closed_loop(
    target: Target,
    requests: ESG | Iterable[Request | str],
    *,
    users: int,
    per_user: int | None = None,
    length: float | None = None,
    think: float = 0.0,
    think_exponential: bool = False,
    ramp: float = 0.0,
    seed: int = 0,
    timeout: float | None = ...,
    max_lag: float = 0.01,
    progress: Callable[[dict[str, float]], object] | None = None,
) -> Run:
    """Lets users ask, wait for the answer, think, and ask again.

    Args:
        target: Of whom is asked.
        requests: A workload, dealt out in order.
        users: How many ask at once.
        per_user: How many questions each asks.
        length: No question is asked at or after this, in seconds.
        think: Seconds between an answer and the next question.
        think_exponential: Whether that is a mean.
        ramp: The users begin one after the other over so many seconds.
        seed: The seed of the thinking.
        timeout: When a request counts as failed, in seconds; 30 where not given, None for never.
        max_lag: By how many seconds a Python target's own workers may be late, before the run is void.
        progress: Told five times a second: elapsed_s, sent, succeeded, failed, shed.

    Raises:
        ValueError: There is no user, or nothing would end the run.
    """

@final
class Run:
    """A run that is over."""

    @property
    def void(self) -> str | None:
        """Why nothing may be concluded from the run: the generator was the bottleneck. None where something may."""
    @property
    def length(self) -> float:
        """From the start to the end of the last request, in seconds."""
    @property
    def tenants(self) -> list[str]:
        """The names that ``samples()["tenant"]`` numbers."""
    @property
    def errors(self) -> list[str]:
        """The names that ``samples()["error"]`` numbers."""
    def warmup(self, rule: str | float = ...) -> int:
        """How many requests at the start are warm-up.

        Args:
            rule: ``mser5`` (where not given), ``none``, or a share of the run's time.
        """
    def samples(self) -> dict[str, npt.NDArray[Any]]:
        """A column for each figure, a row for each request in the order of sending.

        Times in seconds: intended, sent, end (since the start), latency (end - intended), service (end - sent),
        lag (sent - intended), first_token (from sent), token_gap (mean); NaN where there is none. Numbers: status
        (0 succeeded, 1 failed, 2 shed, 3 unfinished), error (of `errors`, or -1), tenant (of `tenants`), priority
        (0 critical to 3 low), cache (0 unsaid, 1 miss, 2 exact, 3 semantic), verdict (0 unknown, 1 right, 2 wrong hit),
        retries, input_tokens, output_tokens.
        """
    def costs(self) -> list[int | None]:
        """What each request cost, in attodollars (10^-18 USD); None where the target did not say."""
    def extra(self) -> dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
        """Other measurements by name: the rows they belong to, and the values."""
    def summary(
        self,
        *,
        warmup: str | float = ...,
        slo_latency: float | None = None,
        slo_first_token: float | None = None,
        slo_token_gap: float | None = None,
        interval: float = 1.0,
    ) -> dict[str, Any]:
        """What a report shows of the run.

        Args:
            warmup: What does not count: see `warmup`; by default nothing.
            slo_latency: An answer is good that came in so many seconds; good ones make the goodput.
            slo_first_token: Likewise, its first token.
            slo_token_gap: Likewise, the mean gap between its tokens.
            interval: The width of the time series, in seconds.
        """
    def __len__(self) -> int: ...

@final
class Estimate:
    """An estimate with its confidence interval; an end that the data do not bound is infinite."""

    @property
    def value(self) -> float:
        """The estimate."""
    @property
    def low(self) -> float:
        """The lower end."""
    @property
    def high(self) -> float:
        """The upper end."""
    def __iter__(self) -> Iterator[float]: ...

def wilson(successes: int, trials: int, confidence: float = 0.95) -> Estimate:
    """A rate by Wilson's score interval (1927), two-sided."""

def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Estimate:
    """A rate by the exact interval of Clopper and Pearson (1934), two-sided."""

def rate_lower_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """What a rate exceeds, one-sided and exact.

    Example:
        >>> rate_lower_bound(20, 20) > 0.90, rate_lower_bound(29, 29) > 0.90
        (False, True)
    """

def rate_upper_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """What a rate stays under, one-sided and exact."""

def least_trials(bound: float, confidence: float = 0.95) -> int:
    """How many trials without a failure show that a rate is above ``bound``.

    Example:
        >>> least_trials(0.90)
        29
    """

def least_values(q: float, confidence: float = 0.95) -> int:
    """How many values it takes to bound the quantile ``q`` from above at all.

    Example:
        >>> least_values(0.95), least_values(0.99)
        (59, 299)
    """

def quantile_interval(values: _Values, q: float, confidence: float = 0.95) -> Estimate:
    """A quantile of independent values, by order statistics, two-sided."""

def quantile_upper_bound(values: _Values, q: float, confidence: float = 0.95) -> float:
    """What a quantile of independent values stays under, one-sided; infinite where there are too few values."""

def quantile_lower_bound(values: _Values, q: float, confidence: float = 0.95) -> float:
    """What a quantile of independent values exceeds, one-sided; minus infinity where there are too few values."""

def t_quantile(p: float, freedom: float) -> float:
    """The quantile of Student's t distribution."""

def mean_interval(values: _Values, confidence: float = 0.95) -> Estimate:
    """The mean of independent values, by Student's t."""

def batch_means(values: _Values, batches: int = 20, confidence: float = 0.95) -> Estimate:
    """The mean of a settled series whose values depend on their neighbours, by batch means."""

def block_bootstrap(
    values: _Values,
    statistic: Literal["mean"] | float,
    *,
    block: int = 0,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """The mean or a quantile of such a series, by the moving-block bootstrap (Künsch 1989).

    Args:
        values: In order of time.
        statistic: ``"mean"``, or the quantile as 0.95.
        block: How many neighbours stay together; 0 takes twice the cube root of their number.
        resamples: How often to draw, at least 20.
        seed: The same seed gives the same interval.
        confidence: Of the two-sided interval.
    """

def mser5(values: _Values) -> int:
    """How many values at the start are warm-up, by MSER-5 (White, Cobb and Spratt 2000)."""

def theil_sen(x: _Values, y: _Values, confidence: float = 0.95) -> Estimate:
    """The slope of a line that a few outliers cannot move, with Sen's interval (1968): whether something grows."""

@final
class ProcessSampler:
    """Looks at a process again and again, on a thread of its own, until stopped; a context manager.

    Args:
        pid: Its id; by default this one.
        interval: Seconds between looks.

    Raises:
        ValueError: There is no such process.

    Example:
        >>> with ProcessSampler(interval=0.01) as sampler:
        ...     pass
        >>> len(sampler.samples()["rss"]) >= 2
        True
    """

    def __new__(cls, pid: int | None = None, *, interval: float = 0.5) -> ProcessSampler: ...
    def stop(self) -> None:
        """Ends the sampling; what was seen stays."""
    def __enter__(self) -> ProcessSampler: ...
    def __exit__(self, _kind: object, _error: object, _trace: object) -> None: ...
    def samples(self) -> dict[str, npt.NDArray[np.float64]]:
        """A row for each look: at (seconds), rss (bytes), cpu (seconds), files, threads; NaN where nobody says."""
    def leak(self, *, warmup: float = 0.1, confidence: float = 0.95) -> Estimate:
        """How fast memory grows, in bytes a second, after the first ``warmup`` share of the time (Theil-Sen).

        Raises:
            ValueError: Fewer than three looks are left.
        """

def machine_noise(length: float = 0.5) -> dict[str, float]:
    """How quiet the machine is: the same work over and over, for ``length`` seconds.

    Returns:
        loops; fastest_us, median_us, p99_us and slowest_us of one; lost_share, the share of time beyond the fastest.
    """
