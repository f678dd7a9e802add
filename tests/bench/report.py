"""The table, build/bench.json and build/bench.svg."""

import json
import os
import platform
import shutil
import subprocess
import time

FLAT = 1.15


def growth_of(ratio):
    return "flat" if ratio["median"] <= FLAT else "flat or more" if ratio["low"] <= FLAT else "MORE"


def number(value):
    if value == 0:
        return "0"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


class Report:
    def __init__(self, build, quick):
        self.build = build
        self.rows = []
        self.series = []
        self.facts = {
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "quick": quick,
            "kernel": platform.release(),
            "processors": os.cpu_count(),
            "processor": self.processor(),
        }
        self.line("WHAT", "IPCFS", "UNIT", "REFERENCE", "OF", "RATIO", "QUARTILES", "GOAL", "")

    @staticmethod
    def processor():
        try:
            with open("/proc/cpuinfo", encoding="utf-8") as info:
                return next(line.partition(":")[2].strip() for line in info if line.startswith("model name"))
        except (OSError, StopIteration):
            return platform.machine()

    @staticmethod
    def line(what, ours, unit, theirs, of, ratio, spread, goal, verdict):
        text = f"{what:<46} {ours:>9} {unit:<9} {theirs:>9} {of:<34} {ratio:>6} {spread:>13} {goal:>7} {verdict}"
        print(text.rstrip(), flush=True)

    def section(self, title):
        print(f"\n{title}", flush=True)

    def compared(self, what, unit, results, ours, theirs, ratio, goal=None):
        """goal: (">=" or "<=", number), for ours divided by theirs."""
        reached = None
        if goal:
            reached = ratio["median"] >= goal[1] if goal[0] == ">=" else ratio["median"] <= goal[1]
        self.rows.append(
            {
                "what": what,
                "unit": unit,
                "ours": results[ours],
                "reference": theirs,
                "theirs": results[theirs],
                "ratio": ratio,
                "goal": f"{goal[0]} {goal[1]}" if goal else None,
                "reached": reached,
            }
        )
        self.line(
            what,
            number(results[ours]["median"]),
            unit,
            number(results[theirs]["median"]),
            theirs,
            f"{ratio['median']:.2f}",
            f"{ratio['low']:.2f}-{ratio['high']:.2f}",
            f"{goal[0]}{goal[1]:.2f}" if goal else "",
            "" if reached is None else "reached" if reached else "NOT REACHED",
        )

    def measured(self, what, unit, value, goal=None, note=""):
        """A figure that is compared with nothing; goal as above, for the value itself."""
        median = value["median"] if isinstance(value, dict) else value
        reached = None
        if goal:
            reached = median >= goal[1] if goal[0] == ">=" else median <= goal[1]
        self.rows.append(
            {
                "what": what,
                "unit": unit,
                "ours": value,
                "note": note,
                "goal": f"{goal[0]} {goal[1]}" if goal else None,
                "reached": reached,
            }
        )
        self.line(
            what,
            number(median),
            unit,
            "",
            note,
            "",
            "",
            f"{goal[0]}{goal[1]:g}" if goal else "",
            "" if reached is None else "reached" if reached else "NOT REACHED",
        )

    def grew(self, what, axis, unit, results, ratio, why=""):
        """results: {x: summary}; each is compared with the first x. why: the cause, where it is known to cost more."""
        first = next(iter(results))
        ratios = {x: ratio(x, first) for x in results}
        verdicts = {x: growth_of(r) + (f": {why}" if why and r["median"] > FLAT else "") for x, r in ratios.items()}
        self.series.append(
            {
                "what": what,
                "axis": axis,
                "unit": unit,
                "points": [
                    {"x": x, "value": value, "ratio": ratios[x], "verdict": verdicts[x]} for x, value in results.items()
                ],
            }
        )
        for x, value in results.items():
            self.line(
                f"{what}, {axis} {x:,}",
                number(value["median"]),
                unit,
                number(results[first]["median"]),
                f"{axis} {first:,}",
                f"{ratios[x]['median']:.2f}",
                f"{ratios[x]['low']:.2f}-{ratios[x]['high']:.2f}",
                "",
                verdicts[x] if x != first else "",
            )

    def skipped(self, what, why):
        self.rows.append({"what": what, "skipped": why})
        print(f"{what:<46} skipped: {why}", flush=True)

    def whole(self):
        return {**self.facts, "rows": self.rows, "growth": self.series}

    def finish(self, repeated, disturbed):
        self.facts.update(repetitions=repeated, disturbed=disturbed)
        with open(f"{self.build}/bench.json", "w", encoding="utf-8") as out:
            json.dump(self.whole(), out, indent=1)
            out.write("\n")
        goals = [row for row in self.rows if row.get("reached") is not None]
        missed = [row for row in goals if not row["reached"]]
        print(f"\n{len(goals) - len(missed)} of {len(goals)} goals reached" + (", not:" if missed else ""))
        for row in missed:
            value = row["ratio"]["median"] if "ratio" in row else row["ours"]
            value = value["median"] if isinstance(value, dict) else value
            print(f"  {row['what']}: {value:.2f}, goal {row['goal']}" + (f" of {row['reference']}" if "ratio" in row else ""))
        print(f"{self.facts['processors']} x {self.facts['processor']}, Linux {self.facts['kernel']}, {self.facts['date']}")
        if disturbed:
            print(f"disturbed: {disturbed} of {repeated} repetitions began while others used the processors")
        self.plot()

    def plot(self):
        if not shutil.which("gnuplot"):
            print("build/bench.svg is not drawn: gnuplot is missing (Debian: gnuplot-nox)")
            return
        rows = [row for row in self.rows if "ratio" in row]
        with open(f"{self.build}/bench.gp", "w", encoding="utf-8") as out:
            out.write(self.script(rows))
        done = subprocess.run(["gnuplot", f"{self.build}/bench.gp"], stderr=subprocess.PIPE, text=True, check=False)
        print("build/bench.json, build/bench.svg" if done.returncode == 0 else f"gnuplot: {done.stderr.strip()}")

    def script(self, rows):
        """Above, how many times as fast as each reference; below, growth."""

        def quote(text):
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

        def speed(row, which):
            slower = row["unit"] in ("ns", "%")
            value = row["ratio"][{"low": "high", "high": "low"}.get(which, which) if slower else which]
            return 1 / value if slower else value

        bars = "".join(
            f"{i} {speed(row, 'median'):.4g} {speed(row, 'low'):.4g} {speed(row, 'high'):.4g}"
            f" {quote(row['what'] + ' / ' + row['reference'])}\n"
            for i, row in enumerate(reversed(rows))
        )
        growth, plots = "", []
        for n, one in enumerate(self.series):
            growth += f"$growth{n} << EOD\n"
            growth += "".join(f"{max(p['x'], 1)} {p['ratio']['median']:.4g}\n" for p in one["points"])
            growth += "EOD\n"
            plots.append(f"$growth{n} using 1:2 with linespoints title {quote(one['what'] + ' by ' + one['axis'])}")
        height = 200 + 18 * len(rows)
        share = height / (height + 360)
        text = (
            f"set terminal svg size 1000,{height + 360} font 'sans,11' noenhanced background '#ffffff'\n"
            f"set output {quote(self.build + '/bench.svg')}\n"
            f"$bars << EOD\n{bars}EOD\n{growth}"
            "set multiplot\n"
            f"set origin 0,{1 - share}\nset size 1,{share}\n"
            "set title 'Speed of ipcfs, as a multiple of the reference (quartiles; right of 1 is faster)'\n"
            "set lmargin 62\nset logscale x\nset grid x\nunset key\n"
            f"set yrange [-1:{len(rows)}]\nset ytics nomirror\nset arrow 1 from 1,-1 to 1,{len(rows)} nohead lc '#808080'\n"
        )
        if rows:
            text += "plot $bars using 2:1:3:4:ytic(5) with xerrorbars pt 7 ps 0.6 lc '#2060a0'\n"
        if plots:
            text += (
                f"unset arrow 1\nset origin 0,0\nset size 1,{1 - share}\nset lmargin 10\n"
                "set title 'Growth: cost of an operation, as a multiple of the first point'\n"
                "set yrange [0:*]\nset ytics auto\nset grid\nset key outside right top\n"
                "plot " + ", ".join(plots) + "\n"
            )
        return text + "unset multiplot\n"
