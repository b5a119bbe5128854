"""egressd: which phase of network egress failed, which device is to blame, and what to ask for.

The names below are the library, described in `docs/library.md`. Each is loaded when it is first used, so that
importing the package stays cheap.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # as type checkers know it; importing `typing` would be most of the start-up time
if TYPE_CHECKING:
    from egressd.attribution import judge
    from egressd.catalog import load_catalog
    from egressd.config import Flags, load_settings
    from egressd.engine.once import run_once, run_sweep
    from egressd.engine.session import Session
    from egressd.errors import ConfigError, EgressdError, ExitCode, ReportFileError, UsageError
    from egressd.model.catalog import Catalog
    from egressd.model.recording import Recording
    from egressd.model.settings import Settings
    from egressd.model.verdict import Blame, Confidence, Finding, Outcome, Sweep, TargetVerdict, Verdict
    from egressd.report.saved import from_json, to_document, to_json
    from egressd.report.summary import exit_code

__all__ = [
    "Blame", "Catalog", "Confidence", "ConfigError", "EgressdError", "ExitCode", "Finding", "Flags",
    "Outcome", "Recording", "ReportFileError", "Session", "Settings", "Sweep", "TargetVerdict", "UsageError",
    "Verdict", "__version__", "exit_code", "from_json", "judge", "load_catalog", "load_settings", "run_once",
    "run_sweep", "to_document", "to_json",
]  # fmt: skip
_MODULES = {
    "attribution": ("judge",),
    "catalog": ("load_catalog",),
    "config": ("Flags", "load_settings"),
    "engine.once": ("run_once", "run_sweep"),
    "engine.session": ("Session",),
    "errors": ("ConfigError", "EgressdError", "ExitCode", "ReportFileError", "UsageError"),
    "model.catalog": ("Catalog",),
    "model.recording": ("Recording",),
    "model.settings": ("Settings",),
    "model.verdict": ("Blame", "Confidence", "Finding", "Outcome", "Sweep", "TargetVerdict", "Verdict"),
    "report.saved": ("from_json", "to_document", "to_json"),
    "report.summary": ("exit_code",),
}


if not TYPE_CHECKING:  # a type checker would take every misspelt name for one that exists

    def __getattr__(name: str) -> object:
        """Load a name of the library (PEP 562)."""
        from importlib import import_module  # noqa: PLC0415 - see the module's docstring

        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(f"egressd.{module}"), name)
        raise AttributeError(f"module 'egressd' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the library."""
    return __all__
