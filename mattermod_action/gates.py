"""How every gate gives its verdict: of the head whose content was read, and never green for want of reading.

A verdict is planned from what is read now. Right before it is written the pull request is looked at once more
(`hands.Ensurer`): where head or base are other ones, or a label is there that must not be, the status is pending
instead. Where something cannot be read the status says so, as pending or, if reading again is of no use, as an error.
Without a token nothing is said. docs/decisions/0011-trust.md has the reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.errors import Down, FactUnavailable, Incomplete, MattermodError, Offline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mattermod_action.effects import Effect

Verdict = tuple[str, str]  # the state of a commit status, and its description
MOVED: Verdict = ("pending", "The pull request has changed meanwhile: it is judged again")
NOT_JUDGED = "Not judged: {reason}"


def judged(read: Callable[[], Iterator[Effect]], unknown: Callable[[Exception], Effect]) -> Iterator[Effect]:
    """Yield what follows from reading; or, where it cannot be read, that it is `unknown`, and raise.

    Raises FactUnavailable for what a sweep, or whoever starts the run again, may read later.
    """
    try:
        yield from [*read()]
    except Offline:
        raise
    except Exception as error:
        yield unknown(error)
        if isinstance(error, Down):
            raise FactUnavailable(str(error)) from error
        raise


def why(error: Exception) -> Verdict:
    """Say what stands in the way of a verdict; of a bug nothing but its kind."""
    reason = str(error) if isinstance(error, MattermodError) else f"an error of the bot ({type(error).__name__})"
    return "error" if isinstance(error, Incomplete) else "pending", NOT_JUDGED.format(reason=reason)
