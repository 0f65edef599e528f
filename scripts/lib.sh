# SPDX-License-Identifier: Apache-2.0
# Shell functions shared by the scripts of this folder: progress lines, packages, building.  Sourced, never run.
# A script that sources it has set -euo pipefail.

weft_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	c_bold=$'\e[1m' c_red=$'\e[31m' c_green=$'\e[32m' c_yellow=$'\e[33m' c_off=$'\e[0m'
else
	c_bold='' c_red='' c_green='' c_yellow='' c_off=''
fi

# Progress, a remark, and the end.  Messages of several words or lines are arguments.
say() { printf '%s==>%s %s\n' "$c_bold" "$c_off" "$*"; }
note() { printf '    %s%s%s\n' "$c_yellow" "$*" "$c_off"; }
fail() {
	printf '%sfailed:%s ' "$c_red" "$c_off" >&2
	printf '%s\n' "$@" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" -eq 0 ] || fail "this needs root (network namespaces, packages): sudo $0"
}

# Names in scripts/deps.
deps_list() { sed -e 's/#.*//' "$weft_top/scripts/deps" | awk 'NF { print $1 }'; }

deps_missing() {
	local p
	for p in $(deps_list); do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
	done
}

# Some packages start a daemon when they are installed (openvswitch-testcontroller listens on TCP 6653, openvswitch-switch
# is a switch).  Nothing of ours wants them to, neither now nor at the next boot.
install_quietly() {
	local policy=/usr/sbin/policy-rc.d rc=0 p

	if [ ! -e $policy ]; then
		printf '#!/bin/sh\n# Of Weft'"'"'s scripts/lib.sh, while packages are installed: start nothing.\nexit 101\n' >$policy
		chmod 755 $policy
	else
		policy=
	fi
	apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends install "$@" || rc=$?
	[ -z "$policy" ] || rm -f "$policy"
	for p in "$@"; do
		case $p in
		openvswitch-switch | openvswitch-testcontroller) update-rc.d "$p" disable >/dev/null 2>&1 || true ;;
		esac
	done
	return $rc
}

# Installs what scripts/deps names and the machine lacks.  Quiet and quick when nothing is missing.
deps_install() {
	local missing
	command -v dpkg-query >/dev/null || fail "this is not a Debian system: install what scripts/deps lists by hand"
	missing=$(deps_missing)
	if [ -z "$missing" ]; then
		say "packages: all $(deps_list | wc -l) present"
		return
	fi
	need_root
	say "packages: installing $(echo "$missing" | wc -w): $(echo $missing)"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update || fail "apt-get update failed: check the network and /etc/apt"
	# shellcheck disable=SC2086
	install_quietly $missing \
		|| fail "apt-get could not install: $(echo $missing)"
}

# build_tree DIR [meson options...]: configures once, builds, shows ninja's last line as it goes.
build_tree() {
	local dir=$1 log
	shift
	log=$dir/build.log
	mkdir -p "$dir"
	if [ ! -e "$dir/build.ninja" ]; then
		say "configuring ${dir#"$weft_top"/}"
		meson setup "$dir" "$weft_top" "$@" >"$log" 2>&1 || {
			tail -n 30 "$log" >&2
			fail "meson setup failed, see $log"
		}
	fi
	say "building ${dir#"$weft_top"/}"
	if [ -t 1 ]; then
		ninja -C "$dir" || fail "the build failed"
	else
		ninja -C "$dir" >"$log" 2>&1 || {
			grep -E 'error|FAILED|warning' "$log" | head -n 40 >&2
			fail "the build failed, see $log"
		}
	fi
}

# Does /dev/kvm really run a guest?  A boot sector that writes to QEMU's debug exit port has to come back with
# its status; a device node that is there but does nothing (nested machines) fails within three seconds.
kvm_works() {
	[ -w /dev/kvm ] || return 1
	local img rc=0
	img=$(mktemp)
	# mov dx,0xf4; mov al,0x10; out dx,al; hlt
	{ printf '\xba\xf4\x00\xb0\x10\xee\xf4'; head -c 503 /dev/zero; printf '\x55\xaa'; } >"$img"
	# The braces: where QEMU aborts, bash would say so.
	{
		timeout 3 qemu-system-x86_64 -accel kvm -cpu host -m 16 -display none -nodefaults -nic none -no-reboot \
			-device isa-debug-exit,iobase=0xf4,iosize=1 -drive "file=$img,format=raw,if=ide" \
			</dev/null >/dev/null
	} 2>/dev/null || rc=$?
	rm -f "$img"
	[ "$rc" -eq 33 ]
}
