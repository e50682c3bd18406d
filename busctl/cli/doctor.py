"""`busctl doctor`: what is installed, configured, connected and wrong, in one document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.core.operating.diagnosis import Diagnosis
    from busctl.core.redaction import Redactor


def doctor(
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="FILE.zip", help="Write all of it and more, redacted, for a report."),
    ] = None,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Tell what is here: versions, configuration, the connection, the schema, and what is wrong.

    Which `busctl` PATH finds (systemd has one too); the settings that are not by default, masked,
    with where they come from, and all their faults; whether the connection is direct or goes
    through a session or a transaction pooler, as was proved; TLS, server, extensions, the rights of
    the login, migrations; and every check of `busctl check`.

    --bundle writes a ZIP with all that, daemons, system events, alerts, partitions and our
    environment variables. It holds no payload, and secrets are masked; look before you send it.

    Exit 0 if nothing is wrong, 1 if something is, 2 for a wrong configuration, 3 if the store could
    not be asked. --json prints {ok, exit_code, sections: {name: {fact: value}}, findings: [{kind,
    subject, grade, message, remedy}], checks}, checks as `busctl check --json` prints them.

    \b
    Examples:
      busctl doctor
      busctl doctor --json
      busctl doctor --bundle report.zip
    """
    import json

    from busctl.cli import doctor_run
    from busctl.cli.running import emit_json, say

    diagnosis, redactor = _diagnosed(env_file, sets)
    shape = redactor.clean_all(json.loads(json.dumps(_shape(diagnosis), default=str)))
    if as_json:
        emit_json(shape)
    else:
        for line in _lines(shape):
            print(line)
    if bundle is not None:
        from busctl.adapters import bundle as archive

        archive.write(bundle, _texts(diagnosis, redactor, shape))
        say(f"wrote {doctor_run.where(bundle)}; look before you send it.")
    if diagnosis.exit_code:
        raise typer.Exit(diagnosis.exit_code)


def _diagnosed(env_file: Path | None, sets: list[str] | None) -> tuple[Diagnosis, Redactor]:
    from busctl.adapters.environment import load
    from busctl.cli import doctor_run
    from busctl.cli.running import chosen_of, run
    from busctl.core.errors import ConfigurationInvalid
    from busctl.core.operating.diagnosis import Diagnosis

    try:
        loaded = load(chosen_of(sets), env_file=env_file)
    except ConfigurationInvalid as error:
        facts, findings = doctor_run.installed()
        wrong = [*doctor_run.faults(error.faults), *findings]
        return Diagnosis({"installation": facts}, wrong, None), doctor_run.redactor(None)
    return run(doctor_run.diagnose(loaded)), doctor_run.redactor(loaded.settings)


def _shape(diagnosis: Diagnosis) -> dict[str, Any]:
    from busctl.cli.check_formats import finding, shape

    return {
        "ok": diagnosis.exit_code == 0,
        "exit_code": diagnosis.exit_code,
        "sections": diagnosis.sections,
        "findings": [finding(one) for one in diagnosis.findings],
        "checks": None if diagnosis.health is None else shape(diagnosis.health),
    }


def _lines(shape: Mapping[str, Any]) -> Iterator[str]:
    from busctl.cli.rendering import printable

    for name, facts in shape["sections"].items():
        yield name
        width = max(map(len, facts), default=0)
        for fact, value in facts.items():
            yield printable(f"  {fact:{width}}  {_word(value)}")
    checks = shape["checks"] or {"checks": [], "findings": []}
    if checks["checks"]:
        yield "checks"
    for one in checks["checks"]:
        yield printable(f"  {one['grade']:8}  {one['check']:11} {one['summary']}")
    for one in [*shape["findings"], *checks["findings"]]:
        yield printable(f"{one['grade']}  {one['subject']}: {one['message']}")
        yield printable(f"  fix: {one['remedy']}")


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def _texts(diagnosis: Diagnosis, redactor: Redactor, shape: Mapping[str, Any]) -> dict[str, str]:
    import json

    from busctl.cli import doctor_run

    more = {"environment.json": doctor_run.environment(), **diagnosis.texts}
    texts = {
        name: json.dumps(redactor.clean_all(json.loads(json.dumps(value, default=str))), indent=1)
        for name, value in more.items()
    }
    texts["doctor.json"] = json.dumps(shape, indent=1, default=str)
    texts["doctor.txt"] = "\n".join(_lines(shape)) + "\n"
    return texts
