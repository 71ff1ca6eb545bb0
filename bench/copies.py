"""What a module's copy has otherwise than the module, so that mypyc makes it fast.

- Dataclasses have an `__init__` that is there to be read. `dataclasses` makes up its own as the
  module is imported, so these stay interpreted, and those of frozen classes go through
  `object.__setattr__`: 2 µs where 0.1 µs do, for each of the messages and events that everything
  consists of.
- These dataclasses say that they are in no cycles, so that the collector, which is off while a
  scene runs, keeps no list of them: to take one out is to wait for the memory of those beside it.
- Classes that something interpreted inherits from say so.

Whatever it does is held against the sources: see `bench.compiled`.
"""

from __future__ import annotations

import ast

OPEN = "@mypyc_attr(allow_interpreted_subclasses=True)"
ACYCLIC = "@mypyc_attr(acyclic=True)"


def copied(source: str, *, inherited: bool = False) -> str:
    """The copy of a module; ``inherited`` says that its classes are inherited from elsewhere."""
    lines = source.splitlines()
    classes = [part for part in ast.parse(source).body if isinstance(part, ast.ClassDef)]
    told = inherited and bool(classes)
    for part in reversed(classes):
        call = _dataclass(part)
        init = _init(part) if call is not None else None
        if call is not None and init is not None:
            lines[part.end_lineno : part.end_lineno] = init
            lines[call.lineno - 1] = _decorated(call)
            if not inherited:
                lines.insert(_first_line(part) - 1, ACYCLIC)
                told = True
        if inherited:
            lines.insert(_first_line(part) - 1, OPEN)
    if told:
        lines.insert(_first_line(classes[0]) - 1, "from mypy_extensions import mypyc_attr")
    return "\n".join(lines) + "\n"


def _first_line(part: ast.ClassDef) -> int:
    return min((decorator.lineno for decorator in part.decorator_list), default=part.lineno)


def _dataclass(part: ast.ClassDef) -> ast.Call | None:
    """What makes a class a dataclass, if it is nothing but that."""
    match part:
        case ast.ClassDef(
            bases=[], decorator_list=[ast.Call(func=ast.Name(id="dataclass")) as call]
        ):
            return call
    return None


def _decorated(dataclass: ast.Call) -> str:
    """A class that is not frozen: whatever changes one that was has been found by mypy."""
    words = {word.arg: ast.unparse(word.value) for word in dataclass.keywords}
    if words.pop("frozen", "False") == "True":
        words["unsafe_hash"] = "True"  # the same hash as before
    words["init"] = "False"
    return f"@dataclass({', '.join(f'{name}={value}' for name, value in words.items())})"


def _init(part: ast.ClassDef) -> list[str] | None:
    """The lines of a dataclass's `__init__`; None if it is out of the ordinary."""
    arguments, steps = ["self"], []
    for field in part.body:
        if not isinstance(field, ast.AnnAssign):
            continue
        name, kind = ast.unparse(field.target), ast.unparse(field.annotation)
        match field.value:
            case None:
                arguments.append(f"{name}: {kind}")
                steps.append(f"self.{name} = {name}")
            case ast.Call(
                func=ast.Name(id="field"),
                args=[],
                keywords=[ast.keyword(arg="default_factory", value=make)],
            ):
                arguments.append(f"{name}: {kind} | None = None")
                made = f"{ast.unparse(make)}() if {name} is None else {name}"
                steps.append(f"self.{name} = {made}")
            case ast.Call(func=ast.Name(id="field")):
                return None
            case value:
                arguments.append(f"{name}: {kind} = {ast.unparse(value)}")
                steps.append(f"self.{name} = {name}")
    if any(isinstance(m, ast.FunctionDef) and m.name == "__post_init__" for m in part.body):
        steps.append("self.__post_init__()")
    head = f"    def __init__({', '.join(arguments)}) -> None:"
    return [head, *(f"        {step}" for step in steps or ["pass"])]
