"""A strict reader of the part of Graphviz's language that status@dot uses: quoted names, and attributes. As a program: reads FILE, checks
it, and prints its nodes and arrows, a line each, with their labels."""
import re
import sys

TOKEN = re.compile(r'\s*(?:"((?:[^"\\\n]|\\.)*)"|([A-Za-z_][A-Za-z_0-9]*|-?[0-9]+(?:\.[0-9]+)?)|(->|[{}\[\]=;,]))')


def tokens(text):
    at = 0
    while text[at:].strip():
        m = TOKEN.match(text, at)
        assert m, f"no token: {text[at:at + 40]!r}"
        assert m[1] is None or m[1].isprintable(), f"not printable: {m[1]!r}"
        yield ("text", m[1]) if m[1] is not None else ("word", m[2]) if m[2] else ("sign", m[3])
        at = m.end()


class Reader:
    def __init__(self, text):
        self.all, self.at, self.nodes, self.arrows = list(tokens(text)), 0, {}, []

    def next(self, kind=None, value=None):
        assert self.at < len(self.all), "ends too early"
        token = self.all[self.at]
        assert kind in (None, token[0]) and value in (None, token[1]), f"{token} is not {kind} {value or ''}"
        self.at += 1
        return token

    def has(self, value):
        return self.at < len(self.all) and self.all[self.at] == ("sign", value)

    def attributes(self):
        found = {}
        if not self.has("["):
            return found
        self.next()
        while not self.has("]"):
            name = self.next("word")[1]
            self.next("sign", "=")
            assert name not in found, f"{name} twice"
            found[name] = self.next()[1]
            if self.has(","):
                self.next()
        self.next()
        return found

    def statement(self):
        kind, name = self.next()
        if kind == "sign" and name == "{":
            while not self.has("}"):
                self.statement()
            self.next()
            return
        if kind == "word" and self.has("="):
            self.next()
            self.next()
        elif kind == "word":
            assert name in ("node", "edge", "graph"), name
            self.attributes()
        elif self.has("->"):
            self.next()
            other = self.next("text")[1]
            self.arrows.append((name, other, self.attributes()))
        else:
            assert name not in self.nodes, f"{name} twice"
            self.nodes[name] = self.attributes()
        self.next("sign", ";")

    def graph(self):
        self.next("word", "digraph")
        self.next("word")
        self.next("sign", "{")
        while not self.has("}"):
            self.statement()
        self.next()
        assert self.at == len(self.all), "goes on behind its end"


def unescaped(label):
    return re.sub(r"\\(.)", lambda e: "\n" if e[1] == "n" else e[1], label).replace("&amp;", "&")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8", newline="") as f:
        reader = Reader(f.read())
    reader.graph()
    for source, target, _ in reader.arrows:
        assert target.startswith("and more at ") or (source in reader.nodes and target in reader.nodes), (source, target)
    for node, with_ in reader.nodes.items():
        print(node, "is", repr(unescaped(with_["label"])))
    for source, target, with_ in reader.arrows:
        print(source, "->", target, with_["label"])
