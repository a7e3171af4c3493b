//! What bounds a request: its own time, the pool, the client's patience.
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use bson::{Document, doc, rawdoc};
use proto_tests::client::{Client, Message};
use proto_tests::raw::op_msg;
use proto_tests::stage::{Options, Stage};
use proto_tests::wait_until;

use crate::own::Own;

/// Holds a lock on the table of a collection until it is dropped, so that every command on it waits.
pub(crate) struct Locked {
    own: Own,
    /// The table, with its schema.
    table: String,
}

impl Locked {
    pub(crate) fn new(stage: &Stage, db: &str, collection: &str) -> Self {
        let own = Own::new(stage);
        let table = own.run(async |client| {
            let query = "SELECT collection_id FROM documentdb_api_catalog.collections \
                         WHERE database_name = $1 AND collection_name = $2";
            let id: i64 = client.query_one(query, &[&db, &collection]).await.unwrap().get(0);
            let table = format!("documentdb_data.documents_{id}");
            client.batch_execute(&format!("BEGIN; LOCK TABLE {table}")).await.unwrap();
            table
        });
        Self { own, table }
    }

    pub(crate) fn release(self) {
        self.own.run(async |client| client.batch_execute("ROLLBACK").await.unwrap());
    }

    fn drop_collection(self, db: &str, collection: &str) {
        self.own.run(async |client| {
            let call = "SELECT documentdb_api.drop_collection($1, $2)";
            client.query_one(call, &[&db, &collection]).await.unwrap();
            client.batch_execute("COMMIT").await.unwrap();
        });
    }

    /// Statements of the proxy that wait for the lock; those that wait for another's are not counted.
    pub(crate) fn waiting(&self) -> i64 {
        let query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = to_regclass($1)";
        self.own.run(async |client| client.query_one(query, &[&self.table]).await.unwrap().get(0))
    }
}

fn stage_with(connections: usize, wait: Duration) -> Stage {
    let stage = Stage::new(&Options { connections, wait, ..Options::default() });
    stage.primary().ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "limits" });
    stage
}

fn find() -> Document {
    doc! { "find": "c", "filter": {}, "$db": "limits" }
}

pub(crate) fn send(client: &mut Client, body: Document) {
    client.send(&Message { body, ..Message::default() });
}

#[test]
fn a_full_pool_refuses_in_time_and_works_again() {
    let stage = stage_with(1, Duration::from_millis(200));
    let (mut first, mut second) = (stage.primary(), stage.primary());
    let lock = Locked::new(&stage, "limits", "c");
    send(&mut first, find());
    wait_until("the only connection is in use", || lock.waiting() == 1);
    let begin = Instant::now();
    let reply = second.run(find());
    assert!(begin.elapsed() >= Duration::from_millis(200));
    assert_eq!(reply.get_i32("code").ok(), Some(462), "{reply}");
    assert_eq!(reply.get_str("codeName").ok(), Some("IngressRequestRateLimitExceeded"));
    assert_eq!(reply.get_array("errorLabels").unwrap().len(), 2);
    // What needs no connection is not concerned.
    second.ok(doc! { "ping": 1, "$db": "limits" });
    lock.release();
    assert_eq!(first.receive().unwrap().0.get_f64("ok").ok(), Some(1.0));
    second.ok(find());
}

/// Connections that the proxy has to this node, that of the probe included.
fn connections(stage: &Stage) -> usize {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ermine_service'";
    stage.cluster.primary().query(count).unwrap().unwrap().parse().unwrap()
}

