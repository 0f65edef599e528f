#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS: both directions, a CA of our own, certificates that change while the switch runs, old versions of the protocol.

One bridge without traffic; the controller is Python's ssl on 127.0.0.1 of the switch's namespace, and POX's kind of set-up:
a certificate on each side, both signed by one CA."""
import os
import socket
import ssl
import sys
import time
import warnings

import of
from of import V13
from peers import Cases, Lab, inside, switch, wait_for


class Ca:
    """A certificate authority in a folder; openssl does the work."""

    def __init__(self, lab, name):
        self.lab, self.dir = lab, os.path.join(lab.state, name)
        os.makedirs(self.dir)
        self.cert = os.path.join(self.dir, "ca.pem")
        lab.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                 os.path.join(self.dir, "ca.key"), "-out", self.cert, "-days", "30", "-subj", f"/CN={name}"])

    def issue(self, name):
        """(key, certificate) of a newly made identity."""
        key, csr, cert = (os.path.join(self.dir, f"{name}.{x}") for x in ("key", "csr", "pem"))
        self.lab.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                      "-out", csr, "-subj", f"/CN={name}"])
        self.lab.run(["openssl", "x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", os.path.join(self.dir, "ca.key"),
                      "-CAcreateserial", "-out", cert, "-days", "30"])
        return key, cert


def context(server, ca, key, cert, newest=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_REQUIRED
    c.load_verify_locations(ca)
    if key:
        c.load_cert_chain(cert, key)
    if newest:
        c.set_ciphers("DEFAULT:@SECLEVEL=0")
        c.minimum_version = ssl.TLSVersion.TLSv1
        c.maximum_version = newest
    return c


def setup(sw):
    sw.ca, sw.other_ca = Ca(sw.lab, "ca"), Ca(sw.lab, "other")
    sw.key, sw.cert = sw.ca.issue("switch")
    sw.ctl_key, sw.ctl_cert = sw.ca.issue("controller")
    # Copies, which a test may change.
    sw.files = [os.path.join(sw.lab.state, f"sc-{x}.pem") for x in ("key", "cert", "ca")]
    install(sw, sw.key, sw.cert, sw.ca.cert)
    sw.set_tls(*sw.files)


def install(sw, *sources):
    for src, dst in zip(sources, sw.files):
        with open(src, encoding="ascii") as f:
            text = f.read()
        with open(dst + ".new", "w", encoding="ascii") as f:
            f.write(text)
        os.rename(dst + ".new", dst)


def listener(sw, ctx):
    with inside(sw.ns):
        return of.Listener(context=ctx)


def dial(sw, ctx=None, **kw):
    """(listener, connection) of a controller with its good certificate."""
    lis = listener(sw, ctx or context(True, sw.ca.cert, sw.ctl_key, sw.ctl_cert))
    sw.set_controllers([f"ssl:127.0.0.1:{lis.port}"], **kw)
    return lis, lis.accept(10)


def active(sw):
    """ssl: the switch dials, shows its certificate and checks the other"""
    lis, c = dial(sw)
    assert dict(x[0] for x in c.sock.getpeercert()["subject"])["commonName"] == "switch"
    c.start(V13).barrier()
    big = os.urandom(60000)
    for _ in range(20):
        assert c.call("ECHO_REQUEST", big).body == big
    assert c.sock.version() in ("TLSv1.2", "TLSv1.3")
    c.close()
    lis.close()
    sw.set_controllers([])


def refuses_strangers(sw):
    """ssl: a controller whose certificate another CA signed is refused"""
    key, cert = sw.other_ca.issue("stranger")
    ctx = context(True, sw.ca.cert, key, cert)
    lis = listener(sw, ctx)
    sw.set_controllers([f"ssl:127.0.0.1:{lis.port}"])
    for _ in range(2):
        try:
            c = lis.accept(10)
        except ssl.SSLError as e:
            assert "alert" in str(e).lower() or "eof" in str(e).lower(), str(e)
            continue
        except ConnectionError:
            continue
        # With 1.3 the server may think it is done before it hears of it.
        assert c.closes(3) and not c.inbox, "it talks to a stranger"
    lis.close()
    assert not sw.connected()
    sw.set_controllers([])


def old_versions(sw):
    """TLS 1.1 and older are refused, 1.2 is spoken"""
    for newest, good in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
        lis = listener(sw, context(True, sw.ca.cert, sw.ctl_key, sw.ctl_cert, newest))
        sw.set_controllers([f"ssl:127.0.0.1:{lis.port}"])
        try:
            c = lis.accept(10)
            c.start(V13).barrier()
            version = c.sock.version()
            c.close()
            assert good, f"{version} is spoken"
        except (ssl.SSLError, ConnectionError, of.Closed) as e:
            assert not good, f"TLS 1.2: {e}"
        lis.close()
        sw.set_controllers([])


def passive(sw):
    """pssl: the switch listens; clients without a good certificate are refused"""
    with inside(sw.ns):
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
    sw.set_controllers([f"pssl:{port}:127.0.0.1"])

    def call(ctx):
        with inside(sw.ns):
            s = socket.create_connection(("127.0.0.1", port), 2)
        return of.Conn(ctx.wrap_socket(s))

    def up():
        try:
            return call(context(False, sw.ca.cert, sw.ctl_key, sw.ctl_cert))
        except ConnectionError:
            return None
    c = wait_for("pssl:", up, 5)
    c.start(V13).barrier()
    for ctx in (context(False, sw.ca.cert, None, None), context(False, sw.ca.cert, *sw.other_ca.issue("client"))):
        try:
            d = call(ctx)
            assert d.closes(3) and not d.inbox, "a client without a good certificate is served"
        except (ssl.SSLError, ConnectionError):
            pass
    # One that connects and says nothing, and one that does not speak TLS at all, harm nobody.
    with inside(sw.ns):
        silent = socket.create_connection(("127.0.0.1", port), 2)
        noise = socket.create_connection(("127.0.0.1", port), 2)
    noise.sendall(of.hello(V13, [V13]) * 10)
    c.barrier()
    silent.close()
    noise.close()
    c.close()
    sw.set_controllers([])


def reload(sw):
    """certificate files that change are read anew, without a restart"""
    lis, c = dial(sw)
    c.start(V13).barrier()
    key, cert = sw.ca.issue("renewed")
    install(sw, key, cert, sw.ca.cert)
    c.barrier()                         # The connection that is there stays.
    c.close()

    def renewed():
        try:
            d = lis.accept(10).start(V13)
        except (ssl.SSLError, ConnectionError):
            return None
        name = dict(x[0] for x in d.sock.getpeercert()["subject"])["commonName"]
        d.close()
        return name == "renewed"
    wait_for("the new certificate", renewed, 15)
    lis.close()
    # Another CA altogether.
    key, cert = sw.other_ca.issue("controller")
    lis = listener(sw, context(True, sw.ca.cert, key, cert))
    install(sw, *sw.ca.issue("renewed2"), sw.other_ca.cert)
    sw.set_controllers([f"ssl:127.0.0.1:{lis.port}"])

    def accepted():
        try:
            lis.accept(10).start(V13).barrier().close()
            return True
        except (ssl.SSLError, ConnectionError, of.Closed):
            return False
    wait_for("the new CA", accepted, 15)
    lis.close()
    sw.set_controllers([])
    install(sw, sw.key, sw.cert, sw.ca.cert)


def broken_files(sw):
    """files that are missing or rubbish: no connection, a reason, and recovery when they are whole again"""
    with open(sw.files[1] + ".new", "w", encoding="ascii") as f:
        f.write("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    os.rename(sw.files[1] + ".new", sw.files[1])
    lis = listener(sw, context(True, sw.ca.cert, sw.ctl_key, sw.ctl_cert))
    sw.set_controllers([f"ssl:127.0.0.1:{lis.port}"])
    time.sleep(0.5)
    assert not sw.connected()
    install(sw, sw.key, sw.cert, sw.ca.cert)

    def accepted():
        try:
            lis.accept(10).start(V13).barrier().close()
            return True
        except (ssl.SSLError, ConnectionError, of.Closed):
            return False
    wait_for("recovery", accepted, 20)
    lis.close()
    sw.set_controllers([])


def main():
    warnings.simplefilter("ignore", DeprecationWarning)     # That 1.1 is old is the point.
    with Lab("interop-tls") as lab:
        sw = switch(lab, "tls", 1, stack=False)
        setup(sw)
        Cases(lab, sw).run((active, refuses_strangers, old_versions, passive, reload, broken_files))


if __name__ == "__main__":
    sys.exit(main())
