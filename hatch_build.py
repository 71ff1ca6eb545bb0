"""Puts the browser bundle into whatever is built: wheel, sdist, editable install.

A bundle that is there already is taken, so that an sdist, which carries one, installs without
Node. In a checkout it has to be no older than its sources; else it is built with npm.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = (
    *("origin/static/p2pcdn.js", "origin/static/p2pcdn.mjs", "origin/static/p2pcdn.d.ts"),
    "origin/static/p2pcdn-local.mjs",
    *("origin/static/hls.min.js", "origin/static/manifest.json"),
    *("tracker/static/index.html", "tracker/static/dashboard.js"),
    *("tracker/static/dashboard.css", "tracker/static/icon.svg"),
)
NODE = "Node.js 20.19 or later"


class BundleMissing(SystemExit):
    """The bundle is not there and cannot be built; its text is the sentence for the user.

    A `SystemExit`, so that the build front end shows the sentence without a traceback.
    """


class BundleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling calls it before it collects the files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        ensure_bundle(Path(self.root), self.metadata.version)


def ensure_bundle(root: Path, version: str) -> None:
    """Leave a complete bundle of this version in place, or raise `BundleMissing`."""
    problem = problem_with(root, version)
    if problem is None:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise BundleMissing(
            f"p2pcdn: {problem}, and building it needs npm: install {NODE} (https://nodejs.org), "
            "or install from an sdist or wheel, which carry the bundle."
        )
    browser = root / "peer" / "browser"
    for command in ([npm, "ci"], [npm, "run", "build"]):
        print(f"p2pcdn: {' '.join(command)} in {browser}", flush=True)
        if subprocess.run(command, cwd=browser, env=os.environ, check=False).returncode:
            raise BundleMissing(
                f"p2pcdn: the browser bundle could not be built: `npm {' '.join(command[1:])}` "
                f"in {browser} failed (above); it needs {NODE}."
            )
    problem = problem_with(root, version)
    if problem is not None:
        raise BundleMissing(f"p2pcdn: npm ran, but {problem}.")


def problem_with(root: Path, version: str) -> str | None:
    """What is wrong with the bundle, or nothing."""
    missing = [name for name in BUNDLE if not (root / name).is_file()]
    if missing:
        return f"the browser bundle is not there (there is no {missing[0]})"
    manifest = root / "origin/static/manifest.json"
    built = json.loads(manifest.read_text(encoding="utf-8")).get("version")
    if built != version:
        return f"the browser bundle is of version {built}, not {version}"
    # Elsewhere than in a checkout times say nothing: archives keep them or not.
    if (root / ".git").exists() and _newest(root / "peer" / "browser") > manifest.stat().st_mtime:
        return "the browser bundle is older than its sources"
    return None


def _newest(browser: Path) -> float:
    scripts = (*browser.glob("src/**/*.ts"), *browser.glob("dashboard/*"))
    sources = [*scripts, *browser.glob("build*.mjs"), browser / "package-lock.json"]
    return max(path.stat().st_mtime for path in sources)
