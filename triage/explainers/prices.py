"""What a call costs, and how sure that is.

Handed: an endpoint, a model and tokens, or a text that will be sent. Hands on: a :class:`Cost`. The price table
comes with the ``genai-prices`` package and nothing is looked up on the network. Three words say how the figure
came about: ``measured`` (the endpoint counted the tokens and the table knows the price), ``estimated`` (we
counted), ``unknown`` (no price for this model at this endpoint, which is never the same as free).

A price that the operator names counts before the table, inside as well: a gateway on a private address may pass the
question on to somebody who sends a bill. Without one an endpoint inside (loopback or private addresses) costs 0,
``measured``: nobody sends a bill per token. What the machine costs is not in it.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

#: Characters per token. Prose has about four; logs are addresses, digits and punctuation, and tokenise badly.
CHARACTERS_PER_TOKEN = 1.7


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars and how they are known: measured, estimated or unknown (then None)."""

    basis: str
    usd: float | None


UNKNOWN = Cost("unknown", None)
FREE = Cost("measured", 0.0)
#: Nothing was answered and nothing can have been: replies with an error status are not billed.
NOT_BILLED = Cost("estimated", 0.0)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens of the question and of the answer."""

    input_usd: float
    output_usd: float

    def of(self, asked: int, answered: int) -> float:
        """Return what so many tokens cost."""
        exact = Fraction(self.input_usd) * asked + Fraction(self.output_usd) * answered
        return float(exact / 1_000_000)


def length(text: str) -> int:
    """Return a text's length for an estimate: whatever is not ASCII counts as a token for each of its bytes.

    Emoji and rare letters come to several tokens each, and whoever writes a log chooses its letters.

    >>> length("root"), length("róot"), estimated_tokens(length("ó" * 100))
    (4, 7, 200)
    """
    if text.isascii():
        return len(text)
    plain = sum(map(str.isascii, text))
    others = len(text.encode("utf-8", "surrogatepass")) - plain
    return plain + math.ceil(CHARACTERS_PER_TOKEN * others)


def estimated_tokens(characters: int) -> int:
    """Return how many tokens a text of this length may have, on the high side for logs.

    >>> estimated_tokens(17)
    10
    """
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def estimate(
    *, base_url: str, model: str, inside: bool, characters: int, output_tokens: int, price: Price | None = None
) -> Cost:
    """Return the most that one exchange may cost before it is made: what to reserve for it."""
    tokens = estimated_tokens(characters)
    return _cost(base_url, (model,), inside, tokens, output_tokens, basis="estimated", price=price)


def with_unanswered(cost: Cost, unanswered: int, each: Cost) -> Cost:
    """Return a cost together with exchanges that ended without a reply and may have been billed.

    >>> with_unanswered(Cost("measured", 0.25), 2, Cost("estimated", 0.5))
    Cost(basis='estimated', usd=1.25)
    """
    if not unanswered:
        return cost
    if cost.usd is None or each.usd is None:
        return UNKNOWN
    free = each == FREE and cost.basis == "measured"
    return Cost("measured" if free else "estimated", cost.usd + unanswered * each.usd)


def settle(
    *,
    base_url: str,
    models: tuple[str, ...],
    inside: bool,
    input_tokens: int | None,
    output_tokens: int | None,
    characters: tuple[int, int] = (0, 0),
    price: Price | None = None,
) -> Cost:
    """Return what a call did cost. ``models`` are tried in order: the one that answered, the one that was asked.

    A count that the endpoint does not give is made from ``characters`` (question, answer), and the cost is then
    an estimate.
    """
    counted = input_tokens is not None and output_tokens is not None
    asked = estimated_tokens(characters[0]) if input_tokens is None else input_tokens
    answered = estimated_tokens(characters[1]) if output_tokens is None else output_tokens
    basis = "measured" if counted else "estimated"
    return _cost(base_url, models, inside, asked, answered, basis=basis, price=price)


def _cost(
    base_url: str,
    models: tuple[str, ...],
    inside: bool,
    asked: int,
    answered: int,
    *,
    basis: str,
    price: Price | None,
) -> Cost:
    if price is not None:
        return Cost(basis, price.of(asked, answered))
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
