"""Shell text to a tree of commands: quotes, comments, here-documents, substitutions and compound commands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

DEEPEST = 40


class BrokenShell(ValueError):
    """Not shell that this reader understands."""


@dataclass
class Word:
    """One word without its quotes, with the scripts of the substitutions in it."""

    text: str
    line: int
    quoted: bool = False
    inner: list[tuple[str, int]] = field(default_factory=list)
    operator: bool = False


@dataclass
class Simple:
    """A simple command: assignments before it, its words, its redirections left out."""

    words: list[Word]
    line: int


@dataclass
class Compound:
    """A group, subshell, `if`, loop, `case` or function: `parts` are its bodies, in the order of the text."""

    kind: str
    line: int
    parts: list[list[Statement]] = field(default_factory=list)
    otherwise: list[Statement] | None = None
    name: str = ""


@dataclass
class Pipeline:
    """Commands joined by |."""

    commands: list[Simple | Compound]
    negated: bool = False


@dataclass
class Statement:
    """Pipelines joined by && and ||; `operators[i]` stands before `pipelines[i + 1]`."""

    pipelines: list[Pipeline]
    operators: list[str]
    line: int
    background: bool = False


_OPERATORS = ("&&", "||", ";;&", ";;", ";&", "|&", ";", "|", "&", "(", ")", "\n")
_REDIRECTION = re.compile(r"<<-|<<<|<<|&>>|&>|>>|>\||<>|[<>]&?")


def words(text: str, line: int = 1) -> list[Word]:
    """The words and operators of a shell text. BrokenShell where a quote is never closed."""
    found: list[Word] = []
    heredocs: list[tuple[str, bool]] = []
    at, size = 0, len(text)
    while at < size:
        sign = text[at]
        if sign in " \t":
            at += 1
        elif text.startswith("\\\n", at):
            at, line = at + 2, line + 1
        elif sign == "#":
            at = _end_of_line(text, at)
        elif sign == "\n":
            found.append(Word("\n", line, operator=True))
            at, line = at + 1, line + 1
            while heredocs:
                at, line = _after_heredoc(text, at, line, *heredocs.pop(0))
        elif text.startswith(("<(", ">("), at):
            word, at, line = _word(text, at, line)
            found.append(word)
        elif redirection := _REDIRECTION.match(text, at):
            if found and found[-1].text.isdigit() and not found[-1].operator and text[at - 1] not in " \t":
                found.pop()
            at = redirection.end()
            while at < size and text[at] in " \t":
                at += 1
            if at >= size or text[at] == "\n":
                continue
            target, at, line = _word(text, at, line)
            if redirection[0] in ("<<", "<<-"):
                heredocs.append((target.text, redirection[0] == "<<-"))
        elif operator := next((one for one in _OPERATORS if text.startswith(one, at)), ""):
            found.append(Word(operator, line, operator=True))
            at += len(operator)
        else:
            word, at, line = _word(text, at, line)
            found.append(word)
    return found


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _after_heredoc(text: str, at: int, line: int, delimiter: str, tabs: bool) -> tuple[int, int]:
    while at < len(text):
        end = _end_of_line(text, at)
        row = text[at:end]
        at, line = min(end + 1, len(text)), line + 1
        if (row.lstrip("\t") if tabs else row.strip()) == delimiter:
            break
    return at, line


def _word(text: str, at: int, line: int) -> tuple[Word, int, int]:
    """One word from `at`: its text without quotes, where it ends, and the line there."""
    word, pieces, size = Word("", line), [], len(text)
    while at < size:
        sign = text[at]
        if sign in " \t\n;&|()<>" and not text.startswith(("<(", ">("), at):
            break
        if sign == "\\":
            if at + 1 < size and text[at + 1] == "\n":
                line += 1
            else:
                pieces.append(text[at + 1 : at + 2])
            at += 2
        elif sign == "'":
            end = text.find("'", at + 1)
            if end < 0:
                raise BrokenShell(f"the quote of line {line} is never closed")
            pieces.append(text[at + 1 : end])
            line += text.count("\n", at, end)
            word.quoted, at = True, end + 1
        elif sign == '"':
            at, line = _double_quoted(text, at + 1, line, word, pieces)
        elif sign in "$`" or text.startswith(("<(", ">("), at):
            at, line = _substitution(text, at, line, word, pieces)
        else:
            pieces.append(sign)
            at += 1
    if not pieces and not word.quoted and not word.inner:
        at += 1
    word.text = "".join(pieces)
    return word, at, line


def _double_quoted(text: str, at: int, line: int, word: Word, pieces: list[str]) -> tuple[int, int]:
    word.quoted = True
    while at < len(text):
        sign = text[at]
        if sign == '"':
            return at + 1, line
        if sign == "\\":
            pieces.append(text[at + 1 : at + 2] if text[at + 1 : at + 2] in '"\\$`' else text[at : at + 2])
            line += text[at + 1 : at + 2] == "\n"
            at += 2
        elif sign in "$`":
            at, line = _substitution(text, at, line, word, pieces)
        else:
            line += sign == "\n"
            pieces.append(sign)
            at += 1
    raise BrokenShell(f"a quote before line {line} is never closed")


def _substitution(text: str, at: int, line: int, word: Word, pieces: list[str]) -> tuple[int, int]:
    """Takes `$(…)`, backticks, `${…}`, `$((…))`, `${{ … }}` or `$name` as one piece; scripts in it are kept aside."""
    start = at
    if text.startswith("${{", at):
        end = text.find("}}", at)
        end = len(text) if end < 0 else end + 2
    elif text.startswith("$((", at) and "))" in text[at:]:
        end = text.index("))", at) + 2
    elif text.startswith(("$(", "<(", ">("), at):
        end = _closing(text, at + 2, "(", ")")
        word.inner.append((text[at + 2 : end - 1], line))
    elif text.startswith("${", at):
        end = _closing(text, at + 2, "{", "}")
    elif text[at] == "`":
        end = text.find("`", at + 1)
        if end < 0:
            raise BrokenShell(f"the backtick of line {line} is never closed")
        word.inner.append((text[at + 1 : end], line))
        end += 1
    else:
        end = at + 1
    pieces.append(text[start:end])
    return end, line + text.count("\n", start, end)


def _closing(text: str, at: int, opening: str, closing: str) -> int:
    """The place behind the sign that closes what opened before `at`; quotes and comments between do not count."""
    depth, quote = 1, ""
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            at += 1
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign == opening:
            depth += 1
        elif sign == closing:
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise BrokenShell(f"{opening} is never closed")


class _Reader:
    """Reads words into statements, one place ahead."""

    def __init__(self, found: list[Word]) -> None:
        self.found = found
        self.at = 0
        self.depth = 0

    def peek(self) -> Word | None:
        return self.found[self.at] if self.at < len(self.found) else None

    def is_operator(self, *texts: str) -> bool:
        one = self.peek()
        return one is not None and one.operator and one.text in texts

    def is_word(self, *texts: str) -> bool:
        one = self.peek()
        return one is not None and not one.operator and not one.quoted and one.text in texts

    def take(self) -> Word:
        self.at += 1
        return self.found[self.at - 1]

    def expect(self, text: str) -> None:
        if not (self.is_word(text) or self.is_operator(text)):
            one = self.peek()
            raise BrokenShell(f"{text} was expected" + (f" on line {one.line}" if one else " at the end"))
        self.at += 1

    def body(self, *ends: str) -> list[Statement]:
        """Statements up to one of the words or operators in `ends` (left in place) or the end."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise BrokenShell("nested too deep")
        found: list[Statement] = []
        while (one := self.peek()) is not None:
            if one.operator and one.text in (";", "\n", "&"):
                self.at += 1
            elif self.is_word(*ends) or self.is_operator(*ends):
                break
            else:
                found.append(self.statement())
        self.depth -= 1
        return found

    def statement(self) -> Statement:
        start = self.peek()
        line = start.line if start else 1
        pipelines, operators = [self.pipeline()], []
        while self.is_operator("&&", "||"):
            operators.append(self.take().text)
            while self.is_operator("\n"):
                self.at += 1
            pipelines.append(self.pipeline())
        background = self.is_operator("&")
        if self.is_operator("&", ";", "\n"):
            self.at += 1
        return Statement(pipelines, operators, line, background)

    def pipeline(self) -> Pipeline:
        negated = False
        while self.is_word("!", "time"):
            negated ^= self.take().text == "!"
        commands = [self.command()]
        while self.is_operator("|", "|&"):
            self.at += 1
            while self.is_operator("\n"):
                self.at += 1
            commands.append(self.command())
        return Pipeline(commands, negated)

    def command(self) -> Simple | Compound:
        one = self.peek()
        if one is None:
            raise BrokenShell("a command was expected at the end")
        if self.is_operator("("):
            return self.closed(Compound("subshell", self.take().line), ")")
        if one.operator:
            raise BrokenShell(f"{one.text!r} where a command was expected on line {one.line}")
        readers = {"{": self.group, "if": self.branches, "while": self.loop, "until": self.loop, "for": self.each}
        readers |= {"select": self.each, "case": self.case, "function": self.function}
        if not one.quoted and one.text in readers:
            return self.after_redirections(readers[one.text]())
        return self.simple()

    def after_redirections(self, made: Compound) -> Compound:
        while (one := self.peek()) is not None and not one.operator and one.text.isdigit():
            self.at += 1
        return made

    def closed(self, made: Compound, end: str) -> Compound:
        made.parts.append(self.body(end))
        self.expect(end)
        return made

    def group(self) -> Compound:
        return self.closed(Compound("group", self.take().line), "}")

    def branches(self) -> Compound:
        made = Compound("if", self.take().line)
        while True:
            made.parts.append(self.body("then"))
            self.expect("then")
            made.parts.append(self.body("elif", "else", "fi"))
            if self.is_word("elif"):
                self.at += 1
                continue
            if self.is_word("else"):
                self.at += 1
                made.otherwise = self.body("fi")
            self.expect("fi")
            return made

    def loop(self) -> Compound:
        made = Compound(self.peek().text, self.take().line)
        made.parts.append(self.body("do"))
        self.expect("do")
        return self.closed(made, "done")

    def each(self) -> Compound:
        made = Compound("for", self.take().line, [[]])
        while self.peek() is not None and not self.is_word("do"):
            self.at += 1
        self.expect("do")
        return self.closed(made, "done")

    def case(self) -> Compound:
        made = Compound("case", self.take().line)
        while self.peek() is not None and not self.is_word("in"):
            self.at += 1
        self.expect("in")
        while self.peek() is not None and not self.is_word("esac"):
            if self.is_operator("\n", ";;", ";&", ";;&"):
                self.at += 1
                continue
            while self.peek() is not None and not self.is_operator(")"):
                self.at += 1
            self.expect(")")
            made.parts.append(self.body(";;", ";&", ";;&", "esac"))
        self.expect("esac")
        return made

    def function(self) -> Compound:
        line = self.take().line
        made = Compound("function", line, name=self.take().text)
        if self.is_operator("("):
            self.at += 1
            self.expect(")")
        return self.function_body(made)

    def function_body(self, made: Compound) -> Compound:
        while self.is_operator("\n"):
            self.at += 1
        body = self.command()
        made.parts.append(body.parts[0] if isinstance(body, Compound) and body.kind in ("group", "subshell") else [])
        return made

    def simple(self) -> Simple | Compound:
        made = Simple([], self.peek().line)
        while (one := self.peek()) is not None and not one.operator:
            made.words.append(self.take())
        if len(made.words) == 1 and self.is_operator("(") and self.found[self.at + 1 : self.at + 2]:
            after = self.found[self.at + 1]
            if after.operator and after.text == ")":
                self.at += 2
                return self.function_body(Compound("function", made.line, name=made.words[0].text))
            self.skip_parentheses()
            return self.simple() if self.peek() is not None and not self.peek().operator else made
        return made

    def skip_parentheses(self) -> None:
        """An array assignment: `names=(a b c)`."""
        depth = 0
        while self.peek() is not None:
            one = self.take()
            depth += one.operator and one.text == "("
            depth -= one.operator and one.text == ")"
            if depth <= 0:
                return


def parse(text: str, line: int = 1) -> list[Statement]:
    """The statements of a shell text whose first line is `line`.

    Text that is not shell as a whole is read line by line, and lines that are not shell on their own are left out.
    """
    try:
        reader = _Reader(words(text, line))
        found = reader.body()
        if reader.peek() is not None:
            raise BrokenShell("something is left over")
        return found
    except (BrokenShell, IndexError, RecursionError):
        if "\n" not in text:
            return []
    found = []
    for place, row in enumerate(text.split("\n")[:5_000]):
        found += parse(row, line + place)
    return found
