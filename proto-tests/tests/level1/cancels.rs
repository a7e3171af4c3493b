//! Cancels that arrive late, early or never, through a forwarder that holds back what passes: no request feels another
//! one's, nothing runs as another user, and nothing that was written is told as cut off.
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bson::{Document, doc};
use proto_tests::client::Client;
use proto_tests::forwarder::Forwarder;
use proto_tests::stage::{Options, PASSWORD, Proxy, Stage, USER};
use proto_tests::wait_until;

use crate::limits::{Locked, send};
use crate::roles;

/// One connection for all requests. One test at a time: they count who waits for locks.
fn options() -> Options {
    Options {
        standbys: 0,
        superuser: true,
        connections: 1,
        cursor_connections: 1,
        wait: Duration::from_secs(60),
        settings: vec![("ermine.official_cursors", "on")],
        ..Options::default()
    }
}

fn stage() -> (&'static Stage, MutexGuard<'static, ()>) {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    (STAGE.get_or_init(|| Stage::new(&options())), turn)
}

/// A proxy that reaches the stage's primary by way of a forwarder.
struct Behind {
    forwarder: Forwarder,
    proxy: Proxy,
}

impl Behind {
    fn new(stage: &Stage) -> Self {
        let primary = stage.cluster.primary();
        let forwarder = Forwarder::start(primary);
        let proxy = Proxy::at(Some(forwarder.url(primary)), &[], &options());
        Self { forwarder, proxy }
    }

    fn client(&self) -> Client {
        Client::connect(self.proxy.primary).logged_in(USER, PASSWORD)
    }

    /// Kills the only operation of this name.
    fn kill(&self, command: &str) {
        let operations = self.proxy.context.operations.all();
        let mut running = operations.iter().filter_map(|seen| seen.running.as_ref());
        let one = running.find(|running| running.command == command).unwrap();
        assert!(self.proxy.context.operations.kill(one.id));
    }

    /// Kills it, and waits until the request to cancel its statement is held back.
    fn kill_and_hold(&self, command: &str) {
        let before = self.forwarder.cancels().seen;
        self.kill(command);
        wait_until("a cancel is under way", || self.forwarder.cancels().seen > before);
    }

    /// Lets it through, and waits until the server has obeyed.
    fn let_cancels_through(&self) {
        self.forwarder.hold_cancels(false);
        wait_until("the cancel arrives", || {
            let cancels = self.forwarder.cancels();
            cancels.obeyed == cancels.seen
        });
    }
}

fn increment(db: &str) -> Document {
    doc! { "update": "c", "updates": [{ "q": { "_id": 1 }, "u": { "$inc": { "n": 1 } } }], "$db": db }
}

fn code(client: &mut Client) -> Option<i32> {
    client.receive().unwrap().0.get_i32("code").ok()
}

#[test]
fn a_late_cancel_hits_nobody_else() {
    let (stage, _turn) = stage();
    stage.primary().ok(doc! { "insert": "c", "documents": [{ "_id": 1, "n": 0 }], "$db": "late" });
    let behind = Behind::new(stage);
    let (mut one, mut two) = (behind.client(), behind.client());
    behind.forwarder.hold_cancels(true);
    let lock = Locked::new(stage, "late", "c");
    send(&mut one, increment("late"));
    wait_until("the write waits for the lock", || lock.waiting() == 1);
    behind.kill_and_hold("update");
    lock.release();
    // It was done before the cancel came, and that is told.
    assert_eq!(one.receive().unwrap().0.get_i32("n").ok(), Some(1));
    let lock = Locked::new(stage, "late", "c");
    send(&mut two, increment("late"));
    wait_until("the next one's write waits", || lock.waiting() == 1);
    behind.let_cancels_through();
    lock.release();
    let (reply, _) = two.receive().unwrap();
    assert_eq!(reply.get_i32("n").ok(), Some(1), "hit by the cancel of another request: {reply}");
}

