"""The types of value that `alerts:` and routes are configured with."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from egressd.config.alerts import parse
from egressd.fields.types import TypeName, one_or_many
from egressd.model.notification import Severity

LabelName = Annotated[str, AfterValidator(parse.parse_label_name), TypeName(text="label")]
Line = Annotated[str, AfterValidator(parse.parse_line), TypeName(text="text")]
Glob = Annotated[str, AfterValidator(parse.parse_glob), TypeName(text="pattern")]
Globs = Annotated[list[Glob], BeforeValidator(one_or_many), TypeName(text="pattern or list of pattern")]
Severities = Annotated[
    list[Annotated[Severity, Strict(False)]],
    BeforeValidator(one_or_many),
    TypeName(text="`critical`, `warning`, `info`, or a list of them"),
]
Schedule = Annotated[str, AfterValidator(parse.parse_schedule), TypeName(text="five fields of cron")]
TimeZone = Annotated[str, AfterValidator(parse.parse_timezone), TypeName(text="IANA time zone")]
Looks = Annotated[int, Field(ge=1, le=100)]
