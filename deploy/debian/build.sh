#!/usr/bin/env bash
# build.sh BINARY [FOLDER]: makes a Debian package of a program that is built, with the systemd unit and a
# configuration that listens on loopback. Needs dpkg-deb and binutils; nobody has to be root.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,3s/^# //p' "$0"; exit 2; }
binary=$(realpath "$1")
mkdir -p "${2:-.}"
into=$(realpath "${2:-.}")
cd "$(dirname "$0")/../.."

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
architecture=$(dpkg --print-architecture)
# The newest version of the C library of which it uses something.
libc=$(objdump -T "$binary" | grep -o 'GLIBC_[0-9.]*' | sed s/GLIBC_// | sort -V | tail -n 1)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

install -D "$binary" "$root/usr/bin/yagura"
strip --strip-debug "$root/usr/bin/yagura"
install -D --mode=0644 deploy/debian/yagura.yaml "$root/etc/yagura/yagura.yaml"
install -D --mode=0644 -t "$root/usr/share/doc/yagura" docs/*.md LICENSE
mkdir -p "$root/usr/lib/systemd/system" "$root/DEBIAN"
# The head is for those who install it by hand.
sed -e '1,/^\[Unit\]/{/^\[Unit\]/!d}' -e 's|/usr/local/bin/yagura|/usr/bin/yagura|' deploy/systemd/yagura.service \
    >"$root/usr/lib/systemd/system/yagura.service"
chmod -R u=rwX,go=rX "$root"

echo /etc/yagura/yagura.yaml >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/control" <<CONTROL
Package: yagura
Version: $version
Architecture: $architecture
Maintainer: The Yagura authors <https://github.com/yagura/yagura>
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Depends: libc6 (>= $libc), libgcc-s1
Recommends: ca-certificates
Section: net
Priority: optional
Homepage: https://github.com/yagura/yagura
Description: metrics and logs in object storage, asked in PromQL and LogQL
 Yagura takes in metrics as Prometheus sends them and logs as Loki takes them,
 keeps both in object storage (a folder or S3), and answers PromQL and LogQL.
 The unit yagura.service is not started by itself: look at
 /etc/yagura/yagura.yaml, then systemctl enable --now yagura.
CONTROL
cat >"$root/DEBIAN/postinst" <<'SCRIPT'
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    # After an upgrade; it does nothing where Yagura does not run.
    if [ -n "$2" ]; then systemctl try-restart yagura.service; fi
fi
SCRIPT
cat >"$root/DEBIAN/prerm" <<'SCRIPT'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl disable --now yagura.service; fi
SCRIPT
cat >"$root/DEBIAN/postrm" <<'SCRIPT'
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
# What it has stored goes only when that is asked for.
if [ "$1" = purge ]; then rm -rf /var/lib/private/yagura /var/lib/yagura /etc/yagura/environment; fi
SCRIPT
chmod 0755 "$root"/DEBIAN/postinst "$root"/DEBIAN/prerm "$root"/DEBIAN/postrm
dpkg-deb --root-owner-group --build "$root" "$into/yagura_${version}_$architecture.deb"
