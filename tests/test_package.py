"""The wheel and the image: built, put somewhere else, and started there, they have all that the checkout has."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.running import running
from tests.web.test_certificate import make
from ticker import __version__

PACKAGES = ("ticker", "feeds", "web")
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def sources() -> set[str]:
    """Every file of the packages, by its path."""
    files = (file for package in PACKAGES for file in (ROOT / package).rglob("*") if file.is_file())
    return {str(file.relative_to(ROOT)) for file in files if "__pycache__" not in file.parts}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fresh wheel and sdist."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    return folder


def test_the_wheel_has_every_file(built: Path) -> None:
    """Modules, page, styles and the type markers are in it, and the command; nothing else is."""
    (file,) = built.glob("*.whl")
    with zipfile.ZipFile(file) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        (points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        command = wheel.read(points).decode()
    assert names == sources()
    assert names >= {"ticker/py.typed", "feeds/py.typed"}, "who writes scripts or exchanges has them checked"
    assert "ticker = ticker.__main__:run" in command
    assert f"-{__version__}-" in file.name


def test_the_sdist_has_what_the_tests_need(built: Path) -> None:
    """Sources, tests, deployment, documentation and locks; a wheel can be built of it again."""
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names >= sources()
    assert names >= {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Dockerfile", ".dockerignore",
                     "requirements.txt", "requirements-dev.txt", "tests/test_package.py",
                     "deploy/alerts.yml"}  # fmt: skip


def image(instruction: str) -> list[str]:
    """The words of an instruction of the Dockerfile in its exec form."""
    found = re.search(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found is not None
    return list(map(str, ast.literal_eval(found[1])))


def test_the_installed_wheel_serves_the_whole_page(built: Path, tmp_path: Path) -> None:
    """Installed into another folder and started from a third one, by the image's own command, it serves the page with
    every module and style that it names; the image's health check is content.
    """
    (file,) = built.glob("*.whl")
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(file) as wheel:
        wheel.extractall(site)
    interpreter, *arguments = image("ENTRYPOINT")
    assert interpreter == "python"
    environ = os.environ | {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
    environ |= image_environ()
    with running(*arguments, command=(sys.executable,), cwd=elsewhere, environ=environ) as service:
        page = urllib.request.urlopen(service.url + "/").read().decode()
        named = re.findall(r'(?:href|src)="([^"#]+)"', page)
        assert sum(name.endswith(".js") for name in named) > 20
        for name in named:
            with urllib.request.urlopen(f"{service.url}/{name}") as answer:
                assert answer.status == 200
                assert answer.read(1), name
        assert healthy(service.url, {})
    assert not list(elsewhere.iterdir()), "it writes nothing where it was started"
    assert not list(site.rglob("__pycache__"))


def image_environ() -> dict[str, str]:
    """What the image sets for the service."""
    return dict(re.findall(r"\b(TICKER_\w+)=(\S+)", DOCKERFILE))


def test_the_image_with_arguments_still_listens_on_all_addresses() -> None:
    """Seen: the address of the container stood in `CMD`, so `docker run ticker --feed kraken` listened on loopback."""
    command = [sys.executable, *image("ENTRYPOINT")[1:], "show-config", "--feed", "kraken"]
    shown = subprocess.run(command, env=os.environ | image_environ(), capture_output=True, text=True, check=True).stdout
    assert tomllib.loads(shown)["server"]["host"] == "0.0.0.0"


def healthy(url: str, environ: dict[str, str]) -> bool:
    """What the image's health check says of a service at this port, with this in the container's environment."""
    found = re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", DOCKERFILE.replace("\\\n", ""), re.MULTILINE)
    assert found is not None
    interpreter, *words = json.loads(found[1])
    assert interpreter == "python"
    environ = os.environ | {"TICKER_SERVER__PORT": url.rpartition(":")[2]} | environ
    return subprocess.run([sys.executable, *words], env=environ, stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.needs("openssl")
def test_the_image_is_healthy_behind_tls(tmp_path: Path) -> None:
    """The health check learns of TLS as the service does, from the environment; what does not answer is unhealthy.

    Seen: it asked port 8000 without TLS, and every other container counted as unhealthy.
    """
    make(tmp_path / "cert.pem", tmp_path / "key.pem")
    tls = {f"TICKER_SERVER__TLS_{name}": str(tmp_path / f"{name.lower()}.pem") for name in ("CERT", "KEY")}
    with running(environ=os.environ | tls) as service:
        assert healthy(service.url, tls)
        assert not healthy(service.url, {})
    assert not healthy(service.url, tls)


def test_the_image_has_what_the_wheel_has() -> None:
    """The image copies exactly the packages, none of which the context leaves out, and runs as an unprivileged user."""
    assert re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE) == list(PACKAGES)
    compiled = re.search(
        rf'^RUN python -m compileall -q {" ".join(PACKAGES)} && python -c "(.*)"$', DOCKERFILE, re.MULTILINE
    )
    assert compiled is not None
    subprocess.run([sys.executable, "-c", compiled[1]], cwd=ROOT, check=True)
    kept = (ROOT / ".dockerignore").read_text().split()
    assert {f"!{package}" for package in PACKAGES} <= set(kept)
    assert "USER 10001:10001\n" in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE
