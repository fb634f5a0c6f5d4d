"""What a call costs, and how sure that is.

Handed: an endpoint, a model and tokens, or a text that will be sent. Hands on: a :class:`Cost`. The price table
comes with the ``genai-prices`` package and nothing is looked up on the network. Three words say how the figure
came about: ``measured`` (the endpoint counted the tokens and the table knows the price), ``estimated`` (we
counted), ``unknown`` (no price for this model at this endpoint, which is never the same as free).

An endpoint inside (loopback or private addresses) costs 0, ``measured``: nobody sends a bill per token. What the
machine costs is not in it.
"""

import math
from dataclasses import dataclass

#: Characters per token. Prose has about four; logs are addresses, digits and punctuation, and tokenise badly.
CHARACTERS_PER_TOKEN = 1.7


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars and how they are known: measured, estimated or unknown (then None)."""

    basis: str
    usd: float | None


UNKNOWN = Cost("unknown", None)
FREE = Cost("measured", 0.0)


def estimated_tokens(characters: int) -> int:
    """Return how many tokens a text of this length may have, on the high side for logs.

    >>> estimated_tokens(17)
    10
    """
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def estimate(*, base_url: str, model: str, inside: bool, characters: int, output_tokens: int) -> Cost:
    """Return the most that a call may cost before it is made: what to reserve."""
    tokens = estimated_tokens(characters)
    return _cost(base_url, (model,), inside, tokens, output_tokens, basis="estimated")


def settle(
    *,
    base_url: str,
    models: tuple[str, ...],
    inside: bool,
    input_tokens: int | None,
    output_tokens: int | None,
    characters: tuple[int, int] = (0, 0),
) -> Cost:
    """Return what a call did cost. ``models`` are tried in order: the one that answered, the one that was asked.

    A count that the endpoint does not give is made from ``characters`` (question, answer), and the cost is then
    an estimate.
    """
    counted = input_tokens is not None and output_tokens is not None
    asked = estimated_tokens(characters[0]) if input_tokens is None else input_tokens
    answered = estimated_tokens(characters[1]) if output_tokens is None else output_tokens
    return _cost(base_url, models, inside, asked, answered, basis="measured" if counted else "estimated")


def _cost(base_url: str, models: tuple[str, ...], inside: bool, asked: int, answered: int, *, basis: str) -> Cost:
    if inside:
        return FREE
    for model in models:
        usd = _table_price(base_url, model, asked, answered) if model else None
        if usd is not None:
            return Cost(basis, usd)
    return UNKNOWN


def _table_price(base_url: str, model: str, asked: int, answered: int) -> float | None:
    """Return the table's price; None for an endpoint or model that it does not have."""
    from genai_prices import Usage, calc_price  # half a second that only a paid call needs

    try:
        usage = Usage(input_tokens=asked, output_tokens=answered)
        return float(calc_price(usage, model, provider_api_url=base_url).total_price)
    except (LookupError, ValueError):
        return None
