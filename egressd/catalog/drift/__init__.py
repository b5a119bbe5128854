"""What documents of others say today, compared with the catalog: rows that came, went and changed."""

from egressd.catalog.drift.against import Against, compare_documents
from egressd.catalog.drift.outcome import Drift, render_drift_json, render_drift_text

__all__ = ["Against", "Drift", "compare_documents", "render_drift_json", "render_drift_text"]
