"""Rounds, medians, and what a row of the table asks for."""

import dataclasses
import statistics


@dataclasses.dataclass
class Goal:
    """`value` beside what it should reach. With `is_most` less is better: "at least" is then the most that it may be."""
    what: str
    value: float
    unit: str  # "x nginx", "MB", "ms"
    least: float | None = None
    aim: float | None = None
    is_most: bool = False

    def reaches(self, bar):
        return bar is None or (self.value <= bar if self.is_most else self.value >= bar)

    @property
    def share(self):
        """How far it gets, 1 being what is asked at least."""
        bar = self.least if self.least is not None else self.aim
        return bar / self.value if self.is_most else self.value / bar

    @property
    def verdict(self):
        if self.least is None and self.aim is None:
            return "told"
        if not self.reaches(self.least):
            return "**missed**"
        return "reached, and the aim" if self.aim is not None and self.reaches(self.aim) else "reached"


@dataclasses.dataclass
class Result:
    """What a row found: goals for the first table; `tables` of (heading, rows), and notes, for its own part."""
    title: str
    goals: list = dataclasses.field(default_factory=list)
    tables: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)


class Rounds:
    """What each contender did in each round."""

    def __init__(self):
        self.figures = {}

    def add(self, contender, figures):
        for name, value in figures.items():
            self.figures.setdefault(contender, {}).setdefault(name, []).append(value)

    def median(self, contender, name):
        return statistics.median(self.figures[contender][name])

    def ratio(self, contender, peer, name):
        return self.median(contender, name) / self.median(peer, name)

    def table(self, heading, **columns):
        """A line a contender; of each figure the median, with the lowest and the highest of the rounds."""
        lines = []
        for contender, figures in self.figures.items():
            line = [contender]
            for name, show in columns.items():
                values = figures.get(name)
                line.append(f"{show(statistics.median(values))} ({show(min(values))} to {show(max(values))})" if values else "")
            lines.append(line)
        return heading, lines


def in_turns(count, contenders):
    """Measures all contenders in each round, in one order and then in the other: a noisy neighbour does not meet one alone,
    and none always comes after the same one. `contenders` are functions that return figures, by name."""
    rounds = Rounds()
    for name in contenders:
        rounds.figures[name] = {}
    for number in range(count):
        names = list(contenders)
        for name in names if number % 2 == 0 else reversed(names):
            rounds.add(name, contenders[name]())
    return rounds


def per_second(value):
    return f"{value:,.0f}"


def milliseconds(value):
    return f"{1000 * value:.2f} ms"


def microseconds(value):
    return f"{1e6 * value:.1f} µs"


def loads(rounds, what):
    """The table of a row that was measured under load; `what` is what a request is."""
    return rounds.table(
        [f"{what}s a second", "p99", f"processor time of a {what}"], rate=per_second, p99=milliseconds, processor=microseconds)