#[test]
fn a_page_that_outran_its_cancel_ends_a_cursor_that_holds_its_connection() {
    let (stage, _turn) = stage();
    let documents: Vec<_> = (0..9).map(|n| doc! { "_id": n, "n": n }).collect();
    stage.primary().ok(doc! { "insert": "c", "documents": documents, "$db": "paged" });
    let behind = Behind::new(stage);
    let mut client = behind.client();
    let find = doc! { "find": "c", "sort": { "n": -1 }, "batchSize": 2, "$db": "paged" };
    let more = |id: i64| doc! { "getMore": id, "collection": "c", "batchSize": 2, "$db": "paged" };
    let id = client.ok(find.clone()).get_document("cursor").unwrap().get_i64("id").unwrap();
    client.ok(more(id));
    for command in [more(id), find] {
        // A connection is open that knows the statement.
        client.ok(doc! { "find": "c", "$db": "paged" });
        behind.forwarder.hold_cancels(true);
        behind.forwarder.hold_answers(true);
        let name = command.keys().next().unwrap().clone();
        send(&mut client, command);
        wait_until("the page is asked for", || {
            let all = behind.proxy.context.operations.all();
            let runs = |command: &str| command == name;
            all.iter().any(|seen| {
                seen.backend.is_some() && seen.running.as_ref().is_some_and(|running| runs(running.command))
            })
        });
        behind.kill_and_hold(&name);
        behind.forwarder.hold_answers(false);
        assert_eq!(code(&mut client), Some(11601), "{name}");
        behind.let_cancels_through();
    }
    assert_eq!(client.code(more(id)), 43);
}

#[test]
fn a_role_change_that_is_cancelled_lets_no_write_run_as_the_role_before() {
    let (stage, _turn) = stage();
    for name in ["mighty", "humble"] {
        roles::make(stage, name, true);
    }
    let behind = Behind::new(stage);
    let logged_in = |name| Client::connect(behind.proxy.primary).logged_in(name, roles::PASSWORD);
    let (mut mighty, mut humble) = (logged_in("mighty"), logged_in("humble"));
    let insert = |n: i32| doc! { "insert": "c", "documents": [{ "_id": n }], "$db": "former" };
    humble.ok(insert(1));
    // What the proxy knows of this user is still that it may write.
    stage
        .cluster
        .primary()
        .execute("REVOKE documentdb_admin_role FROM humble; GRANT documentdb_readonly_role, pg_read_all_data TO humble")
        .unwrap();
    mighty.ok(insert(2));
    let commands = [
        insert(3),
        doc! { "update": "c", "updates": [{ "q": {}, "u": { "$set": { "x": 1 } }, "multi": true }], "$db": "former" },
        doc! { "findAndModify": "c", "query": {}, "remove": true, "$db": "former" },
        doc! { "aggregate": "c", "pipeline": [{ "$out": "d" }], "cursor": {}, "$db": "former" },
        doc! { "drop": "c", "$db": "former" },
    ];
    for command in commands {
        // The statement itself is prepared, and the connection carries the other role.
        mighty.run(command.clone());
        mighty.run(doc! { "drop": "c", "$db": "former" });
        mighty.run(doc! { "drop": "d", "$db": "former" });
        mighty.ok(insert(1));
        behind.forwarder.cancel_next("BEGIN; SET ROLE \"humble\"");
        let reply = humble.run(command.clone());
        assert!(behind.forwarder.cancelled_it(), "{command}");
        assert_eq!(reply.get_f64("ok").ok(), Some(0.0), "{command}: {reply}");
        let left = mighty.ok(doc! { "find": "c", "$db": "former" });
        let left = left.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
        assert_eq!(left, &vec![doc! { "_id": 1 }.into()], "{command}");
        let made = mighty.ok(doc! { "count": "d", "$db": "former" });
        assert_eq!(made.get_i32("n").ok(), Some(0), "{command}");
    }
}

#[test]
fn a_write_whose_end_nobody_saw_is_not_told_as_cut_off() {
    let (stage, _turn) = stage();
    let behind = Behind::new(stage);
    let (mut writer, mut reader) = (behind.client(), stage.primary());
    // Its way is known, and so are its rights.
    writer.ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "unseen" });
    behind.forwarder.hold_answers(true);
    behind.forwarder.refuse(true);
    // Time enough for the write itself, on a slow machine too.
    send(
        &mut writer,
        doc! { "insert": "c", "documents": [{ "_id": 2 }], "maxTimeMS": 2000, "$db": "unseen" },
    );
    wait_until("the document is there", || {
        let count = reader.ok(doc! { "count": "c", "query": { "_id": 2 }, "$db": "unseen" });
        count.get_i32("n").ok() == Some(1)
    });
    assert_eq!(code(&mut writer), Some(11602));
    behind.forwarder.hold_answers(false);
    behind.forwarder.refuse(false);
}
