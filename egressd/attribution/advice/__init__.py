"""The text of asks: every source and every name concerned, as a rule would have them."""

from __future__ import annotations

from egressd.attribution.advice.ask import advise, advise_all
from egressd.attribution.advice.names import listed
from egressd.attribution.advice.values import (
    certificate_names,
    source_address,
    source_order,
    values_of,
    values_of_all,
    values_of_control,
)

__all__ = [
    "advise",
    "advise_all",
    "certificate_names",
    "listed",
    "source_address",
    "source_order",
    "values_of",
    "values_of_all",
    "values_of_control",
]
