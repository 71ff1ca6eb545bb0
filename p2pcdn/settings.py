"""Where the value of a setting comes from: a flag, else the environment, else the TOML file,
else its default.

A setting goes by one dotted key everywhere: `tracker.links` is ``--set tracker.links=8``, the
variable ``P2PCDN_TRACKER_LINKS`` and ``links`` in the table ``[tracker]``. A key that nobody
knows, or a value of the wrong type, is refused with a sentence that says where it stands and what
would be right: a typo that is silently ignored costs an evening. What is said of one site, such as
`sites.pk_demo.enabled`, has no variable: an environment has no tables.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeGuard,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from p2pcdn.config import (
    SECRET,
    SITE_PATTERN,
    Config,
    Content,
    Section,
    SiteConfig,
    content_at,
)
from p2pcdn.errors import ConfigError

PREFIX = "P2PCDN_"
FILE_VARIABLE = "P2PCDN_CONFIG"
"""Names the TOML file where no flag does."""

MASK = "********"
"""What is printed for a secret, however long it is."""

_KUBERNETES = re.compile(r"P2PCDN_(SERVICE_(HOST|PORT).*|PORT(_\d+_(TCP|UDP).*)?)")
"""What Kubernetes sets in every pod beside a service called ``p2pcdn``: not meant for us."""


class Setting(NamedTuple):
    """One thing that can be set."""

    key: str
    type: Any
    """What a given value has to be, bounds included."""
    default: Any
    description: str
    secret: bool = False
    """Its value is for nobody to see."""

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.key.upper().replace(".", "_")

    @property
    def is_list(self) -> bool:
        return any(get_origin(option) is tuple for option in _options(self.type))


class Given(NamedTuple):
    """A value that somebody gave, and where."""

    value: Any
    source: str
    text: bool
    """It was written as text and has yet to become a number or a list."""


class Settings(NamedTuple):
    """The configuration, and for each key that is not at its default where it was set."""

    config: Config
    sources: dict[str, str]
    file: Path | None = None
    """The TOML file, if there is one."""
    again: Callable[[], Config] = Config
    """Reads the file again; flags and environment are as they were. `ConfigError` as in `load`."""


def _describe(section: type[Section], prefix: str = "") -> Iterator[Setting]:
    hints = get_type_hints(section, include_extras=True)
    for field in msgspec.structs.fields(section):
        hint = hints[field.name]
        if _is_section(hint):
            continue  # below: in a file, tables come after what belongs to none of them
        if get_origin(hint) is dict:
            continue  # a table for each of many: see SITE_SETTINGS
        meta = next(part for part in get_args(hint) if isinstance(part, msgspec.Meta))
        secret = SECRET in get_args(hint)
        yield Setting(
            prefix + field.name, _given(hint), field.default, meta.description or "", secret
        )
    for name, hint in hints.items():
        if _is_section(hint):
            yield from _describe(hint, f"{prefix}{name}.")


def _is_section(hint: Any) -> TypeGuard[type[Section]]:
    return isinstance(hint, type) and issubclass(hint, Section)


def _given(hint: Any) -> Any:
    """The type of a value that is given: without the None of what may be unset, for which msgspec
    knows no bounds."""
    kind, *marks = get_args(hint)
    if get_origin(kind) not in (Union, types.UnionType):
        return hint
    (kind,) = (option for option in get_args(kind) if option is not types.NoneType)
    return Annotated[(kind, *marks)]


def _options(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a union, or of a choice of texts; of any other type itself."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType, Literal) else (hint,)


def _names(hint: Any) -> tuple[str, ...]:
    """The names of what has to be in each table, where a setting is a list of tables."""
    (inner, *_) = get_args(get_args(hint)[0]) or (None,)
    fields = msgspec.structs.fields(inner) if _is_section(inner) else ()
    return tuple(field.name for field in fields if field.required)


SETTINGS: dict[str, Setting] = {setting.key: setting for setting in _describe(Config)}
"""Every setting by its dotted key, in the order of the file."""

SITE_SETTINGS: dict[str, Setting] = {
    setting.key.rpartition(".")[2]: setting for setting in _describe(SiteConfig, "sites.NAME.")
}
"""What can be said of each site, by its name in the site's table."""


