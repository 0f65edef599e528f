#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weftctl as a program, against daemons of all manners: what it says, where, and its exit status.

usage: test_weftctl.py WEFTCTL"""
import json
import os
import socket
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
    check('no command', run([], '/nonexistent'), USAGE, '', 'no command')
    check('an unknown command', run(['shwo'], '/nonexistent'), USAGE, '', "did you mean 'show'?")
    check('a wrong timeout', run(['--timeout', 'soon', 'show'], '/nonexistent'), USAGE, '', 'not a number')
    check('a missing value', run(['show', '--timeout'], '/nonexistent'), USAGE, '', 'needs a value')


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
    p, req = with_daemon([], ['apply', '/nonexistent/x.json'])
    check('no document', p, REFUSED, '', '/nonexistent/x.json: No such file')
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
    streams()
    return 1 if failures else 0


sys.exit(main())
