"""The words names are made of, and the sets of them that carry meaning in any code base.

A name says what its author meant. `_deleteUserToken` is the words delete, user, token; rules ask
for those, never for whole names, so that they hold in code nobody has seen.
"""

from __future__ import annotations

import re
from functools import lru_cache

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=65536)
def words(name: str) -> frozenset[str]:
    """The lower-case words of the last part of a dotted name: `db.saveUser` is save, user."""
    last = name.rpartition(".")[2] or name
    return frozenset(part.lower() for part in _PART.findall(last))


_PREFIXES = frozenset(
    [
        "a",
        "async",
        "do",
        "try",
        "safe",
        "bulk",
        "batch",
        "raw",
        "maybe",
        "db",
        "sync",
        "the",
        "on",
        "and",
    ]
)


@lru_cache(maxsize=65536)
def verb(name: str) -> str:
    """What a call does, by the first word of the last part of its name: `db.save_user` saves."""
    last = name.rpartition(".")[2] or name
    parts = [part.lower() for part in _PART.findall(last)]
    while len(parts) > 1 and parts[0] in _PREFIXES:
        parts = parts[1:]
    return parts[0] if parts else ""


@lru_cache(maxsize=65536)
def all_words(name: str) -> frozenset[str]:
    """The words of every part of a dotted name."""
    return frozenset(part.lower() for part in _PART.findall(name))


def group(text: str) -> frozenset[str]:
    """A set of words from a line of them."""
    return frozenset(text.split())


# What a function is called when it takes things down: a failure there has nobody left to hurt.
CLEANUP = group(
    "close aclose cleanup clean shutdown teardown terminate kill cancel unlink rmtree disconnect "
    "stop join quit release detach unregister unsubscribe dispose logout destroy finalize abort "
    "del exit aexit wait purge unlock deactivate killpg rmdir unbind eof unwind evict dismiss "
    "sigterm sigint signal atexit forcefully fin hangup closing drain"
)
# What puts something where others will look for it.
WRITE = group(
    "save commit insert update upsert persist store write send publish upload put post patch "
    "enqueue dump replace rename flush dispatch emit submit deliver notify add_all merge "
    "executemany writelines sendall broadcast replicate migrate setex hset lpush rpush xadd "
    "writelines setitem delete reset drop bulk create xack remember archive apply"
)
# What asks somebody outside of the process.
READ = group(
    "fetch fetchone fetchall fetchrow fetchval query request execute select find load read open "
    "connect recv receive download scan search lookup resolve poll ping call invoke run list ask "
    "get retrieve head retrieve getaddrinfo stats populate sync count first scalar scalars"
)
TELEMETRY = group(
    "telemetry metric metrics analytics trace tracing span otel statsd sentry gauge "
    "histogram observe stat timing profiler progress spinner instrumentation observability"
)
SHOWN = group(
    "render display repr str format formatted title label color colour colored icon tooltip "
    "preview pretty print show draw paint banner describe summary summarize human label redraw "
    "caption debug sanitize highlight inspect mask redact redacted hide strip shorten "
    "ellipsis pprint"
)
# What a program does beside its work: nobody misses it.
TRIVIA = group(
    "icon icons favicon svg png thumbnail thumbnails banner hint hints suggestion suggestions tip "
    "tips logo badge gitignore copystat chmod utime hostname platform git version "
    "versions emoji theme font motd greeting help docs doc docstring completion completions "
    "latest newer enrich enriched schema terminal tty readline history enhance enhanced annotate "
    "annotation cosmetic"
)
MONEY = group(
    "cost costs price prices pricing billing bill billed spend spending budget budgets quota "
    "quotas credit credits invoice payment payments charge charges"
)
ACCESS = group(
    "auth authorize authorized authorization authenticate authenticated authentication permission "
    "permissions permitted allowed access acl role roles scope scopes csrf login credential "
    "credentials denied forbidden grant oauth jwt password passwords secret secrets signature"
)
LIMIT = group("limit limits limited limiter throttle throttled ratelimit rate quota quotas")
CONFIG = group(
    "config configs configuration configured settings setting env environ environment getenv "
    "option options preference preferences cfg conf"
)
INPUT = group("request params param args arguments kwargs data payload form body query headers")
CACHE = group("cache cached caches caching memo memoize memoized lru")
STORAGE = group(
    "db database session transaction cursor conn connection repository repo storage store redis "
    "table collection bucket s3 blob supabase sqlite mongo postgres client queue"
)
PREDICATE = group(
    "is has can supports supported exists exist available valid looks contains should needs "
    "matches enabled check detect probe try maybe guess infer"
)
# A call by such a name tells somebody: a log at warning or above, a callback, an answer.
TELLING = group(
    "warning warn warnings error errors exception critical fatal severe fail failed fails failure "
    "abort alert report reported panic die reject rejected deny refuse complain problem crash "
    "traceback echo secho print println puts flash capture raise reraise handle usage retry "
    "exc invalid bad unauthorized forbidden conflict defer toast messagebox excepthook"
)
NOT_TELLING = group("clear reset is has ignore suppress get no without skip format str pop")
COUNTING = group("inc incr increment count counter bump tally observe mark")
QUIET = group("debug trace verbose fine finer finest blather spam dbg")
# What a message says when its author took it for a failure.
FAILURE = re.compile(
    r"\b(error|errors|fail|fails|failed|failure|failing|could not|couldn'?t|can ?not|can'?t|"
    r"unable|exception|invalid|malformed|broken|corrupt|unexpected|not possible)\b|Error\b",
    re.IGNORECASE,
)
# What a message or comment says when another way is taken, or nothing was expected.
EXPECTED = re.compile(
    r"\b(already|not (?:yet )?(?:installed|available|found|exist\w*|supported|present)|"
    r"does(?:n'?t| not) exist|no longer|gone|best[- ]effort|optional|again|expected|retry\w*|"
    r"try(?:ing)? (?:the )?(?:next|other|another)|falls? through|may not|might not|harmless|"
    r"non[- ]?fatal|not fatal|race|closed|disconnect\w*|nothing to|skip colou?rs?|unsupported|"
    r"trying|never raise|must not (?:break|fail)|no permission|ignoring unknown|speculative|"
    r"probe)\b",
    re.IGNORECASE,
)