def load(
    *,
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Put the configuration together; `ConfigError` says in one sentence what is wrong with it.

    ``flags`` are texts by dotted key, as given on the command line.
    """
    environ = os.environ if environ is None else environ
    if file is None and environ.get(FILE_VARIABLE):
        file = Path(environ[FILE_VARIABLE])
    given: dict[str, Given] = {}
    if file is not None:
        given |= _from_file(file)
    given |= _from_environment(environ)
    given |= {
        _known(key, "the command line").key: Given(text, "the command line", True)
        for key, text in (flags or {}).items()
    }
    values = {key: _convert(_known(key, value.source), value) for key, value in given.items()}
    sources = {key: value.source for key, value in given.items()}

    def again() -> Config:
        return load(flags=flags, environ=environ, file=file).config

    return Settings(_assemble(values), sources, file, again)


def parse_assignments(assignments: Iterable[str]) -> dict[str, str]:
    """``KEY=VALUE`` arguments of ``--set`` as a dictionary."""
    flags = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(
                f"--set takes KEY=VALUE, such as tracker.links=8, not {assignment!r}."
            )
        flags[key.strip()] = value.strip()
    return flags


def value_of(config: Config, key: str) -> Any:
    """The value of the setting with this dotted key."""
    site, name = _of_site(key)
    if site:
        return getattr(config.sites[site], name)
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value


def text_of(config: Config, key: str) -> str:
    """The value of the setting with this dotted key, as TOML writes it; stars if it is a secret."""
    return toml_value(_masked(_known(key, "the code"), value_of(config, key)))


def default_file() -> str:
    """A TOML file with every setting at its default, each with its description."""
    lines = [
        "# Settings of p2pcdn. Uncomment what you want to change.",
        "# A flag (--set KEY=VALUE) beats the environment, which beats this file.",
    ]
    section = ""
    for setting in SETTINGS.values():
        table, _, name = setting.key.rpartition(".")
        if table != section:
            lines += ["", f"[{table}]"]
            section = table
        lines += ["", *_comment(f"{setting.description} ({setting.variable})")]
        unset = setting.default is None
        lines.append(f"# {name} = {'...' if unset else toml_value(setting.default)}")
    lines += ["", "", "## Each site may have a table. Where none has, whoever comes may join."]
    lines += ["##", "## [sites.NAME]"]
    for name, setting in SITE_SETTINGS.items():
        unset = setting.default is None
        lines += ["##", *(f"#{line}" for line in _comment(setting.description))]
        lines.append(f"## {name} = {'...' if unset else toml_value(setting.default)}")
    return "\n".join(lines) + "\n"


def table_of(site: str) -> str:
    """The header of a site's table in the file."""
    return f"[sites.{site}]" if "." not in site else f'[sites."{site}"]'


def toml_value(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Section):
        fields = msgspec.structs.asdict(value).items()
        return f"{{ {', '.join(f'{name} = {toml_value(field)}' for name, field in fields)} }}"
    if isinstance(value, tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, int | float):
        return str(value)
    return '""' if value is None else json.dumps(str(value), ensure_ascii=False)


def _masked(setting: Setting, value: Any) -> Any:
    return MASK if setting.secret and value is not None else value


def _comment(text: str, width: int = 96) -> Iterator[str]:
    line = "#"
    for word in text.split():
        if len(line) + 1 + len(word) > width:
            yield line
            line = "#"
        line += f" {word}"
    yield line


def _from_file(file: Path) -> dict[str, Given]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"The configuration file {file} cannot be read: {error.strerror}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration file {file} is not TOML: {error}.") from error
    return {
        _known(key, str(file)).key: Given(value, str(file), False)
        for key, value in _flatten(tables)
    }


