//! Nodes that go away and come back, while clients go on.
use bson::{Document, doc};
use ermine::pool::Role;
use ermine_cluster::{Node, Stop};
use proto_tests::client::Client;
use proto_tests::forwarder::Forwarder;
use proto_tests::stage::{Options, Proxy, Stage};
use proto_tests::wait_until;

/// What a client may be told while a node is away: never a wrong answer, never PostgreSQL's words.
const AWAY: [i32; 7] = [6, 91, 189, 10107, 11600, 11602, 13436];

fn options(standbys: usize) -> Options {
    Options { standbys, ..Options::default() }
}

fn away(reply: &Document) -> bool {
    let Ok(code) = reply.get_i32("code") else { return false };
    assert!(AWAY.contains(&code), "{reply}");
    let message = reply.get_str("errmsg").unwrap();
    for word in ["postgres", "documentdb", "terminating", "administrator", "server closed"] {
        assert!(!message.to_lowercase().contains(word), "{reply}");
    }
    true
}

fn find(client: &mut Client) -> Document {
    client.run(doc! { "find": "c", "filter": { "_id": 1 }, "$db": "failover" })
}

fn found(reply: &Document) -> bool {
    let Ok(cursor) = reply.get_document("cursor") else { return !away(reply) };
    assert_eq!(cursor.get_array("firstBatch").unwrap().len(), 1, "a wrong answer: {reply}");
    true
}

fn prepared(standbys: usize) -> Stage {
    let stage = Stage::new(&options(standbys));
    stage.primary().ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "failover" });
    stage.replayed();
    stage
}

#[test]
fn clients_of_old_hear_of_masters() {
    let stage = Stage::new(&Options { auth: false, ..options(0) });
    let insert = || doc! { "insert": "c", "documents": [{}], "$db": "words" };
    let (mut old, mut new) = (stage.stranger(), stage.stranger());
    new.ok(doc! { "hello": 1, "helloOk": true, "$db": "admin" });
    old.ok(insert());
    // It was the primary, so that this is a switch and not its nature.
    stage.cluster.primary().execute("ALTER SYSTEM SET default_transaction_read_only = on").unwrap();
    stage.cluster.primary().execute("SELECT pg_reload_conf()").unwrap();
    wait_until("writes are refused", || old.run(insert()).get_i32("code").ok() == Some(10107));
    for (client, old_words) in [(&mut old, true), (&mut new, false)] {
        let reply = client.run(insert());
        assert_eq!(reply.get_i32("code").ok(), Some(10107), "{reply}");
        assert_eq!(reply.get_str("errmsg").ok() == Some("not master"), old_words, "{reply}");
    }
}

#[test]
fn the_standby_goes_and_comes_back() {
    let stage = prepared(1);
    let (mut primary, mut secondary) = (stage.primary(), stage.secondary());
    assert!(found(&find(&mut secondary)));
    let known =
        secondary.ok(doc! { "hello": 1, "$db": "admin" }).get_document("topologyVersion").unwrap().clone();
    // A client that waits for news gets it, long before its time is over.
    let mut waiting = stage.stranger();
    waiting.send(&proto_tests::client::Message {
        body: doc! { "hello": 1, "topologyVersion": known.clone(), "maxAwaitTimeMS": 120_000, "$db": "admin" },
        ..Default::default()
    });
    stage.cluster.standby().kill().unwrap();
    wait_until("the secondary endpoint notices", || !find(&mut secondary).contains_key("cursor"));
    let news = waiting.receive().unwrap().0;
    let counter = |version: &Document| version.get_i64("counter").unwrap();
    assert!(counter(news.get_document("topologyVersion").unwrap()) > counter(&known));
    // The primary endpoint is not concerned, and a preference for the standby falls back.
    assert!(found(&find(&mut primary)));
    let preferring = doc! {
        "find": "c", "filter": { "_id": 1 }, "$db": "failover", "$readPreference": { "mode": "secondaryPreferred" },
    };
    assert!(found(&primary.run(preferring)));
    let insisting = doc! {
        "find": "c", "filter": { "_id": 1 }, "$db": "failover", "$readPreference": { "mode": "secondary" },
    };
    assert!(away(&primary.run(insisting)));
    // Logging in works without the standby.
    let mut late = stage.secondary();
    assert!(away(&find(&mut late)));
    stage.cluster.standby().start().unwrap();
    wait_until("the standby is used again", || found(&find(&mut secondary)));
    assert!(found(&find(&mut late)));
}

