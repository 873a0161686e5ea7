"""Puts into the wheel, as ``workflow_scripts/project``, the files that a checkout has in its top folder."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PATTERNS = ("Snakefile", "config.yaml", "rules/*.smk", "profiles/**/*.yaml", "envs/*.yaml", "docs/config.schema.json")


class WithProject(build_py):
    """Copies these files; an editable installation uses those of the checkout."""

    def run(self) -> None:
        super().run()
        for file in [] if self.editable_mode else sorted(path for one in PATTERNS for path in Path().glob(one)):
            target = Path(self.build_lib, "workflow_scripts/project", file)
            self.mkpath(str(target.parent))
            self.copy_file(str(file), str(target))


setup(cmdclass={"build_py": WithProject})
