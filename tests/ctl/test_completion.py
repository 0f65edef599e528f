#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The completion script in a real bash: what it offers for a line with the cursor at its end."""
import os
import subprocess
import sys

WEFTCTL = os.path.abspath(sys.argv[1])

# line: (what must be offered, what must not)
CASES = {
    'weftctl ': (['bridge ', 'show '], ['add ']),
    'weftctl port ': (['add ', 'list '], ['show ']),
    'weftctl port add br0 vm1 ty': (['type='], []),
    # Readline splits words at '=': only what follows it is replaced.
    'weftctl port add br0 vm1 type=vh': (['vhost-user '], ['type=vhost-user ']),
    'weftctl port add br0 vm1 type=vhost-user mode=': (['client ', 'server '], []),
    'weftctl tunnel add br0 vx0 type=': (['vxlan '], ['vhost-user ']),
    'weftctl apply ': (['golden'], ['@files']),
    'weftctl flow dump --b': (['--bridge '], []),
    'weftctl nonsense ': ([], ['add ']),
}
SCRIPT = r'''
source <("$1" completion bash) || exit 1
complete -p weftctl > /dev/null || exit 1
shopt -s expand_aliases
weftctl() { "$WEFTCTL" "$@"; }
COMP_LINE=$2 COMP_POINT=${#2}
_weftctl
printf '%s\n' "${COMPREPLY[@]}"
'''


def main():
    bad = 0
    env = dict(os.environ, WEFT_RUN_DIR='/proc/nonexistent', WEFTCTL=WEFTCTL)
    for line, (want, unwanted) in CASES.items():
        run = subprocess.run(['bash', '--norc', '-c', SCRIPT, 'bash', WEFTCTL, line], env=env, text=True,
                             stdout=subprocess.PIPE, cwd=os.path.dirname(os.path.abspath(__file__)), timeout=20)
        offered = run.stdout.split('\n')
        wrong = [w for w in want if w not in offered] + [u for u in unwanted if u in offered]
        if run.returncode or wrong:
            bad += 1
            print(f'{line!r}: wrong about {wrong}; offered {offered}', file=sys.stderr)
    print(f'{len(CASES)} lines, {bad} wrong')
    return 1 if bad else 0


sys.exit(main())
