"""COMPARE=old.json: what moved since an earlier run, beyond its own spread.

A figure has moved when its quartiles and those of the earlier run do not overlap. Where there is a reference that is measured in
turn, its ratio is compared, which a machine that is busy or slower changes least; else the figure itself. A figure without a spread
(a count, a size) has moved when it is another one by more than a hundredth.
"""

import json

EXACT = 0.01


def load(path):
    with open(path, encoding="utf-8") as text:
        old = json.load(text)
    if "rows" not in old:
        raise ValueError(f"{path} is no report of `make bench`: there are no rows in it")
    return old


def interval(value):
    """low, median, high of a summary or of a bare number."""
    if isinstance(value, dict):
        return value["low"], value["median"], value["high"]
    return value * (1 - EXACT), value, value * (1 + EXACT)


def figures(report):
    """{name: (summary or number, unit)} of all that two runs can have in common."""
    found = {}
    for row in report["rows"]:
        if "ratio" in row:
            found[f"{row['what']} / {row['reference']}"] = (row["ratio"], row["unit"])
        elif "ours" in row:
            found[row["what"]] = (row["ours"], row["unit"])
    for series in report.get("growth", []):
        for point in series["points"][1:]:
            found[f"{series['what']}, {series['axis']} {point['x']:,}"] = (point["ratio"], series["unit"])
    return found


def better_is_more(unit):
    return unit.endswith("/s")


def moved(old, new):
    """[(name, old median, new median, how many times as good)] of those beyond their spread, the worst first."""
    before, now = figures(old), figures(new)
    found = []
    for name in before.keys() & now.keys():
        (was, _), (value, unit) = before[name], now[name]
        low_was, median_was, high_was = interval(was)
        low, median, high = interval(value)
        if low <= high_was and low_was <= high:
            continue
        gain = median / median_was if median_was else float("inf")
        if not better_is_more(unit):
            gain = 1 / gain if gain else float("inf")
        found.append((name, median_was, median, gain))
    return sorted(found, key=lambda one: one[3])


def machine(report):
    return f"{report.get('processors')} x {report.get('processor')}, Linux {report.get('kernel')}"


def compare(old, new):
    """Prints it. Returns how many figures got worse."""
    print(f"\nCompared with the run of {old.get('date')}")
    if machine(old) != machine(new):
        print(f"  which was on another machine: {machine(old)}")
    if old.get("quick") != new.get("quick"):
        print("  of which one is short (QUICK=1), so that its spread says little")
    both = figures(old).keys() & figures(new).keys()
    found = moved(old, new)
    for name, was, now, gain in found:
        verdict = f"{gain:.2f} times as good" if gain >= 1 else f"WORSE, {gain:.2f} times as good"
        print(f"  {name:<80} {was:>9.3g} -> {now:<9.3g} {verdict}")
    worse = sum(gain < 1 for *_, gain in found)
    print(f"{len(both)} figures in both, {len(found) - worse} better, {worse} worse, {len(both) - len(found)} within their spread")
    return worse
