"""URLs, hosts, ports and paths."""

from __future__ import annotations

import ast
import re

from audits.config.peers import peer_of
from audits.config.places import Place, last_name
from audits.config.scopes import (
    is_only_default,
    is_set_elsewhere,
    is_shown,
    is_upper,
    local_uses,
    scope_of,
)  # fmt: skip
from audits.config.uses import BINDS, BOUND, BUILT, DEFAULTING, PASSED, is_one_of_several
from audits.config.values import is_address, is_deployed_path, is_nowhere, number
from audits.config.verdict import Verdict
from audits.config.words import Kind, kind_of, listed, words
from busctl.audit import Confidence, Source

_SCHEMES = re.compile(
    r"(?:https?|wss?|redis|rediss|postgres\w*(?:\+\w+)?|mysql(?:\+\w+)?|mongodb(?:\+srv)?|amqps?"
    r"|grpc|tcp|nats|kafka|ftp)://([^/\s]*)([^\s]*)"
)
_OWN_PLACES = re.compile(
    r"(?:[^@/]*@)?(?:localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\]|10\.\d+|192\.168\.|172\.(?:1[6-9]"
    r"|2\d|3[01])\.|host\.docker\.internal|[a-z][a-z0-9_-]*:\d+)"
)
_PRIVATE_NAME = re.compile(r"\.(?:internal|local|lan|svc|cluster|corp|intra)(?::\d+)?$")
_NO_REQUEST = re.compile(
    r"docs?\.|documentation|schema|\bns\b|w3\.org|example\.(?:com|org|net)|readthedocs|/docs?/"
    r"|github\.com/|license|opengis|purl\.|xmlns|\.xsd|wikipedia|stackoverflow|/blob/|/wiki/"
    r"|rfc-editor|ietf\.org|json-schema|spec\.|developers?\.|help\.|support\.|www\.google\.com$"
    r"|errors\.pydantic|\.html?$|#|cdn|static\.|assets\.|fonts\.|shields\.io|discord\.gg|t\.me/"
)
_BASES = frozenset({"base", "endpoint", "server", "gateway", "backend", "host", "proxy", "webhook"})
_BASE_KEYS = listed(
    "base_url api_base api_url endpoint_url endpoint server_url openai_api_base azure_endpoint "
    "host_url service_url api_endpoint url uri dsn broker_url amqp_url redis_url database_url "
    "connection_string backend"
)
_PORTS = frozenset({"port", "ws_port", "http_port", "server_port", "listen_port", "db_port"})
_SCHEME_PORTS = frozenset({0, 22, 53, 80, 443})
_USED = frozenset({PASSED, BUILT})
_OPENS = listed(
    "open Path mkdir makedirs exists isfile isdir remove unlink listdir rmtree copy copyfile "
    "move FileHandler RotatingFileHandler connect read_text write_text join load save dump "
    "chdir walk scandir glob TimedRotatingFileHandler basicConfig mkdtemp mkstemp "
    "NamedTemporaryFile TemporaryDirectory StaticFiles FileLock stat touch run Popen sqlite3"
)


def is_url(text: str) -> bool:
    """Whether a text is an address that a request could be made to."""
    return len(text) > 8 and _SCHEMES.match(text) is not None


def judged_url(source: Source, place: Place, text: str) -> Verdict | None:
    """A verdict on a URL: a base of something that is asked, or a place of this very set-up."""
    found = _SCHEMES.match(text)
    if found is None or _NO_REQUEST.search(text) or is_shown(place):
        return None
    host, rest = found.groups()
    if isinstance(place.node, ast.JoinedStr) and not rest and place.form != "returned":
        return None  # f"http://localhost:{port}": part of it is told
    own = _is_own(text, host) and not is_nowhere(host)
    if not own and ("." not in host or len(host) < 4):
        return None
    match place.form:
        case "keyword" | "argument":
            return _url_passed(source, place, own)
        case "assigned":
            return _url_assigned(source, place, own, rest)
        case "returned":
            return _url_returned(source, place)
        case "listed" if own and "origins" in words(place.name):
            return Verdict(Kind.URL, Confidence.MEDIUM, ("only these may call",))
        case _:
            return None


def _is_own(text: str, host: str) -> bool:
    """Whether a place is one set-up's: a local address, a private name, a database."""
    return (
        _OWN_PLACES.match(host) is not None
        or _PRIVATE_NAME.search(host) is not None
        or not text.startswith(("http", "ws"))
    )


