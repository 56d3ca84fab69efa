#!/bin/sh
# The units of systemd/: they parse without a word of complaint, their exposure is at most 1.5, and nothing
# that overdue needs is closed. Needs systemd-analyze, but no running systemd.
set -eu

units=$(cd "$(dirname "$0")/../systemd" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "systemd.sh: $*" >&2
    exit 1
}

command -v systemd-analyze >/dev/null ||
    fail "systemd-analyze is missing. Install systemd (Debian: apt-get install systemd)."
version=$(systemd-analyze --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
[ -n "$version" ] || fail "systemd-analyze does not say its version"

# exposed FILE: true when the exposure is above 1.5; shows it in any case.
exposed() {
    overall=$(systemd-analyze security --offline=true --no-pager "$1" 2>&1 | grep 'Overall exposure') ||
        fail "systemd-analyze does not rate $1"
    echo "$overall"
    ! systemd-analyze security --offline=true --no-pager --threshold=15 "$1" >/dev/null 2>&1
}

# complaints FOLDER: what systemd says of the units there. The program need not be installed.
complaints() {
    sed -i 's|^ExecStart=/usr/bin/overdue |ExecStart=/bin/true |' "$1/overdue.service"
    if [ "$version" -lt 253 ]; then
        sed -i '/^Type=notify-reload$/d' "$1/overdue.service"
    fi
    status=0
    systemd-analyze verify --man=no "$1/overdue.service" "$1/overdue.socket" 2>&1 || status=$?
    [ "$status" -eq 0 ] || echo "systemd-analyze verify exits $status"
}

has() {
    grep -qxF "$1" "$units/overdue.service" || fail "overdue.service lacks the line $1"
}

closed() {
    ! grep -qE "^($1)" "$units/overdue.service" || fail "overdue.service closes what overdue needs: $1"
}

# What systemd 252 would also accept if it were misspelt.
has 'Type=notify-reload'
has 'ExecStart=/usr/bin/overdue serve --config /etc/overdue/config.toml'
has 'RestartPreventExitStatus=64 73 74 78'
has 'StateDirectory=overdue'
has 'StateDirectoryMode=0700'
has 'DynamicUser=yes'
has 'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX'
grep -q '^WatchdogSec=' "$units/overdue.service" || fail "overdue.service has no watchdog"
# With this an inherited socket still works, but no webhook, no name lookup and no socket of its own.
closed 'PrivateNetwork=(yes|true|1)'
closed 'IPAddressDeny='
closed 'SocketBindDeny='
# Without the socket unit it must start too.
closed 'Sockets=|Requires=overdue.socket|BindsTo=overdue.socket'

if [ "$version" -lt 253 ]; then
    echo "systemd $version does not know Type=notify-reload: that one line is not verified here"
fi

mkdir "$work/good" "$work/bad"
cp "$units/overdue.service" "$units/overdue.socket" "$work/good"
said=$(complaints "$work/good")
[ -z "$said" ] || fail "systemd-analyze verify complains:
$said"
if exposed "$units/overdue.service"; then
    fail "the exposure of overdue.service is above 1.5; see systemd-analyze security --offline=true"
fi

# The checks can fail: a misspelt key is complained of, an open unit is exposed.
cp "$units/overdue.service" "$units/overdue.socket" "$work/bad"
sed -i 's/^WatchdogSec=/WatchdogSecs=/' "$work/bad/overdue.service"
said=$(complaints "$work/bad")
case $said in
    *WatchdogSecs*) ;;
    *) fail "a misspelt key goes unnoticed: $said" ;;
esac
sed -i '/^SystemCallFilter=/d' "$work/bad/overdue.service"
exposed "$work/bad/overdue.service" >/dev/null || fail "a unit without a system call filter passes for hardened"

echo "systemd.sh: the units are sound"
