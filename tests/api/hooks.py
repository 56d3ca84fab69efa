"""What schemathesis cannot know of overdue: values of its formats, and which of them are right.

JSON Schema has no word for a cron line or a channel that the config has, so the document names formats of its
own there. `OVERDUE_OPENAPI` is the file of the document that is tested.
"""

import datetime
import json
import os
import re

import jsonschema_rs
import schemathesis
from hypothesis import strategies as st

UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
LONGEST = 366 * 86_400
# Those of the config in `run`, and the one that is always there.
CHANNELS = ("log", "lost", "ops")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe")


def span(seconds):
    """As the daemon writes a duration."""
    text = ""
    for letter, unit in UNITS:
        if seconds >= unit:
            text += f"{seconds // unit}{letter}"
            seconds %= unit
    return text or "0s"


def is_span(text):
    if text == "0":
        return True
    parts = re.fullmatch("".join(f"(?:([0-9]+){letter})?" for letter, _ in UNITS), text)
    if text == "" or parts is None:
        return False
    return sum(int(part or 0) * unit for part, (_, unit) in zip(parts.groups(), UNITS)) <= LONGEST


def cron_field(first, last, names=()):
    numbers = st.integers(first, last)
    ordered = st.tuples(numbers, numbers).map(sorted)
    return st.one_of(
        st.just("*"),
        numbers.map(str),
        st.integers(1, last).map("*/{}".format),
        ordered.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.lists(numbers, min_size=2, max_size=4, unique=True).map(lambda some: ",".join(map(str, sorted(some)))),
        *([st.sampled_from(names)] if names else []),
    )


# Up to the 28th, since every month has it: a line that never comes is refused.
CRON_FIELDS = (
    cron_field(0, 59),
    cron_field(0, 23),
    cron_field(1, 28),
    cron_field(1, 12, ("JAN", "feb", "Dec")),
    cron_field(0, 6, ("MON", "fri", "Sun")),
)
CRON = st.one_of(
    st.sampled_from(["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"]),
    st.tuples(*CRON_FIELDS).map(" ".join),
    st.tuples(cron_field(0, 59), *CRON_FIELDS).map(" ".join),
)


def is_cron(text):
    return text.startswith("@") or re.fullmatch(r"[0-9A-Za-z*,/#?-]+(?:\s+[0-9A-Za-z*,/#?-]+){4,5}", text) is not None


CALENDAR = st.one_of(
    st.sampled_from(["minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly"]),
    st.tuples(
        st.sampled_from(["", "Mon ", "Mon..Fri ", "Sat,Sun "]),
        st.sampled_from(["", "*-*-* ", "*-*-1..28 ", "*-*-01,15 ", "*-*~01 ", "*-2/3-* "]),
        st.sampled_from(["03:00", "*:0/10", "04:30:15", "0..6:00", "23:59:59.5"]),
        st.sampled_from(["", " UTC", " Europe/Berlin", " Pacific/Apia"]),
    ).map("".join),
)

DATES = st.dates(min_value=datetime.date(2020, 1, 1), max_value=datetime.date(2099, 12, 31))
# Not what can leave nothing of a schedule, such as "Sat,Sun" or several ranges over decades: that is refused.
RANGES = st.builds(lambda day, more: f"{day}..{day + datetime.timedelta(more)}", DATES, st.integers(0, 60))
EXCLUSION = st.one_of(DATES.map(str), RANGES)


def is_calendar(text):
    """Whether it has no character that none has."""
    return re.fullmatch(r"[-0-9A-Za-z*,./:~_+\s]*[0-9A-Za-z*][-0-9A-Za-z*,./:~_+\s]*", text) is not None


# Each format: where its values come from, and whether a text may be one. The second only needs to be right
# where it says no: a request that may be right after all is not counted as a wrong one.
FORMATS = {
    "span": (st.integers(1, LONGEST).map(span), is_span),
    "cron": (CRON, is_cron),
    "calendar": (CALENDAR, is_calendar),
    "exclusion": (EXCLUSION, is_calendar),
    "timezone": (st.sampled_from(ZONES), lambda text: re.fullmatch(r"[A-Za-z0-9_/+-]+", text) is not None),
    "channel": (st.sampled_from(CHANNELS), lambda text: text in CHANNELS),
}

for name, (strategy, _) in FORMATS.items():
    schemathesis.openapi.format(name, strategy)

with open(os.environ["OVERDUE_OPENAPI"], encoding="utf-8") as file:
    DOCUMENT = json.load(file)
VALIDATORS = {}


def validator(operation):
    """Of the body of an operation; None when it takes none."""
    key = (operation.path, operation.method)
    if key not in VALIDATORS:
        media = DOCUMENT["paths"][operation.path][operation.method].get("requestBody", {}).get("content", {})
        schema = media.get("application/json", {}).get("schema")
        VALIDATORS[key] = schema and jsonschema_rs.Draft202012Validator(
            {**schema, "components": DOCUMENT.get("components", {})},
            validate_formats=True,
            formats={name: check for name, (_, check) in FORMATS.items()},
        )
    return VALIDATORS[key]


def names_itself(body):
    """Whether a slug is given or certainly can be made of the name: that part of the rule is prose."""
    if not isinstance(body, dict) or body.get("slug") is not None or body.get("name") is None:
        return True
    name = body["name"]
    return re.search("[A-Za-z0-9]", name) is not None and re.fullmatch("[0-9A-Fa-f-]{32,36}", name) is None


def says_once(body):
    """Whether it does not say twice how often it reminds, or how early it may be: that part of the rule is prose."""
    pairs = (("remind_every", "remind_every_seconds"), ("early", "early_seconds"))
    return not isinstance(body, dict) or all(any(body.get(name) is None for name in pair) for pair in pairs)


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what only looks right or wrong."""
    if case.meta is None:
        return True
    if case.meta.generation.mode.is_positive:
        return names_itself(case.body) and says_once(case.body)
    negative = {location.value for location, part in case.meta.components.items() if part.mode.is_negative}
    check = validator(case.operation)
    if negative != {"body"} or check is None or not isinstance(case.body, dict):
        return True
    # It takes every text for a wrong value of a format that it does not know, even when the text that it
    # sends is another one and right.
    return not check.is_valid(case.body)