def _url_passed(source: Source, place: Place, own: bool) -> Verdict | None:
    call = place.holder
    if not isinstance(call, ast.Call) or last_name(call) in DEFAULTING - {"get"}:
        return None
    if isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "super":
        return None  # a subclass says what it is
    if last_name(call) == "get" and place.position > 0:
        return None  # settings.get("url", …)
    peer = peer_of(source, call)
    if own and peer == "remote":
        return Verdict(Kind.URL, Confidence.HIGH, ("a place of one set-up",))
    if isinstance(source.parent(call), (ast.List, ast.Tuple, ast.Dict, ast.Set)):
        return None  # one row of a table
    if place.name in _BASE_KEYS - {"url", "uri"} and last_name(call)[:1].isupper():
        return Verdict(Kind.URL, Confidence.MEDIUM, (f"the base that {last_name(call)} asks",))
    return None


def _url_assigned(source: Source, place: Place, own: bool, rest: str) -> Verdict | None:
    if kind_of(place.name) is not Kind.URL:
        return None
    scope = scope_of(source, place)
    if scope is None or is_set_elsewhere(source, place, scope):
        return None
    said = set(words(place.name))
    base = (bool(said & _BASES) or "api" in said) and rest.count("/") <= 2 and "." not in rest
    if said & {"docs", "doc", "help", "homepage", "website", "schema", "default", "example"}:
        return None
    if not own and (not base or (scope == "local" and not _is_base(said, rest))):
        return None
    evidence = ("a place of one set-up",) if own else ("the base of every request",)
    if scope == "module" or (scope == "class" and is_upper(place)):
        return Verdict(Kind.URL, Confidence.MEDIUM, evidence, _USED)
    uses = local_uses(source, place)
    if scope == "class" or is_only_default(uses) or not uses & _USED:
        return None
    return Verdict(Kind.URL, Confidence.MEDIUM, evidence)


def _is_base(said: set[str], rest: str) -> bool:
    """`base_url = "https://api.vendor.ai/v1"`, to which paths are joined."""
    return "base" in said and rest.count("/") <= 1


def _url_returned(source: Source, place: Place) -> Verdict | None:
    """An address that a function makes while it ignores the one that it was given."""
    function = source.function(place.holder)
    if function is None:
        return None
    taken = [
        each.arg for each in [*function.args.args, *function.args.kwonlyargs]
        if each.arg in _BASE_KEYS or each.arg.endswith(("_url", "_base", "_endpoint"))
    ]  # fmt: skip
    read = {each.id for each in ast.walk(function) if isinstance(each, ast.Name)}
    ignored = [each for each in taken if each not in read]
    if not ignored:
        return None
    return Verdict(Kind.URL, Confidence.HIGH, (f"the parameter {ignored[0]} is ignored",))


def judged_port(source: Source, place: Place) -> Verdict | None:
    """A verdict on a number where a port goes."""
    value = number(place.node)
    if value is None or not 0 < value < 65536 or value in _SCHEME_PORTS or value != int(value):
        return None
    if place.form == "keyword" and place.name in _PORTS:
        call = place.holder
        if isinstance(call, ast.Call) and last_name(call) not in DEFAULTING:
            return Verdict(Kind.ADDRESS, Confidence.HIGH, (f"the port of {last_name(call)}",))
    if place.form == "argument" and place.position in (1, 2) and value >= 1024:
        call = place.holder
        if isinstance(call, ast.Call) and last_name(call) in BINDS:
            return Verdict(Kind.ADDRESS, Confidence.HIGH, (f"the port of {last_name(call)}",))
    if place.form == "argument" and value >= 1024:
        call = place.holder
        if isinstance(call, ast.Call) and last_name(call) in ("start_http_server", "listen"):
            return None if value < 1025 or last_name(call) == "listen" else Verdict(
                Kind.ADDRESS, Confidence.MEDIUM, ("the port it listens at",)
            )  # fmt: skip
    if place.form == "pair" and _is_socket_address(source, place.holder):
        return Verdict(Kind.ADDRESS, Confidence.HIGH, ("the address of a socket",))
    if place.form == "assigned" and "port" in words(place.name):
        return _address_assigned(source, place)
    return None


def _asks_own_name(source: Source, call: ast.Call) -> bool:
    """Whether a datagram socket is connected only to learn one's own address: nothing is sent."""
    function = source.function(call)
    told = {last_name(each) for each in ast.walk(function or source.tree)}
    return {"SOCK_DGRAM", "getsockname"} <= told and not told & {"send", "sendto", "sendall"}


