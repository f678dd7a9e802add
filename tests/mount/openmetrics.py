"""A strict reader of OpenMetrics 1.0 text, of the types that Prometheus's older format has too. As a program: reads FILE, checks it, and
prints the value of each SAMPLE that follows, such as 'ipcfs_depth{kind="mq",name="q"}'; labels as they are meant, not as escaped."""
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
SUFFIXES = {"counter": ["_total", "_created"], "gauge": [""]}


def labels_of(text):
    found, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        assert m, f"bad labels at {text[at:]!r}"
        assert m[1] not in found, f"label {m[1]} twice"
        found[m[1]] = re.sub(r"\\(.)", lambda e: "\n" if e[1] == "n" else e[1], m[2])
        at = m.end()
        if at < len(text):
            assert text[at] == "," and at + 1 < len(text), f"bad labels at {text[at:]!r}"
            at += 1
    return tuple(sorted(found.items()))


def descriptor(line, families, current):
    _, what, name, rest = line.split(" ", 3)
    assert what in ("HELP", "TYPE", "UNIT") and re.fullmatch(NAME, name), line
    if name != current:
        assert name not in families, f"{name} is not in one piece"
        families[name] = {}
    assert what not in families[name] and "samples" not in families[name], f"{what} of {name} twice or late"
    families[name][what] = rest
    assert what != "TYPE" or rest in SUFFIXES, line
    assert what != "UNIT" or name.endswith("_" + rest), line
    return name


def sample(line, families, current, samples):
    m = re.fullmatch(rf"({NAME})(?:\{{(.*)\}})? ([0-9.eE+-]+)", line)
    assert m, f"no sample: {line!r}"
    family = families[current]
    assert m[1] in [current + s for s in SUFFIXES[family["TYPE"]]], f"{m[1]} is no sample of {current}"
    family["samples"] = True
    key = m[1], labels_of(m[2] or "")
    assert key not in samples, f"{key} twice"
    samples[key] = float(m[3])
    assert family["TYPE"] != "counter" or samples[key] >= 0, line


def parse(text):
    assert text.endswith("# EOF\n"), "no # EOF at the end"
    families, samples, current = {}, {}, None
    for line in text.split("\n")[:-2]:
        assert line and line != "# EOF" and line.isprintable(), f"no line: {line!r}"
        if line.startswith("#"):
            current = descriptor(line, families, current)
        else:
            assert current, f"a sample of nothing: {line}"
            sample(line, families, current, samples)
    return samples


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8", newline="") as f:
        all_samples = parse(f.read())
    for wanted in sys.argv[2:]:
        name, _, labels = wanted.partition("{")
        value = all_samples.get((name, labels_of(labels[:-1] if labels else "")))
        print("none" if value is None else f"{value:.0f}")