/// So many clients at once, each with a few reads; what they were refused with.
fn crowd(stage: &Stage, clients: usize, reads: usize) -> Vec<Document> {
    std::thread::scope(|scope| {
        let run = || {
            let mut client = stage.primary();
            let replies = (0..reads).map(|_| client.run(find()));
            replies.filter(|reply| reply.get_f64("ok").ok() != Some(1.0)).collect::<Vec<_>>()
        };
        let all: Vec<_> = (0..clients).map(|_| scope.spawn(run)).collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn the_pools_budget_is_kept_and_given_back() {
    let options = Options {
        standbys: 0,
        connections: 4,
        cursor_connections: 2,
        max_idle: Some(Duration::from_secs(3)),
        wait: Duration::from_secs(60),
        ..Options::default()
    };
    let stage = Stage::new(&options);
    stage.primary().ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "limits" });
    let (mut most, mut refused) = (0, Vec::new());
    std::thread::scope(|scope| {
        let crowd = scope.spawn(|| crowd(&stage, 20, 20));
        while !crowd.is_finished() {
            most = most.max(connections(&stage));
            std::thread::sleep(Duration::from_millis(20));
        }
        refused = crowd.join().unwrap();
    });
    assert_eq!(refused, Vec::<Document>::new());
    assert!(most > 1 && most <= 4 + 2 + 1, "{most}");
    // Only the probe's is left when nobody comes any more.
    wait_until("idle connections are closed", || connections(&stage) == 1);
    stage.primary().ok(find());
}

#[test]
fn a_server_without_places_is_waited_for() {
    let stage = stage_with(8, Duration::from_secs(60));
    // One of them is the probe's.
    stage.cluster.primary().execute("ALTER ROLE ermine_service CONNECTION LIMIT 3").unwrap();
    stage
        .cluster
        .primary()
        .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ermine_service'")
        .unwrap();
    wait_until("the primary is found again", || stage.primary().run(find()).contains_key("cursor"));
    assert_eq!(crowd(&stage, 12, 10), Vec::<Document>::new());
    assert!(connections(&stage) <= 3);
}

#[test]
fn max_time_ms_is_kept_by_every_command() {
    let stage = stage_with(4, Duration::from_secs(5));
    let mut client = stage.primary();
    let lock = Locked::new(&stage, "limits", "c");
    for mut command in [
        find(),
        doc! { "aggregate": "c", "pipeline": [], "cursor": {}, "$db": "limits" },
        doc! { "count": "c", "query": { "a": 1 }, "$db": "limits" },
        doc! { "insert": "c", "documents": [{ "_id": 2 }], "$db": "limits" },
        doc! { "update": "c", "updates": [{ "q": {}, "u": { "$set": { "a": 1 } } }], "$db": "limits" },
        doc! { "delete": "c", "deletes": [{ "q": {}, "limit": 0 }], "$db": "limits" },
        doc! { "findAndModify": "c", "query": {}, "remove": true, "$db": "limits" },
        // The function of this one knows nothing of the time: the proxy cuts it off.
        doc! { "drop": "c", "$db": "limits" },
    ] {
        command.insert("maxTimeMS", 100);
        let reply = client.run(command.clone());
        assert_eq!(reply.get_i32("code").ok(), Some(50), "{command}: {reply}");
        assert_eq!(reply.get_str("codeName").ok(), Some("MaxTimeMSExpired"));
        wait_until("the statement is gone", || lock.waiting() == 0);
    }
    lock.release();
    // Nothing of it happened.
    let reply = client.ok(find());
    let batch = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    assert_eq!(batch, &vec![doc! { "_id": 1 }.into()]);
}

#[test]
fn a_client_that_hangs_up_stops_its_read() {
    let stage = stage_with(1, Duration::from_secs(10));
    let lock = Locked::new(&stage, "limits", "c");
    let mut client = stage.primary();
    send(&mut client, find());
    wait_until("the read runs", || lock.waiting() == 1);
    drop(client);
    wait_until("the read is cancelled", || lock.waiting() == 0);
    lock.release();
    stage.primary().ok(find());
}

#[test]
fn the_proxy_is_there_before_postgresql() {
    let stage = Stage::new(&Options { auth: false, ..Options::default() });
    stage.primary().ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "limits" });
    stage.replayed();
    let nodes = [stage.cluster.primary(), stage.cluster.standby()];
    for node in nodes {
        node.stop(ermine_cluster::Stop::Fast).unwrap();
    }
    let options = Options { auth: false, ..Options::default() };
    let proxy = proto_tests::stage::Proxy::start(Some(nodes[0]), &[nodes[1]], &options);
    let (mut primary, mut secondary) = (Client::connect(proxy.primary), Client::connect(proxy.secondary));
    primary.ok(doc! { "hello": 1, "$db": "admin" });
    assert_eq!(primary.code(find()), 189);
    assert_eq!(secondary.code(find()), 6);
    // Whoever wants no reply learns of it all the same, so that it looks for the primary again.
    let mut quiet = Client::connect(proxy.primary);
    quiet.tell(doc! { "insert": "c", "documents": [{}], "writeConcern": { "w": 0 }, "$db": "limits" });
    assert!(quiet.receive().is_none());
    nodes[0].start().unwrap();
    wait_until("the primary is used", || primary.run(find()).contains_key("cursor"));
    nodes[1].start().unwrap();
    wait_until("the standby is used", || secondary.run(find()).contains_key("cursor"));
}

