"""What cronsim says: reads lines `zone TAB expression TAB seconds since the epoch`, and writes a line for each.

    refused                     the expression cannot be read
    never                       it has no next time
    endless                     it did not find one within SECONDS
    FIRST LATER IMAGINARY       its first answer in seconds since the epoch, its first one after the instant that
                                was asked, and 1 when the first is a local time that is not on the clock
"""

import signal
import sys
import zoneinfo
from datetime import datetime, timezone

from cronsim import CronSim

try:
    # The version of the zones that is pinned, not the one that the machine happens to have.
    import tzdata  # noqa: F401
    zoneinfo.reset_tzpath(to=[])
except ImportError:
    pass


SECONDS = 2


class Endless(BaseException):
    """It takes too long."""


def alarm(*_):
    raise Endless


def answer(zone, expression, seconds):
    start = datetime.fromtimestamp(seconds, timezone.utc).astimezone(zoneinfo.ZoneInfo(zone))
    try:
        times = CronSim(expression, start)
    # A few texts run into an assertion or a type instead of its own error.
    except Exception:
        return "refused"
    first = None
    for time in times:
        instant = time.astimezone(timezone.utc)
        if first is None:
            there = instant.astimezone(time.tzinfo)
            first = f"{instant.timestamp():.0f}", int(there.replace(tzinfo=None) != time.replace(tzinfo=None))
        if instant.timestamp() > seconds:
            return f"{first[0]} {instant.timestamp():.0f} {first[1]}"
    return "never"


def main():
    sys.stdin.reconfigure(encoding="utf-8", newline="\n")
    signal.signal(signal.SIGALRM, alarm)
    for line in sys.stdin:
        zone, expression, seconds = line.rstrip("\n").split("\t")
        signal.alarm(SECONDS)
        try:
            said = answer(zone, expression, int(seconds))
        except OverflowError:
            said = "never"
        except Endless:
            said = "endless"
        signal.alarm(0)
        print(said)


if __name__ == "__main__":
    main()
