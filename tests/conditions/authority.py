"""A private certificate authority and a server's certificate, made with openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Authority:
    """`root` is the PEM file to verify with, `stranger` another authority's of the same name."""

    root: Path
    stranger: Path
    certificate: Path
    key: Path

    @classmethod
    def made(cls, folder: Path, host: str) -> Authority:
        """Keys and certificates in `folder`; the server's is valid for `host` and nothing else."""
        root, root_key = _self_signed(folder, "root")
        stranger, _ = _self_signed(folder, "stranger")
        request, key = folder / "server.csr", folder / "server.key"
        _openssl("req", "-new", *_fresh(key), "-out", request, "-subj", f"/CN={host}",
                 "-addext", f"subjectAltName=DNS:{host}")  # fmt: skip
        certificate = folder / "server.crt"
        _openssl("x509", "-req", "-in", request, "-CA", root, "-CAkey", root_key, "-days", "2",
                 "-copy_extensions", "copy", "-out", certificate)  # fmt: skip
        key.chmod(0o600)
        root_key.unlink()
        return cls(root, stranger, certificate, key)


def _self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    _openssl("req", "-x509", *_fresh(key), "-out", certificate, "-days", "2",
             "-subj", "/O=Tests/CN=Private Root")  # fmt: skip
    return certificate, key


def _fresh(key: Path) -> tuple[object, ...]:
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key


def _openssl(*words: object) -> None:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
