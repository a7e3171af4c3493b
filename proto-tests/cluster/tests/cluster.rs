//! The cluster with plain PostgreSQL: what it promises to its users.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ermine_cluster::{Cluster, Stop};

/// One cluster after the other: each costs two seconds of two cores.
#[test]
fn replicates_fails_over_and_leaves_nothing() {
    let cluster = Cluster::builder().standbys(2).log_statements().start().unwrap();
    let (primary, standby) = (cluster.primary(), cluster.standby());
    primary.execute("CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 1000)").unwrap();
    cluster.wait_replayed().unwrap();
    let mark = standby.log_mark();
    for node in cluster.standbys() {
        assert_eq!(node.query("SELECT count(*) FROM t").unwrap().as_deref(), Some("1000"));
        assert_eq!(node.query("SHOW hot_standby_feedback").unwrap().as_deref(), Some("on"));
    }
    assert_eq!(mark.statements().iter().filter(|s| s.contains("FROM t")).count(), 1);
    let slots = primary.query("SELECT count(*) FROM pg_replication_slots WHERE active").unwrap();
    assert_eq!(slots.as_deref(), Some("2"));

    // A crash of either side, and back on the same port.
    let port = standby.port();
    standby.kill().unwrap();
    assert!(!standby.is_running() && standby.query("SELECT 1").is_err());
    primary.execute("INSERT INTO t VALUES (0)").unwrap();
    standby.start().unwrap();
    primary.kill().unwrap();
    primary.start().unwrap();
    primary.execute("INSERT INTO t VALUES (0)").unwrap();
    cluster.wait_replayed().unwrap();
    assert_eq!(
        (standby.port(), standby.query("SELECT count(*) FROM t").unwrap().as_deref()),
        (port, Some("1002"))
    );

    primary.stop(Stop::Fast).unwrap();
    standby.promote().unwrap();
    standby.execute("INSERT INTO t VALUES (0)").unwrap();
    assert_eq!(standby.query("SELECT pg_is_in_recovery()").unwrap().as_deref(), Some("f"));

    let directory = cluster.directory().to_owned();
    let pid = standby.pid().unwrap();
    drop(cluster);
    assert!(!directory.exists());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn data_survives_in_a_directory() {
    let base = std::env::temp_dir().join(format!("ermine-durable-{}", std::process::id()));
    let start = || Cluster::builder().directory(&base).start().unwrap();
    let first = start();
    let url = first.primary().url();
    first.primary().execute("CREATE TABLE t AS SELECT 1 AS i").unwrap();
    drop(first);
    assert!(base.exists());
    let second = start();
    second.wait_replayed().unwrap();
    assert_eq!(second.standby().query("SELECT i FROM t").unwrap().as_deref(), Some("1"));
    // The service role's password is kept with the data; the port is the cluster's own business.
    let credentials = |url: &str| url.split('@').next().map(str::to_owned);
    assert_eq!(credentials(&url), credentials(&second.primary().url()));
    drop(second);
    std::fs::remove_dir_all(&base).unwrap();
}

/// The second process of the test below.
const CHILD: &str = "ERMINE_CLUSTER_TEST_CHILD";

#[test]
fn a_killed_process_leaves_nothing() {
    if std::env::var_os(CHILD).is_some() {
        let cluster = Cluster::builder().start().unwrap();
        println!("\n{}\n{}", cluster.directory().display(), cluster.standby().pid().unwrap());
        std::thread::sleep(Duration::from_secs(600));
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "a_killed_process_leaves_nothing", "--nocapture"]).env(CHILD, "1");
    let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let directory = lines.find(|line| line.starts_with('/')).unwrap();
    let server = Path::new("/proc").join(lines.next().unwrap());
    assert!(Path::new(&directory).exists() && server.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let give_up = Instant::now() + Duration::from_secs(30);
    while Path::new(&directory).exists() || server.exists() {
        assert!(Instant::now() < give_up, "{directory} or a server in it is left");
        std::thread::sleep(Duration::from_millis(20));
    }
}
