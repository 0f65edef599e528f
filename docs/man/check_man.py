#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages render without a warning, and weftd's knows every option of weftd.

usage: check_man.py WEFTD PAGE...
"""
import os
import re
import shutil
import subprocess
import sys


def main():
    weftd, pages = sys.argv[1], sys.argv[2:]
    bad = 0
    if not shutil.which('man'):
        print('no man command here')
        return 77
    env = dict(os.environ, LC_ALL='C.UTF-8', MANWIDTH='80', MANROFFSEQ='')
    for page in pages:
        run = subprocess.run(['man', '--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', page], env=env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if run.returncode or run.stderr.strip():
            print(f'{page}: {run.stderr.strip()}', file=sys.stderr)
            bad += 1
    usage = subprocess.run([weftd, '--help'], stdout=subprocess.PIPE, text=True, check=True).stdout
    with open([p for p in pages if p.endswith('weftd.8')][0], encoding='utf-8') as f:
        page = f.read().replace('\\-', '-')
    for option in set(re.findall(r'^  (--[a-z-]+)', usage, re.M)):
        if option not in page:
            print(f'weftd.8 does not know {option}', file=sys.stderr)
            bad += 1
    return 1 if bad else 0


sys.exit(main())
