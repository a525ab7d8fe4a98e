"""The report, in Markdown, and its chart."""

import datetime

import chart


def figure(goal):
    digits = 0 if goal.value >= 100 else 1 if goal.value >= 10 else 2 if goal.value >= 0.1 else 3
    return f"{goal.value:,.{digits}f} {goal.unit}"


def bar(goal, value):
    if value is None:
        return ""
    return f"{'at most ' if goal.is_most else ''}{value:g}"


def line(cells):
    return "| " + " | ".join(cells) + " |"


def table(heading, rows):
    return [line(heading), "|" + "---|" * len(heading), *map(line, rows), ""]


def write(path, bench, about, results, failures, seconds):
    goals = [goal for result in results.values() for goal in result.goals]
    text = [
        f"# Benchmark of {datetime.date.today().isoformat()}", "",
        f"Made by `scripts/bench` in {seconds / 60:.1f} minutes; see [README.md](README.md) for what the rows mean. All ratios are "
        "of one run, side by side.", ""]
    if failures:
        text += ["Rows that failed, and are missing below:", "", *(f"- {failure}" for failure in failures), ""]
    if goals:
        text += table(
            ["what", "measured", "at least", "aim", ""],
            [[goal.what, f"**{figure(goal)}**", bar(goal, goal.least), bar(goal, goal.aim), goal.verdict] for goal in goals])
    asked = [goal for goal in goals if goal.least is not None]
    if asked:
        picture = path.with_suffix(".svg")
        picture.write_text(chart.svg([(goal.what, goal.share, figure(goal)) for goal in asked]))
        text += [f"![How far each row gets, on a logarithmic scale, the line being what is asked at least]({picture.name})", ""]
    text += ["## Machine and versions", "", *table(["", ""], about)]
    for result in results.values():
        text += [f"## {result.title}", ""]
        for heading, rows in result.tables:
            text += table(["", *heading], rows)
        for note in result.notes:
            text += [note, ""]
    path.write_text("\n".join(text).rstrip() + "\n")
