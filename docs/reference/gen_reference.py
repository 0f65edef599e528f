#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the reference pages from the tables of commands, options, methods and drop reasons.

usage: gen_reference.py WEFTCTL DUMP_TABLES [--check]
       writes the pages of this folder; --check says which of them are not as they would be written
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = '<!-- Made by gen_reference.py: edit the tables in the source instead, then run `ninja -C build reference`. -->\n\n'


def cell(text):
    return text.replace('&', '&amp;').replace('<', '&lt;').replace('|', '\\|')


def row(*cells):
    return '| ' + ' | '.join(cells) + ' |\n'


def sentence(text):
    return text[0].upper() + text[1:] + '.'


def commands(ref):
    out = '# weftctl\n\nEvery command takes these options, anywhere on the line:\n\n' + row('option', 'meaning') + row('---', '---')
    for f in ref['flags']:
        out += row(f'`{f["name"]}{" " + f["value"] if "value" in f else ""}`', cell(f['help']))
    out += '\nExit status: 0 done, 1 refused or not reachable, 2 wrong command line.\n'
    for c in ref['commands']:
        out += f'\n## {c["name"]}\n\n`{c["synopsis"]}`\n\n{sentence(c["help"])}'
        out += ' ' + c['text'].replace('.  ', '. ') + '\n' if 'text' in c else '\n'
        rows = [(a['name'], a['help']) for a in c['args']]
        rows += [(f'{f["name"]}{" " + f["value"] if "value" in f else ""}', f['help']) for f in c['flags']]
        if rows:
            out += '\n' + row('', '') + row('---', '---')
            out += ''.join(row(f'`{cell(name)}`', cell(text)) for name, text in rows)
        out += f'\n    {c["example"]}\n'
    return out


TITLES = {
    'bridge': 'Bridges', 'openflow': 'OpenFlow on a bridge', 'port': 'All ports, tunnels included', 'port-type': 'Ports: type={name}',
    'tunnel-type': 'Tunnels: type={name}', 'datapath': 'The packet path (member `datapath` of the document)',
}


def options(ref):
    out = ('# Options\n\nWritten `name=value` on the command line, `"name": value` in the configuration document, where numbers\n'
           'and booleans are JSON numbers and booleans, and lists are arrays. Defaults are not stored.\n')
    for t in ref['tables']:
        out += f'\n## {TITLES[t["of"]].format(**t)}\n\n'
        if t['of'] == 'port-type':
            out += sentence(t['help']) + '\n\n'
        out += row('option', 'value', 'default', 'meaning', 'example') + row('---', '---', '---', '---', '---')
        for o in t['options']:
            dflt = 'required' if o['required'] else f'`{o["default"]}`' if 'default' in o else ''
            out += row(f'`{o["name"]}`', cell(o['value']), dflt, cell(o['help']),
                       f'`{cell(o["example"])}`' if o.get('example') else '')
    return out


def rpc(tables):
    out = '''# The management interface

JSON-RPC 2.0 over the unix stream socket `RUN_DIR/weftd.sock`, one message a line; a line may be a batch. Whoever may open
the socket (its mode is 0660) may do everything.

    $ echo '{"jsonrpc":"2.0","id":1,"method":"version"}' | nc -UN /run/weft/weftd.sock

A method that changes something answers when no packet follows the old configuration any more. What is refused changes
nothing; the error then has code -32000, a message for people, and `data` with `errno`, its `name`, and the `path` of what was
wrong. Parameters may be given by name or by position. Two clients that edit the same thing pass the `generation` they have
seen: the second one is refused.

Limits: 1 MiB a line, 48 levels of nesting, 100,000 values a line, 1,000 requests a batch, 1,024 clients, 60 seconds for a
request to arrive whole. A client that does not read its answers is not listened to while 4 MiB of them wait.
'''
    for m in tables['methods']:
        out += f'\n## {m["name"]}\n\n{sentence(m["help"])}\n'
        if m['params']:
            out += '\n' + row('parameter', 'kind', 'meaning') + row('---', '---', '---')
            out += ''.join(row(f'`{p["name"]}`{" (required)" if p["required"] else ""}', p['kind'], cell(p['help']))
                           for p in m['params'])
        out += f'\n    "params": {m["example"]}\n'
    return out


def drops(tables):
    out = ('# Why packets are dropped\n\nEach reason is a counter of each port: `weftctl stats drops`, `weftctl stats ports`.\n\n' +
           row('reason', 'what it means') + row('---', '---'))
    return out + ''.join(row(f'`{d["name"]}`', cell(d['text'])) for d in tables['drops'])


def output_of(*command):
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main():
    ref, tables = output_of(sys.argv[1], '__reference'), output_of(sys.argv[2])
    pages = {'weftctl.md': commands(ref), 'options.md': options(ref), 'rpc.md': rpc(tables), 'drops.md': drops(tables)}
    stale = []
    for name, text in pages.items():
        path = os.path.join(HERE, name)
        if '--check' not in sys.argv:
            with open(path, 'w', encoding='utf-8') as f:
                f.write(HEAD + text)
            continue
        if not os.path.exists(path) or open(path, encoding='utf-8').read() != HEAD + text:
            stale.append(name)
    if stale:
        print(f'not up to date: {", ".join(stale)}; run: ninja -C build reference', file=sys.stderr)
    return 1 if stale else 0


sys.exit(main())
