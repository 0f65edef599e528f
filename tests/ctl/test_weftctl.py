#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weftctl as a program, against daemons of all manners: what it says, where, and its exit status.

usage: test_weftctl.py WEFTCTL"""
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

WEFTCTL = os.path.abspath(sys.argv[1])
OK, REFUSED, USAGE = 0, 1, 2
failures = []


class Daemon:
    """Answers the n-th request of a connection with the n-th of 'answers': bytes as they are, None hangs up,
    'wait' says nothing, 'hang up' does so without being asked, a function makes an answer of the request."""

    def __init__(self, path, answers):
        self.requests = []
        self.answers = answers
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        try:
            conn, _ = self.listener.accept()
        except OSError:
            return
        with conn, conn.makefile('rb') as lines:
            for answer in self.answers:
                if answer == 'hang up':
                    return
                line = lines.readline()
                if not line:
                    return
                request = json.loads(line)
                self.requests.append(request)
                if answer is None:
                    return
                if answer == 'wait':
                    lines.readline()
                    return
                conn.sendall(answer if isinstance(answer, bytes) else answer(request))
            lines.readline()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


def result(value):
    return lambda req: json.dumps({'jsonrpc': '2.0', 'id': req['id'], 'result': value}).encode() + b'\n'


def error(text):
    return lambda req: json.dumps({'jsonrpc': '2.0', 'id': req['id'],
                                   'error': {'code': -32000, 'message': text}}).encode() + b'\n'


def run(words, path, stdin='', **env):
    return subprocess.run([WEFTCTL, '--socket', path, *words], input=stdin, text=True, timeout=30,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict({'PATH': os.environ['PATH'], 'LC_ALL': 'C.UTF-8'}, **env))


def check(name, p, status, out=None, err=None):
    wrong = []
    if p.returncode != status:
        wrong.append(f'status {p.returncode}, not {status}')
    if out is not None and (out not in p.stdout if out else p.stdout):
        wrong.append(f'stdout {p.stdout!r} has no {out!r}')
    if err is not None and (err not in p.stderr if err else p.stderr):
        wrong.append(f'stderr {p.stderr!r} has no {err!r}')
    if wrong:
        failures.append(name)
        print(f'not ok - {name}: ' + '; '.join(wrong))
    else:
        print(f'ok - {name}')


def with_daemon(answers, words, stdin=''):
    with tempfile.TemporaryDirectory(prefix='weftctl-') as tmp:
        path = os.path.join(tmp, 's')
        daemon = Daemon(path, answers)
        p = run(words, path, stdin)
        daemon.close()
        return p, daemon.requests


def no_daemon():
    with tempfile.TemporaryDirectory(prefix='weftctl-') as tmp:
        path = os.path.join(tmp, 's')
        check('no daemon', run(['show'], path), REFUSED, '', 'no weftd listens on')
        check('no daemon, no document', run(['--json', 'flow', 'dump'], path), REFUSED, '', 'no weftd listens on')
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(path)
        stale.close()
        check('a stale socket', run(['show'], path), REFUSED, '', 'is it running?')
        check('a long path', run(['show'], tmp + 'x' * 200), REFUSED, '', 'at most 107 bytes')
        p = subprocess.run([WEFTCTL, 'show'], env={'WEFT_RUN_DIR': tmp}, stderr=subprocess.PIPE, text=True)
        check('the run directory of the environment', p, REFUSED, None, tmp + '/weftd.sock')
        check('help needs no daemon', run(['port', 'add', '--help'], path), OK, 'example:', '')
        check('its own version needs none either', run(['version'], path), REFUSED, 'weftctl ', 'no weftd')


def wrong_lines():
    check('no command', run([], '/proc/nonexistent'), USAGE, '', 'no command')
    check('an unknown command', run(['shwo'], '/proc/nonexistent'), USAGE, '', "did you mean 'show'?")
    check('a wrong timeout', run(['--timeout', 'soon', 'show'], '/proc/nonexistent'), USAGE, '', 'not a number')
    check('a missing value', run(['show', '--timeout'], '/proc/nonexistent'), USAGE, '', 'needs a value')


def odd_daemons():
    p, _ = with_daemon([b'hello\n'], ['show'])
    check('an answer that is no JSON', p, REFUSED, '', 'is not JSON-RPC')
    p, _ = with_daemon([None], ['show'])
    check('a daemon that hangs up', p, REFUSED, '', 'closed the connection')
    p, _ = with_daemon([b'{"jsonrpc"'], ['--timeout', '0.3', 'show'])
    check('half an answer', p, REFUSED, '', 'did not answer within')
    p, _ = with_daemon(['wait'], ['--timeout', '0.3', 'show'])
    check('no answer', p, REFUSED, '', 'did not answer within')
    p, _ = with_daemon([error('no\x1b[2Jnsense')], ['show'])
    check('an error with an escape in it', p, REFUSED, '', 'no?[2Jnsense')
    p, _ = with_daemon([b'[]\n'], ['show'])
    check('an answer of another kind', p, REFUSED, '', 'is this weftd?')


def changes():
    p, req = with_daemon([result({'generation': 2})],
                         ['port', 'add', 'br0', 'vm1', 'type=vhost-user', '--generation', '1'])
    check('a change is silent', p, OK, '', '')
    want = {'bridge': 'br0', 'port': 'vm1', 'options': {'type': 'vhost-user'}, 'generation': '1'}
    if req[0]['method'] != 'port.add' or req[0]['params'] != want:
        failures.append('request')
        print(f'not ok - the request: {req}')
    p, _ = with_daemon([result({'generation': 2})], ['--json', 'bridge', 'add', 'br0'])
    check('unless JSON is wanted', p, OK, '"generation": 2', '')
    p, _ = with_daemon([error("unknown option 'tagg': did you mean 'tag'?")], ['port', 'set', 'vm1', 'tagg=1'])
    check('a refusal', p, REFUSED, '', "did you mean 'tag'?")


def whole_documents():
    change = {'changes': [{'op': 'add', 'path': 'bridges.br0', 'new': {}}], 'generation': 7}
    doc = '{"version": 1, "bridges": {"br0": {}}}'
    p, req = with_daemon([result(change), result({'generation': 8})], ['apply', '-'], doc)
    check('apply prints the difference first', p, OK, '+ bridges.br0', '')
    if [r['method'] for r in req] != ['config.diff', 'config.apply'] or req[1]['params']['generation'] != 7:
        failures.append('apply')
        print(f'not ok - apply passes on the generation it has shown: {req}')
    p, req = with_daemon([result(change)], ['apply', '-', '--dry-run'], doc)
    check('a dry run', p, OK, '+ bridges.br0', '')
    p, _ = with_daemon([result(change), error('changed by someone else')], ['apply', '-'], doc)
    check('somebody was faster', p, REFUSED, None, 'changed by someone else')
    p, req = with_daemon([], ['apply', '-'], '{\n "version": 1,\n "bridges": }')
    check('a broken document', p, REFUSED, '', 'standard input: line 3')
    p, req = with_daemon([], ['apply', '/proc/nonexistent/x.json'])
    check('no document', p, REFUSED, '', '/proc/nonexistent/x.json: No such file')
    p, _ = with_daemon([result({'document': {'version': 1}, 'generation': 1})], ['export'])
    check('export prints what apply takes', p, OK, '{\n  "version": 1\n}\n', '')


def pages():
    flows = [{'match': f'in_port=vm{i}', 'actions': 'output:vm2', 'packets': i} for i in range(4)]
    many = [result({'flows': flows[:2], 'cursor': '0:2'}), result({'flows': [], 'cursor': '1:0'}),
            result({'flows': flows[2:], 'cursor': None})]
    p, req = with_daemon(many, ['flow', 'dump', '--json'])
    check('pages are joined', p, OK, 'vm3', '')
    if [r['params'].get('cursor') for r in req] != [None, '0:2', '1:0'] or len(json.loads(p.stdout)['flows']) != 4:
        failures.append('pages')
        print(f'not ok - all pages are asked for: {req}')
    p, _ = with_daemon([many[0], error('gone')], ['flow', 'dump'])
    check('a page that fails', p, REFUSED, 'vm1', 'gone')


def files_of_rules():
    lines = ''.join(f'reg0={i},actions=drop\n' if i % 10 else f'# {i}\n\n' for i in range(5000))

    def told(key, n):
        return lambda req: result({key: len(req['params'].get('flows', [])) if n is None else n})(req)

    p, req = with_daemon([told('flows', None)] * 3, ['flow', 'add', 'br0', '--file', '-', '--json'], lines)
    check('a long file is sent in pieces', p, OK, '"flows": 4500', '')
    sent = [len(r['params']['flows']) for r in req]
    if sent != [2000, 2000, 500] or any('more' in r['params'] for r in req):
        failures.append('pieces of a file')
        print(f'not ok - pieces of a file: {sent}')
    p, req = with_daemon([told('kept', 0), told('kept', 0), told('flows', 4500)],
                         ['flow', 'add', 'br0', '--file', '-', '--bundle'], lines)
    check('or at once', p, OK, '', '')
    if [r['params'].get('more', False) for r in req] != [True, True, False]:
        failures.append('a bundle')
        print('not ok - a bundle is kept back until its last piece')

    def refused(path):
        return lambda req: json.dumps({'jsonrpc': '2.0', 'id': req['id'], 'error': {
            'code': -32000, 'message': 'unknown field "foo"', 'data': {'path': path}}}).encode() + b'\n'

    p, _ = with_daemon([refused('flows[1]')], ['flow', 'add', 'br0', '--file', '-'], '# one\n\nip,actions=drop\n\nfoo=1 # two\n')
    check('a mistake is shown with its line', p, REFUSED, '', 'standard input:5: unknown field "foo"')
    p, _ = with_daemon([told('flows', 2000), refused('flows[0]')], ['flow', 'add', 'br0', '--file', '-'], lines)
    check('in a later piece as well', p, REFUSED, '', ':2447: unknown field')
    check('and what was done before it', p, REFUSED, '', '2000 flows before that were done')
    p, req = with_daemon([told('flows', 0)], ['flow', 'add', 'br0', '--file', '-'], '# nothing\n')
    check('an empty file changes nothing', p, OK, '', '')
    if req:
        failures.append('an empty file')
        print(f'not ok - an empty file is not sent: {req}')
    check('no rule at all', run(['flow', 'add', 'br0'], '/proc/nonexistent'), USAGE, '', 'FLOW is missing')
    check('both', run(['flow', 'add', 'br0', 'ip', '--file', 'x'], '/proc/nonexistent'), USAGE, '', 'not both')
    check('no such file', run(['flow', 'add', 'br0', '--file', '/proc/nonexistent'], '/proc/nonexistent'), REFUSED, '', 'No such file')
    p, req = with_daemon([told('flows', 3)], ['flow', 'del', 'br0'])
    check('all rules are removed without a match', p, OK, '', '')
    if 'flows' in req[0]['params']:
        failures.append('flow del')
        print(f'not ok - flow del without a match says none: {req}')


def rules():
    many = [result({'flows': [' x', 'cookie=0x0, priority=1 actions=drop'], 'cursor': '5'}),
            result({'flows': ['cookie=0x1, priority=2 actions=drop'], 'cursor': None})]
    p, req = with_daemon(many, ['flow', 'table', 'dump', 'br0', 'tcp'])
    check('rules are printed page by page', p, OK, ' cookie=0x1, priority=2 actions=drop\n', '')
    first = req[0]['params']
    if first.get('match') != 'tcp' or 'table' in first or not first.get('lines') or req[1]['params']['cursor'] != '5':
        failures.append('flow table dump')
        print(f'not ok - a word that is no number is a match: {req}')
    p, _ = with_daemon([result({'flows': [{'table': 0}], 'cursor': None})], ['flow', 'table', 'dump', 'br0', '0', '--json'])
    check('rules as JSON', p, OK, '"flows": [\n    {"table":0}\n  ]', '')
    check('a table by name', run(['flow', 'table', 'dump', 'br0', 'x', 'ip'], '/proc/nonexistent'), USAGE, '', 'no number of a table')
    p, _ = with_daemon([result({'groups': [], 'cursor': None})], ['group', 'dump', 'br0'])
    check('no groups', p, OK, 'no groups', '')


def traces():
    def capture(*frames, link=1):
        head = struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)
        return head + b''.join(struct.pack('<IIII', 0, 0, len(f), len(f) + 4) + f for f in frames)

    answer = result({'text': 'of it\n', 'cached': []})
    with tempfile.NamedTemporaryFile(suffix='.pcap') as f:
        f.write(capture(bytes(range(14)), bytes(range(1, 15)), bytes(range(2, 16))))
        f.flush()
        p, req = with_daemon([answer] * 3, ['trace', 'br0', '--pcap', f.name, '--in-port', 'vm1'])
        check('all packets of a file', p, OK, 'packet 3, 18 bytes, cut in the file\nof it\nnot cached', '')
        if [r['params']['packet'][:4] for r in req] != ['0001', '0102', '0203'] or req[0]['params']['in-port'] != 'vm1':
            failures.append('packets')
            print(f'not ok - the packets are sent: {req}')
        p, req = with_daemon([answer], ['trace', 'br0', '2', '--pcap', f.name, '--in-port', 'vm1'])
        check('one packet', p, OK, 'packet 2', '')
        if len(req) != 1 or req[0]['params']['packet'][:4] != '0102' or 'flow' in req[0]['params']:
            failures.append('one packet')
            print(f'not ok - only that one is sent: {req}')
        check('a packet too many', run(['trace', 'br0', '4', '--pcap', f.name, '--in-port', '1'], '/proc/nonexistent'), REFUSED, '',
              'the file has 3 packets')
        check('no port', run(['trace', 'br0', '--pcap', f.name], '/proc/nonexistent'), USAGE, '', '--in-port is missing')
        f.seek(0)
        f.write(capture(link=113))
        f.flush()
        check('another link', run(['trace', 'br0', '--pcap', f.name, '--in-port', '1'], '/proc/nonexistent'), REFUSED, '',
              'no capture of Ethernet')
        f.seek(0)
        f.write(b'hello, I am no capture at all')
        f.flush()
        check('no capture', run(['trace', 'br0', '--pcap', f.name, '--in-port', '1'], '/proc/nonexistent'), REFUSED, '', 'unknown file')
    p, req = with_daemon([answer], ['trace', 'br0', 'in_port=1,tcp', '--json'])
    check('a flow', p, OK, '"text": "of it', '')


def streams():
    def told(*rows):
        return b''.join(json.dumps({'jsonrpc': '2.0', 'method': 'ofmsg', 'params': r}).encode() + b'\n' for r in rows)

    row = {'conn': 1, 'target': 'tcp:h:1', 'sent': False, 'time_ms': 1500, 'text': 'OFPT_HELLO\x1b[2J (xid=0x1)', 'lost': 0}
    many = told(row, dict(row, lost=7, sent=True, last=True))
    p, _ = with_daemon([lambda req: result({})(req) + many], ['ofmsg', 'tail', 'br0', '--count', '2'])
    check('messages are printed as they come', p, OK, 'tcp:h:1 <- OFPT_HELLO?[2J (xid=0x1)\n(7 messages left out)\n', '')
    p, _ = with_daemon([lambda req: result({})(req) + many], ['ofmsg', 'tail', 'br0', '--json'])
    if [json.loads(line)['lost'] for line in p.stdout.splitlines()] != [0, 7]:
        failures.append('messages as JSON')
        print(f'not ok - messages as JSON are one a line: {p.stdout!r}')
    p, _ = with_daemon([lambda req: result({})(req) + told(row), 'hang up'], ['ofmsg', 'tail', 'br0', '--timeout', '1'])
    check('a daemon that ends ends the messages', p, REFUSED, 'OFPT_HELLO', None)


def main():
    no_daemon()
    wrong_lines()
    odd_daemons()
    changes()
    whole_documents()
    pages()
    files_of_rules()
    rules()
    traces()
    streams()
    return 1 if failures else 0


sys.exit(main())
