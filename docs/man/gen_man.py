#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fills a page's template with what weftctl's tables say.

usage: gen_man.py WEFTCTL TEMPLATE > PAGE
"""
import json
import subprocess
import sys


def esc(text):
    """Text as roff prints it literally."""
    text = text.replace('\\', '\\e').replace('-', '\\-').replace("'", '\\(aq').replace('"', '\\(dq')
    return '\\&' + text if text.startswith('.') else text


def value_of(opt):
    """NAME=VALUE: the name bold, words bold, the rest as it is."""
    return f'.B {esc(opt["name"])}=\\fR{esc(opt["value"])}'


def flags(rows):
    out = []
    for f in rows:
        out += ['.TP', f'.B {esc(f["name"])}' + (f' \\fI{esc(f["value"])}\\fR' if 'value' in f else ''),
                esc(f['help'][0].upper() + f['help'][1:]) + '.']
    return out


def commands(ref):
    out = []
    for c in ref['commands']:
        words = c['synopsis'].split()
        n = 1 + len(c['name'].split())
        out += ['.SS ' + esc(c['name']), '.B ' + esc(' '.join(words[:n])), '.I ' + esc(' '.join(words[n:]))
                if words[n:] else '', '.PP', esc(c['help'][0].upper() + c['help'][1:]) + '.']
        if 'text' in c:
            out.append(esc(c['text']).replace('.  ', '.\n'))
        for a in c['args']:
            out += ['.TP', f'.I {esc(a["name"])}', esc(a['help'][0].upper() + a['help'][1:]) + '.']
        out += flags(c['flags'])
        out += ['.PP', 'Example:', '.RS', '.nf', esc(c['example']), '.fi', '.RE']
    return '\n'.join(line for line in out if line)


def options(table):
    out = []
    for opt in table['options']:
        text = opt['help']
        if opt.get('required'):
            text += '; required'
        elif opt.get('default') and 'default' not in text:
            text += f'; default {opt["default"]}'
        out += ['.TP', value_of(opt), esc(text[0].upper() + text[1:]) + '.']
        if opt.get('example'):
            out.append(f'Example: {esc(opt["name"])}={esc(opt["example"])}')
    return '\n'.join(out)


TITLES = {
    'bridge': 'Bridges',
    'openflow': 'OpenFlow on a bridge',
    'port': 'All ports, tunnels included',
    'port-type': 'Ports with type={name}: {help}',
    'tunnel-type': 'Tunnels with type={name}',
}


def tables(ref):
    out = []
    for t in ref['tables']:
        if t['of'] in TITLES:
            out += ['.SS ' + esc(TITLES[t['of']].format(**t)), options(t)]
    return '\n'.join(line for line in out if line)


def main():
    weftctl, template = sys.argv[1:]
    ref = json.loads(subprocess.run([weftctl, '__reference'], check=True, stdout=subprocess.PIPE).stdout)
    with open(template, encoding='utf-8') as f:
        page = f.read()
    datapath = [t for t in ref['tables'] if t['of'] == 'datapath']
    for key, text in {
            'VERSION': ref['version'],
            'GLOBAL_FLAGS': '\n'.join(flags(ref['flags'])),
            'COMMANDS': commands(ref),
            'TABLES': tables(ref),
            'DATAPATH': options(datapath[0]),
    }.items():
        page = page.replace(f'@{key}@', text)
    sys.stdout.write(page)


main()