def _flatten(tables: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tables.items():
        if isinstance(value, dict):
            if not value and prefix.startswith("sites."):
                yield f"{prefix}{name}.enabled", True  # an empty table is a site, too
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    by_variable = {setting.variable: setting for setting in SETTINGS.values()}
    given = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        setting = by_variable.get(variable)
        if setting is not None:
            given[setting.key] = Given(text, f"the variable {variable}", True)
        elif not _KUBERNETES.fullmatch(variable):
            raise ConfigError(
                f"The environment has {variable}, which is no setting"
                f"{_nearest(variable, by_variable)}."
            )
    return given


def _known(key: str, source: str) -> Setting:
    site, _ = _of_site(key)
    if site:
        known = {f"sites.{site}.{field}": setting for field, setting in SITE_SETTINGS.items()}
        if not re.match(SITE_PATTERN, site):
            raise ConfigError(f"A site's id has {_WORDS[_SITE_REGEX]}, not {site!r} ({source}).")
    else:
        known = SETTINGS
    if key not in known:
        raise ConfigError(f"There is no setting {key!r} ({source}){_nearest(key, known)}.")
    return known[key]._replace(key=key)


def _of_site(key: str) -> tuple[str, str]:
    """Of which site ``sites.NAME.field`` is, and the field; an empty site if of none."""
    table, _, name = key.rpartition(".")
    return (table[len("sites.") :], name) if table.startswith("sites.") else ("", name)


_FORMER = {"tracker.networks": "tracker.mmdb"}
"""What is called otherwise than it was."""


def _nearest(key: str, keys: Iterable[str]) -> str:
    """A suggestion, as the end of a sentence, if anything comes close."""
    keys = list(keys)
    inside = [known for known in keys if known.startswith(f"{key}.")]
    if inside:
        return f"; it is a table, of {inside[0]} and others"
    # `links` alone is most likely `tracker.links`, which difflib finds too far away.
    former = _FORMER.get(key)
    same_name = (
        [former]
        if former
        else [known for known in keys if known.rpartition(".")[2] == key.rpartition(".")[2]]
    )
    close = same_name or difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    return f"; the nearest is {close[0]}" if close else "; `p2pcdn config --default` lists them all"


def _convert(setting: Setting, given: Given) -> Any:
    value = given.value
    names = _names(setting.type)
    if given.text and setting.is_list:
        value = [item.strip() for item in value.split(",") if item.strip()]
    if given.text and names:
        value = [dict(zip(names, item.split("=", len(names) - 1), strict=False)) for item in value]
    if value == "" and setting.default is None:
        return None
    try:
        return msgspec.convert(value, setting.type, strict=not given.text, dec_hook=_path)
    except msgspec.ValidationError as error:
        choices = [option for option in _options(setting.type) if isinstance(option, str)]
        wrong = str(error).removeprefix("Expected ").partition(" - at ")[0]
        wrong = " or ".join(choices) if choices else wrong
        wrong = _tables(names, given.text) if names else wrong
        shown = toml_or_text(_masked(setting, given.value))
        raise ConfigError(
            f"{setting.key} = {shown} ({given.source}) is not right: it takes {_phrase(wrong)}."
        ) from None


def _tables(names: tuple[str, ...], text: bool) -> str:
    """What a list of tables takes."""
    if text:
        return f"{'='.join(names).upper()}, several of them separated by commas"
    texts = "both of them texts, and nothing else" if len(names) == 2 else "a text, and its options"
    return f"tables of {' and '.join(names)}, {texts}"


def toml_or_text(value: Any) -> str:
    """A given value for a message: short, whatever it is."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


_SITE_REGEX = "`str` matching regex " + repr(SITE_PATTERN)
_WORDS = {
    _SITE_REGEX: "1 to 64 letters, digits, `_`, `.` or `-`",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`str`": "a text",
    "`array`": "a list",
}


def _phrase(wrong: str) -> str:
    """msgspec's complaint without its head, in the words of a person who writes a TOML file."""
    wrong = wrong.partition(", got")[0]
    for name, word in _WORDS.items():
        wrong = wrong.replace(name, word)
    return wrong.replace(" | null", "")


def _path(kind: object, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and value:
        return Path(value).expanduser()
    if kind is Content and isinstance(value, str) and value:
        return content_at(value)
    raise msgspec.ValidationError("Expected a path")


def _assemble(values: Mapping[str, Any]) -> Config:
    """The structs, made by their constructors, so that what a section checks is checked."""
    sections: dict[str, dict[str, Any]] = {}
    sites: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        site, name = _of_site(key)
        table = sites.setdefault(site, {}) if site else sections.setdefault(_table(key), {})
        table[name] = value
    made = {site: _site(site, sites[site]) for site in sites}
    return Config(**_fields(Config, "", sections), sites=made)


def _fields(kind: type[Section], table: str, given: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """What a section is made of: what was given of its own, and the sections inside of it."""
    fields = dict(given.get(table, {}))
    for name, hint in get_type_hints(kind).items():
        if _is_section(hint):
            inner = _fields(hint, f"{table}.{name}" if table else name, given)
            if inner:
                fields[name] = hint(**inner)
    return fields


def section_of(table: str) -> type[Section]:
    """The section that a table of the file is."""
    section: type[Section] = Config
    for name in table.split("."):
        section = get_type_hints(section)[name]
    return section


def _table(key: str) -> str:
    return key.rpartition(".")[0]


def _site(site: str, fields: dict[str, Any]) -> SiteConfig:
    try:
        return SiteConfig(**fields)
    except ConfigError as error:
        raise ConfigError(f"{table_of(site)} is not right: {error}") from None