#[test]
fn the_primary_goes_and_comes_back() {
    let stage = prepared(1);
    let (mut primary, mut secondary) = (stage.primary(), stage.secondary());
    for how in [Stop::Fast, Stop::Immediate] {
        stage.cluster.primary().stop(how).unwrap();
        let write = doc! { "insert": "c", "documents": [{ "n": 1 }], "$db": "failover" };
        wait_until("the primary endpoint notices", || away(&primary.run(write.clone())));
        assert!(away(&find(&mut primary)));
        // Local answers and the standby go on.
        primary.ok(doc! { "ping": 1, "$db": "admin" });
        primary.ok(doc! { "hello": 1, "$db": "admin" });
        assert!(found(&find(&mut secondary)));
        let preferring = doc! {
            "find": "c", "filter": { "_id": 1 }, "$db": "failover", "$readPreference": { "mode": "primaryPreferred" },
        };
        assert!(found(&primary.run(preferring)));
        stage.cluster.primary().start().unwrap();
        wait_until("the primary is used again", || {
            let reply = primary.run(write.clone());
            reply.contains_key("n") || !away(&reply)
        });
        assert!(found(&find(&mut primary)));
    }
}

#[test]
fn acknowledged_writes_survive_a_crash_and_are_applied_once() {
    let stage = prepared(1);
    let addresses = stage.addresses();
    let clients: Vec<_> = (0..4)
        .map(|worker| {
            // Not in its thread, where the crash could come before the login is through.
            let mut client = Client::connect(addresses[0])
                .logged_in(proto_tests::stage::USER, proto_tests::stage::PASSWORD);
            std::thread::spawn(move || {
                let (mut sure, mut unsure) = (0, 0);
                for _ in 0..400 {
                    let reply = client.run(doc! {
                        "update": "counters", "updates": [
                            { "q": { "_id": worker }, "u": { "$inc": { "n": 1 } }, "upsert": true },
                        ], "$db": "failover",
                    });
                    match reply.get_i32("n") {
                        Ok(1) => sure += 1,
                        _ if away(&reply) => {
                            // Only a lost connection leaves the outcome open; a refusal does not.
                            if reply.get_i32("code").ok() == Some(11602) {
                                unsure += 1;
                            }
                            std::thread::sleep(std::time::Duration::from_millis(5));
                        }
                        _ => panic!("{reply}"),
                    }
                }
                (worker, sure, unsure)
            })
        })
        .collect();
    std::thread::sleep(std::time::Duration::from_millis(150));
    stage.cluster.primary().kill().unwrap();
    stage.cluster.primary().start().unwrap();
    let outcomes: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    let mut client = stage.primary();
    wait_until("the primary is used again", || found(&find(&mut client)));
    for (worker, sure, unsure) in outcomes {
        let reply = client.ok(doc! { "find": "counters", "filter": { "_id": worker }, "$db": "failover" });
        let batch = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
        let n = batch.first().map_or(0, |counter| counter.as_document().unwrap().get_i32("n").unwrap());
        assert!((sure..=sure + unsure).contains(&n), "worker {worker}: {n}, sure {sure}, unsure {unsure}");
    }
}

#[test]
fn a_promoted_standby_takes_the_writes() {
    let stage = prepared(1);
    let (mut primary, mut secondary) = (stage.primary(), stage.secondary());
    stage.cluster.primary().stop(Stop::Fast).unwrap();
    stage.cluster.standby().promote().unwrap();
    let write = doc! { "insert": "c", "documents": [{ "_id": 2 }], "$db": "failover" };
    wait_until("the new primary is found", || {
        let reply = primary.run(write.clone());
        reply.contains_key("n") || !away(&reply)
    });
    let count = primary.ok(doc! { "count": "c", "query": { "_id": 2 }, "$db": "failover" });
    assert_eq!(count.get_i32("n").ok(), Some(1));
    // The secondary endpoint still reads, and still refuses writes.
    assert!(found(&find(&mut secondary)));
    assert_eq!(secondary.code(write), 20);
}

#[test]
fn reads_are_shared_between_standbys_and_survive_the_loss_of_one() {
    let stage = prepared(2);
    let mut secondary = stage.secondary();
    let marks: Vec<_> = stage.cluster.standbys().iter().map(ermine_cluster::Node::log_mark).collect();
    for _ in 0..6 {
        assert!(found(&find(&mut secondary)));
    }
    assert!(marks.iter().all(|mark| mark.ran("find_cursor_first_page")), "both standbys answer");
    stage.cluster.standbys()[0].kill().unwrap();
    // A read whose connection dies under it is tried on the other node: no client notices.
    for _ in 0..20 {
        assert!(find(&mut secondary).contains_key("cursor"));
    }
}

