"""Windows of time in which activities go otherwise than usual: outages and slow times."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from wfsim.model.duration import Duration

from .distributions import Delay, Distribution, Part


class Window(Part):
    """From one time after `begins` until another, which is not in it; anew after `repeat`, if that is given."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Duration = Field(alias="from")
    until: Duration
    repeat: Duration | None = None

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.until <= self.from_:
            raise ValueError(
                f"a window from {self.from_.spelled()} until {self.until.spelled()} holds no time. Let it end later."
            )
        if self.repeat is not None and self.repeat < self.until:
            raise ValueError(
                f"a window until {self.until.spelled()} cannot repeat after {self.repeat.spelled()}. Repeat later."
            )
        return self

    @property
    def span(self) -> tuple[int, int, int]:
        """When it begins and ends, and after which time it does so anew, or 0; in microseconds."""
        return int(self.from_), int(self.until), int(self.repeat or 0)

    def holds(self, time: int) -> bool:
        """Whether a time in microseconds lies in it."""
        begin, end, period = self.span
        return begin <= (time % period if period else time) < end


class Outage(Window):
    """Attempts that begin in it fail, at once or after a time, or hang and never report."""

    error_type: str | None = None
    fails_after: Delay = Distribution(constant=Duration(0))
    hangs: bool = False

    @model_validator(mode="after")
    def _ends_or_hangs(self) -> Self:
        if self.hangs == (self.error_type is not None):
            raise ValueError("in an outage attempts fail with an error_type, or hangs: true. Give one of them.")
        if self.hangs and self.fails_after != Distribution(constant=Duration(0)):
            raise ValueError("fails_after goes with error_type: what hangs never reports.")
        return self


class SlowTime(Window):
    """Attempts that begin in it take so many times as long."""

    factor: Annotated[float, Field(gt=0.0, le=1_000_000.0)]