# Verbs that keep or send something: when they fail, it is gone.
KEEP = group(
    "save store commit persist write insert update upsert delete remove register publish send "
    "create add execute set put post sync upload migrate archive"
)
# What others rely on: where it fails to come about or is not found, somebody is worse off.
RELIED = group(
    "db database repo repository registry store storage record records rows collection user users "
    "account accounts member members auth oauth credential credentials permission permissions "
    "policy policies guardrail guardrails budget cost costs price pricing spend billing payment "
    "payments orders invoice tenant tenants team teams organization org project projects "
    "schedule schedules job jobs queue delivery webhook webhooks document documents chunk chunks "
    "embedding embeddings vector vectors knowledge memory memories migration migrations "
    "tool tools provider providers deployment deployments router certificate "
    "certificates rotation lease grant role roles limits rule rules customer customers "
    "subscription subscriptions ledger transaction checkpoint checkpoints backup dataset datasets "
    "entity entities artifact artifacts upstream tracker usage usages schema schemas"
)
# What only helps, looks nice or tells how things are: the work is done without it.
HELPING = group(
    "version versions title titles label labels preview picture photo photos avatar icon icons "
    "favicon thumbnail banner logo emoji reaction typing ack receipt git commit branch cwd "
    "hostname platform cpu gpu size width height dimension dimensions terminal tty console color "
    "colour theme font cursor welcome hint hints suggestion suggestions completion completions "
    "telemetry metric metrics span spans trace tracing gauge histogram stats statistics debug "
    "repr diagnostic diagnostics screenshot highlight highlights highlighted overlay scroll "
    "viewport frame dom element mime mimetype mtime ctime atime language locale timezone "
    "docstring description signature annotation annotations progress spinner summary truncate "
    "sanitize mask redact pretty display displayed render rendered panel widget human readable "
    "window notice announcement greeting narrator sound beep voice geometry duration elapsed "
    "latency timing uptime warmup prefetch temporary tmp vacuum compact probe detect guess infer "
    "sniff safe safely try maybe cleanup silence bounding box identity "
    "canonical alias nickname"
)
