"""One scenario of everyday operations, played by every driver, with TLS and compression on and off."""

import json
import os
import subprocess
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import HERE as CLIENTS
from conftest import NODE, Proxy, free_port
from test_tls import Authority

HERE = Path(__file__).parent
SCENARIO = json.loads((HERE / "scenario.json").read_text())
PYTHON = CLIENTS / ".venv/bin/python"
PYMONGO = [line.split("==")[1] for line in (HERE / "pymongo.txt").read_text().split()]

WAYS = {
    "plain": (False, ""),
    "zlib": (False, "compressors=zlib"),
    "tls": (True, ""),
    "tls-zlib": (True, "compressors=zlib"),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory, primary_uri):
    """An Ermine with a plain and a TLS port; URIs by way."""
    directory = tmp_path_factory.mktemp("drivers")
    authority = Authority(directory / "ca")
    certificate, key, _ = authority.issue("server")
    plain, tls = free_port(), free_port()
    settings = {
        "ERMINE_LISTEN_ADDR": f"127.0.0.1:{plain}",
        "ERMINE_LISTEN_TLS": f"127.0.0.1:{tls}",
        "ERMINE_LISTEN_TLS_CERT_FILE": str(certificate),
        "ERMINE_LISTEN_TLS_KEY_FILE": str(key),
    }
    proxy = Proxy(directory / "ermine.log", settings)
    proxy.await_listening(plain, tls)
    login = urlsplit(primary_uri).netloc.rsplit("@", 1)[0]

    def uri(way):
        encrypted, options = WAYS[way]
        port, more = (tls, f"tls=true&tlsCAFile={authority.ca}") if encrypted else (plain, "tls=false")
        # For an address of this machine mongosh itself looks for two seconds only.
        always = ["directConnection=true", "serverSelectionTimeoutMS=30000"]
        return f"mongodb://{login}@127.0.0.1:{port}/?" + "&".join(filter(None, [*always, more, options]))

    yield uri
    assert proxy.stop() == 0


def node(package):
    return lambda uri, db: ([NODE if NODE.exists() else "node", HERE / "node.js", package, uri, db], {})


def pymongo(version):
    return lambda uri, db: ([PYTHON, HERE / "python.py", uri, db], {"PYTHONPATH": str(CLIENTS / f".venv/pymongo-{version}")})


def mongosh(uri, db):
    script = f"const scenarioFile = {json.dumps(str(HERE / 'scenario.json'))}, scenarioDatabase = {json.dumps(db)};"
    shell = CLIENTS / "node_modules/mongosh/bin/mongosh.js"
    words = [NODE if NODE.exists() else "node", shell, uri, "--quiet", "--norc", "--eval", script, HERE / "mongosh.js"]
    return words, {"HOME": str(CLIENTS / ".venv")}


def rust(uri, db):
    return [os.environ.get("ERMINE_RUST_DRIVER") or CLIENTS.parent.parent / "target/debug/ermine-driver-scenario", uri, db], {}


DRIVERS = {
    "mongosh": mongosh,
    **{f"pymongo-{version}": pymongo(version) for version in PYMONGO},
    "node-7": node("mongodb-7"),
    "node-5": node("mongodb-5"),
    "rust": rust,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("driver", DRIVERS)
def test_scenario(served, driver, way):
    words, environment = DRIVERS[driver](served(way), f"t_{driver}_{way}_{uuid.uuid4().hex[:8]}".replace(".", "_"))
    run = subprocess.run(
        [str(word) for word in words], env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stdout + run.stderr
    results = json.loads(run.stdout.strip().splitlines()[-1].removeprefix("RESULTS "))
    assert len(results) == len(SCENARIO)
    for number, (step, result) in enumerate(zip(SCENARIO, results)):
        assert result == step["want"], (number, step, result)


def test_the_scenario_is_long():
    assert len(SCENARIO) >= 60 and len(DRIVERS) == 7
    assert len({version.rsplit(".", 1)[0] for version in PYMONGO}) == 3
