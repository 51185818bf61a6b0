"""What can go wrong, by who can mend it; `report.py` turns each kind into an exit code.

Texts are one line, say what is wrong and what cures it, and never carry a secret.
"""


class MattermodError(Exception):
    """Anything we expected could happen."""


class Mistake(MattermodError):
    """The user can mend it (exit 2). Nothing of what it stands in the way of was written to GitHub."""


class MayNot(Mistake):
    """The token lacks a permission: `what` it may not do, and a cure.

    The event of the run may be to blame instead, if the token is the `main` one, which the job may have from GitHub.
    """

    def __init__(self, what: str, cure: str, *, main: bool = True) -> None:
        super().__init__(f"{what}: {cure}")
        self.what, self.main = what, main


class Down(MattermodError):
    """Something we depend on does not answer (exit 3). Running again is safe."""


class Unsure(Down):
    """A write was sent and its outcome is unknown: read back before doing anything else."""


class TooHeavy(Unsure):
    """GitHub ran out of time or of resources: a smaller question may be answered.

    It is `certain` where GitHub says so itself; a time-out may have other causes.
    """

    def __init__(self, message: str, *, certain: bool = False) -> None:
        super().__init__(message)
        self.certain = certain


class Limited(Down):
    """We were asked to slow down; the request was not carried out.

    `retry_after` is in seconds.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Late(Limited):
    """The time of a repository is over: nothing more is asked for it by this sweep, and this was not carried out."""

    def __init__(self) -> None:
        super().__init__("the time for this repository is over; the next sweep goes on with it", 3_600.0)


class Refused(MattermodError):
    """GitHub, git or AWS said no to this one target (locked, gone, too long, no room); the others go on.

    Red only when `fail-on` asks for it (exit 4).
    """


class Gone(Refused):
    """There is no such thing, or this token may not know of it."""


class SettingOff(Refused, Mistake):
    """GitHub says no to this target because of a setting; the others go on, and the run is red (exit 2)."""


class Overtaken(Refused):
    """What was decided on changed before it could be done; the next look at it decides anew."""


class Conflicting(Refused):
    """A change does not fit where it was to be brought: red only when `fail-on` asks for that."""


class FactUnavailable(MattermodError):
    """A feature asked for something that cannot be read here (offline, no token)."""


class Passed(FactUnavailable):
    """A feature has nothing to say for now, and nothing needs to be kept in mind for that."""


class Offline(FactUnavailable):
    """The plan is made without a token or without the network, so nothing is asked."""


class Scarce(FactUnavailable):
    """Reading it would take too many of the requests that the token has left in this hour."""


class Moved(Passed):
    """The head is not the one that is judged any more; the event of its push judges the new one."""


class Incomplete(Passed):
    """GitHub shows only a part of it, whenever it is asked."""


class NotYet(FactUnavailable):
    """It takes longer to read than was given for it, and is being read on."""


class Stopped(BaseException):
    """The runner asked us to stop (SIGINT 130, SIGTERM 143). State is resolved by the next run.

    It is no Exception: whoever goes on after what fails does not go on after this.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}; the next run takes over")
        self.exit_code = 128 + signal_number