#[test]
fn a_deployment_of_standbys_alone_is_read_only() {
    let stage = Stage::new(&Options { auth: false, ..Options::default() });
    stage.primary().ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "limits" });
    stage.replayed();
    // The address that is configured as the primary leads to a standby, as in a pod of the secondary service.
    let options = Options { auth: false, ..Options::default() };
    let proxy = proto_tests::stage::Proxy::start(Some(stage.cluster.standby()), &[], &options);
    let mut client = Client::connect(proxy.primary);
    let hello = client.ok(doc! { "hello": 1, "$db": "admin" });
    assert_eq!(hello.get_bool("readOnly").ok(), Some(true));
    client.ok(find());
    let marks = stage.marks();
    assert_eq!(client.code(doc! { "insert": "c", "documents": [{}], "$db": "limits" }), 20);
    assert!(!marks.standby_ran("documentdb_api.insert"));
}

#[test]
fn a_server_without_a_place_left_is_asked_again() {
    // Far fewer places than the pool may have connections, and more clients than places.
    let settings =
        vec![("max_connections", "8"), ("superuser_reserved_connections", "0"), ("max_wal_senders", "0")];
    let options = Options {
        settings,
        standbys: 0,
        connections: 20,
        wait: Duration::from_secs(30),
        ..Options::default()
    };
    let stage = Stage::new(&options);
    stage.primary().ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "limits" });
    let clients: Vec<_> = (0..16).map(|_| stage.primary()).collect();
    let locked = Locked::new(&stage, "limits", "c");
    std::thread::scope(|scope| {
        for mut client in clients {
            scope.spawn(move || client.ok(find()));
        }
        // Some requests hold every place and wait for the lock; the others find no place.
        wait_until("requests wait for the lock", || locked.waiting() >= 4);
        std::thread::sleep(Duration::from_millis(300));
        locked.release();
    });
}

#[test]
fn a_collection_that_is_dropped_under_a_waiting_command_is_empty() {
    let stage = stage_with(2, Duration::from_secs(10));
    for (command, field) in [(find(), "cursor"), (doc! { "count": "c", "$db": "limits" }, "n")] {
        stage.primary().ok(doc! { "update": "c", "updates": [{ "q": {}, "u": { "a": 1 }, "upsert": true }], "$db": "limits" });
        let mut client = stage.primary();
        let lock = Locked::new(&stage, "limits", "c");
        send(&mut client, command);
        wait_until("the command waits", || lock.waiting() == 1);
        lock.drop_collection("limits", "c");
        let (reply, _) = client.receive().unwrap();
        match reply.get_document(field) {
            Ok(cursor) => assert!(cursor.get_array("firstBatch").unwrap().is_empty(), "{reply}"),
            Err(_) => assert_eq!(reply.get_i32(field).ok(), Some(0), "{reply}"),
        }
    }
}

#[test]
fn a_client_that_takes_no_replies_keeps_no_connection() {
    let stage = stage_with(1, Duration::from_secs(10));
    // More than the sockets hold between them.
    let document = doc! { "_id": 2, "x": "y".repeat(14_000_000) };
    stage.primary().ok(doc! { "insert": "c", "documents": [document], "$db": "limits" });
    let mut stream = stage.primary().into_stream();
    let find = rawdoc! { "find": "c", "filter": { "_id": 2 }, "$db": "limits" };
    stream.write_all(&[op_msg(1, 0, &find), op_msg(2, 0, &find)].concat()).unwrap();
    // The first reply is on its way, and stuck.
    stream.read_exact(&mut [0; 4]).unwrap();
    stage.primary().ok(doc! { "find": "c", "filter": { "_id": 1 }, "$db": "limits" });
}
