"""Dates and times as numbers."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np

_DAY = re.compile(
    r"\d{1,4}([-/.])\d{1,2}(\1\d{1,4})?|\d{4}-\d{2}|\d{1,2}[ -]?[A-Za-z]{3,9}\.?,?[ -]?\d{2,4}|"
    r"([A-Za-z]{3,9}\.?,? )?[A-Za-z]{3,9}\.? \d{1,2},? \d{2,4}|[A-Za-z]{3,9}[ -]\d{4}|\d{4} ?[Qq][1-4]|(19|20)\d{6}"
)
_CLOCK = re.compile(r"\d{1,3}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp][Mm])?")
_FORMATS = (
    "%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y", "%d-%B-%Y", "%b %Y", "%B %Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%d-%b-%y", "%b-%y", "%b %d, %Y", "%B %d, %Y", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M",
)  # fmt: skip
_SHARE = 0.95  # of the different values that must be dates
_LOOKED_AT = 500


def read_dates(texts: Any) -> Any | None:
    """Return a column of text as dates, or None if it does not hold dates.

    Args:
        texts: a pandas series of text, with NaN where a value is missing.
    """
    import pandas as pd

    some = texts.dropna().drop_duplicates().head(_LOOKED_AT).str.strip()
    days = some.str.split(r"[T ](?=\d{1,2}:)", n=1, regex=True).str[0]
    if not len(some) or not days.map(lambda text: bool(_DAY.fullmatch(text))).all():
        return None
    if some.str.fullmatch(r"\d{4} ?[Qq][1-4]").all():
        quarters = texts.str.replace(" ", "").str.upper()
        return pd.PeriodIndex(quarters, freq="Q").to_timestamp().to_series(index=texts.index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = _by_skrub(texts)
        if found is not None:
            return found
        for form in _FORMATS:
            dates = pd.to_datetime(texts, format=form, errors="coerce")
            if dates.notna().sum() == texts.notna().sum():
                return dates
    return None


def _by_skrub(texts: Any) -> Any | None:
    from skrub import ToDatetime

    try:
        found = ToDatetime().fit_transform(texts.rename("date").astype(object).where(texts.notna(), None))
    except ValueError:
        return None
    # a value of another form becomes missing in silence
    return found if found.notna().sum() >= _SHARE * texts.notna().sum() else None


def read_times(texts: Any) -> np.ndarray | None:
    """Return a column of times of day or durations, such as `"12:30"`, in seconds; None if it does not hold times."""
    import pandas as pd

    some = texts.dropna().drop_duplicates().head(_LOOKED_AT).str.strip()
    if not len(some) or not some.map(lambda text: bool(_CLOCK.fullmatch(text))).all():
        return None
    plain = texts.str.strip().str.replace(r" ?[AaPp][Mm]$", "", regex=True).str.replace(",", ".")
    plain = plain.where(plain.str.count(":") == 2, plain + ":00")
    seconds = pd.to_timedelta(plain, errors="coerce").dt.total_seconds()
    half = texts.str.strip().str.lower()
    seconds = seconds.mask(half.str.endswith("pm", na=False) & (seconds < 12 * 3600), seconds + 12 * 3600)
    seconds = seconds.mask(half.str.endswith("am", na=False) & (seconds >= 12 * 3600), seconds - 12 * 3600)
    values: np.ndarray = seconds.to_numpy(np.float64)
    return values


def date_parts(dates: Any) -> tuple[np.ndarray, list[str]]:
    """Return dates as numbers: year, month, day, hour and so on as far as they vary, the weekday, and all seconds.

    Args:
        dates: a pandas series of dates.

    Returns:
        Shape `(rows, parts)` with NaN where a date is missing, and the name of each part.
    """
    from skrub import DatetimeEncoder

    dates = dates.rename("date")
    dates = dates.dt.tz_convert("UTC").dt.tz_localize(None) if dates.dt.tz is not None else dates
    parts = DatetimeEncoder(resolution="second", add_weekday=True).fit_transform(dates)
    values = parts.to_numpy(np.float64)
    varies = [len(np.unique(column[~np.isnan(column)])) > 1 for column in values.T]
    names = [name.removeprefix("date_").replace("_", " ") for name in parts.columns]
    return values[:, varies], [name for name, kept in zip(names, varies, strict=True) if kept]
