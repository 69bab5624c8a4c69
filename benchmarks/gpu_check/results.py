"""What the parts find out."""

from dataclasses import dataclass, field

PASSED, FAILED, CUT, LEFT_OUT = 'passed', 'failed', 'cut', 'left out'


@dataclass
class Check:
    """Something that passed, failed, was cut for lack of time or left out."""
    name: str
    status: str
    note: str = ''
    seconds: float = 0.0


@dataclass
class Part:
    """The results of a part, which grow while it runs."""
    name: str
    title: str
    checks: list = field(default_factory=list)   # [Check]
    speeds: list = field(default_factory=list)   # [dict], as `speed_work` yields them
    facts: dict = field(default_factory=dict)    # What else belongs into the report.
    seconds: float = 0.0

    def add(self, name, status, note='', seconds=0.0):
        """Append a check and return it."""
        self.checks.append(Check(name, status, note, seconds))
        return self.checks[-1]

    @property
    def status(self) -> str:
        """Return the worst status of the checks; a part without checks was cut."""
        seen = {check.status for check in self.checks} or {CUT}
        return next(status for status in (FAILED, CUT, PASSED, LEFT_OUT) if status in seen)

    @property
    def is_good(self) -> bool:
        """Return whether nothing failed and nothing was cut."""
        return self.status in (PASSED, LEFT_OUT)