/// The documents of the collection that this very node has.
fn documents(node: &Node) -> i64 {
    let id = "SELECT collection_id FROM documentdb_api_catalog.collections \
              WHERE database_name = 'failover' AND collection_name = 'c'";
    let count =
        format!("SELECT count(*) FROM documentdb_data.documents_{}", node.query(id).unwrap().unwrap());
    node.query(&count).unwrap().unwrap().parse().unwrap()
}

fn insert() -> Document {
    doc! { "insert": "c", "documents": [{}], "$db": "failover" }
}

#[test]
fn a_superseded_primary_takes_no_writes_while_its_successor_is_away() {
    let stage = prepared(1);
    let mut client = stage.primary();
    let (old, new) = (stage.cluster.primary(), stage.cluster.standby());
    // Nobody fences the old one.
    new.promote().unwrap();
    let node = stage.context().pools.nodes()[1].clone();
    wait_until("the new primary is known", || node.role() == Role::Primary);
    client.ok(insert());
    assert_eq!((documents(old), documents(new)), (1, 2));
    new.stop(Stop::Fast).unwrap();
    wait_until("the new primary is missed", || node.role() == Role::Down);
    for _ in 0..3 {
        let reply = client.run(insert());
        assert!(away(&reply), "the old primary took a write: {reply}");
    }
    assert_eq!(documents(old), 1);
    new.start().unwrap();
    wait_until("the new primary is used again", || {
        let reply = client.run(insert());
        reply.contains_key("n") || !away(&reply)
    });
    assert_eq!((documents(old), documents(new)), (1, 3));
}

#[test]
fn a_connection_to_a_superseded_primary_takes_no_writes() {
    let stage = prepared(1);
    let (old, new) = (stage.cluster.primary(), stage.cluster.standby());
    // One address, behind which the server changes.
    let forwarder = Forwarder::start(old);
    let proxy = Proxy::at(Some(forwarder.url(old)), &[], &options(0));
    let mut client =
        Client::connect(proxy.primary).logged_in(proto_tests::stage::USER, proto_tests::stage::PASSWORD);
    client.ok(insert());
    stage.replayed();
    new.promote().unwrap();
    forwarder.lead_to(new);
    let node = proxy.context.pools.nodes()[0].clone();
    // Of the old server's connections that of the probe ends, which asks the new one then. Now and then it asks for something
    // else, and is not to be told from the others.
    wait_until("the new primary is known", || {
        old.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ermine_service' \
             AND (query LIKE '%pg_is_in_recovery%' OR query LIKE '%pg_control_system%')",
        )
        .unwrap();
        node.timeline() == 2
    });
    client.ok(insert());
    assert_eq!((documents(old), documents(new)), (2, 3));
}

#[test]
fn a_server_that_does_not_say_what_it_is_holds_no_write_up() {
    let stage = prepared(1);
    let (mut client, mut reader) = (stage.primary(), stage.secondary());
    let standby = stage.cluster.standby();
    client.ok(insert());
    assert!(found(&find(&mut reader)));
    stage.cluster.primary().stop(Stop::Fast).unwrap();
    standby.promote().unwrap();
    let node = stage.context().pools.nodes()[1].clone();
    wait_until("the new primary is known", || node.role() == Role::Primary);
    // Connections that were opened to a standby are asked what it is by now; that of the probe is not concerned.
    let pooled = "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE usename = 'ermine_service' \
                  AND query NOT LIKE '%pg_is_in_recovery%' AND query NOT LIKE '%pg_control_system%' \
                  AND query NOT LIKE '%server_version%'";
    let pooled = standby.query(pooled).unwrap().unwrap();
    let halt = |halt: bool| {
        for process in pooled.split(' ') {
            standby.halt_process(process.parse().unwrap(), halt).unwrap();
        }
    };
    let before = documents(standby);
    halt(true);
    let mut limited = insert();
    limited.insert("maxTimeMS", 50);
    let reply = client.run(limited);
    halt(false);
    assert_eq!(reply.get_i32("code").ok(), Some(50), "{reply}");
    assert_eq!(documents(standby), before);
}