def _is_socket_address(source: Source, pair: ast.AST) -> bool:
    """Whether `("10.0.0.5", 5432)` is bound or connected to."""
    call = source.parent(pair)
    if isinstance(call, ast.keyword):
        call = source.parent(call)
    if not isinstance(call, ast.Call) or last_name(call) not in BINDS:
        return False
    if _asks_own_name(source, call):
        return False
    host = pair.elts[0] if isinstance(pair, ast.Tuple) else None
    return host is None or not any(
        isinstance(each, ast.Constant) and is_nowhere(str(each.value)) for each in ast.walk(host)
    )


def _asks_any_port(call: ast.AST) -> bool:
    """Whether the system chooses the port: `start_server(f, "127.0.0.1", 0)`."""
    if not isinstance(call, ast.Call):
        return False
    given = [*call.args, *(each.value for each in call.keywords if each.arg == "port")]
    return any(isinstance(each, ast.Constant) and each.value == 0 for each in given)


def _is_own_process(call: ast.Call, place: Place, host: str) -> bool:
    """Whether a port that is told is asked on this machine: the other end was started from here."""
    port = call.args[place.position + 1 : place.position + 2]
    return (
        host in ("127.0.0.1", "localhost", "::1") and bool(port)
        and not isinstance(port[0], (ast.Constant, ast.Name))
        and last_name(call) in ("open_connection", "create_connection", "connect")
    )  # fmt: skip


def judged_host(source: Source, place: Place, text: str) -> Verdict | None:
    """A verdict on a host name or address."""
    if not is_address(text) or _asks_any_port(place.holder):
        return None
    if place.form == "keyword" and kind_of(place.name) is Kind.ADDRESS:
        call = place.holder
        if not isinstance(call, ast.Call) or last_name(call) in DEFAULTING:
            return None
        if last_name(call) in BINDS or peer_of(source, call) == "remote":
            return Verdict(Kind.ADDRESS, Confidence.MEDIUM, (f"the host of {last_name(call)}",))
    if place.form == "argument":
        call = place.holder
        if not isinstance(call, ast.Call) or last_name(call) not in BINDS or place.position > 1:
            return None
        if _is_own_process(call, place, text):
            return None
        if len(call.args) > place.position + 1 and isinstance(call.func, ast.Attribute):
            return Verdict(Kind.ADDRESS, Confidence.MEDIUM, (f"the host of {last_name(call)}",))
    if place.form == "assigned" and kind_of(place.name) is Kind.ADDRESS:
        return _address_assigned(source, place)
    return None


def _address_assigned(source: Source, place: Place) -> Verdict | None:
    if {"default", "defaults"} & set(words(place.name)):
        return None
    scope = scope_of(source, place)
    if scope is None or is_set_elsewhere(source, place, scope):
        return None
    if scope == "module":
        return Verdict(Kind.ADDRESS, Confidence.MEDIUM, ("a module constant",), frozenset({BOUND}))
    uses = local_uses(source, place)
    if scope == "class" or is_only_default(uses) or BOUND not in uses:
        return None
    return Verdict(Kind.ADDRESS, Confidence.MEDIUM, (f"{place.name} is never set otherwise",))


def judged_path(source: Source, place: Place, text: str) -> Verdict | None:
    """A verdict on a path that depends on how the machine was set up."""
    if not is_deployed_path(text) or is_shown(place):
        return None
    if isinstance(place.node, ast.JoinedStr) and text.startswith("/tmp/"):  # noqa: S108  # text that is looked at, no file
        return None  # made for one use, under a name of its own
    match place.form:
        case "keyword" | "argument":
            call = place.holder
            if not isinstance(call, ast.Call) or last_name(call) not in _OPENS:
                return None
            return Verdict(Kind.PATH, Confidence.MEDIUM, (f"{last_name(call)} goes there",))
        case "returned":
            if not isinstance(place.holder, ast.Return) or is_one_of_several(source, place.holder):
                return None
            return Verdict(Kind.PATH, Confidence.MEDIUM, ("what the function answers",))
        case "assigned":
            return _path_assigned(source, place)
        case _:
            return None


def _path_assigned(source: Source, place: Place) -> Verdict | None:
    if {"default", "defaults"} & set(words(place.name)):
        return None
    scope = scope_of(source, place)
    if scope is None or is_set_elsewhere(source, place, scope):
        return None
    if scope == "module" or (scope == "class" and is_upper(place)):
        return Verdict(Kind.PATH, Confidence.MEDIUM, (f"a {scope} constant",), _USED)
    if kind_of(place.name) is not Kind.PATH:
        return None
    uses = local_uses(source, place)
    if scope == "class" or is_only_default(uses):
        return None
    return Verdict(Kind.PATH, Confidence.MEDIUM, (f"{place.name} is never set otherwise",))
