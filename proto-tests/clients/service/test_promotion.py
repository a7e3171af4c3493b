"""A process that knows one address, which a Kubernetes service leads to one server and then to another: its role is what
PostgreSQL says."""

import os
import time
from urllib.parse import urlsplit

import pymongo
from pymongo.errors import PyMongoError

from conftest import control, eventually, free_port


def port_of(variable):
    return urlsplit(os.environ[variable]).port


def test_one_address_follows_postgresql(proxy, service, primary_uri):
    """First the standby behind the address, then its promotion, then the service leads there from the old primary."""
    login, url = urlsplit(primary_uri), urlsplit(os.environ["CLUSTER_PRIMARY_URL"])
    rw, ro = service(port_of("CLUSTER_PRIMARY_URL")), service(port_of("CLUSTER_STANDBY_URL"))
    clients = []
    for front in (rw, ro):
        port = free_port()
        address = f"postgres://{url.username}:{url.password}@127.0.0.1:{front.port}{url.path}"
        proxy({"ERMINE_LISTEN_ADDR": "", "ERMINE_POSTGRESQL_URL": "", "FERRETDB_LISTEN_ADDR": f"127.0.0.1:{port}", "FERRETDB_POSTGRESQL_URL": address}, port)
        clients.append(
            pymongo.MongoClient("127.0.0.1", port, username=login.username, password=login.password, serverSelectionTimeoutMS=30000)
        )
    primary, secondary = clients

    def write(client):
        try:
            return client.service.c.insert_one({}).acknowledged
        except PyMongoError as error:
            return getattr(error, "code", None) or type(error).__name__

    assert write(primary) is True
    eventually(lambda: secondary.admin.command("hello")["readOnly"], True)
    assert primary.admin.command("hello")["readOnly"] is False
    # A read-only deployment says so, and reads.
    assert write(secondary) == 20
    eventually(lambda: secondary.service.c.estimated_document_count() >= 1, True)

    # The primary dies, the standby is promoted, and the service of the primary leads to it.
    control("kill primary")
    assert write(primary) is not True
    control("promote standby1")
    begun = time.monotonic()
    rw.lead_to(port_of("CLUSTER_STANDBY_URL"))
    eventually(lambda: write(primary), True)
    print(f"writable again {time.monotonic() - begun:.2f} s after the promotion")
    assert primary.admin.command("hello")["readOnly"] is False
    # The other process sees what its server has become.
    eventually(lambda: secondary.admin.command("hello")["readOnly"], False)
    count = primary.service.c.count_documents({})
    assert count >= 2
    assert secondary.service.c.count_documents({}) == count
    for client in clients:
        client.close()
