//! The URLs of operators, of libpq's manual and of FerretDB's users.
use std::time::Duration;

use tokio_postgres::config::Host;

use super::*;

fn fallback() -> Fallback {
    Fallback { user: None, password: None, connect_timeout: Duration::from_secs(7) }
}

fn good(url: &str) -> Config {
    let parsed = parse(url, &fallback());
    assert_eq!(parsed.problems, Vec::<String>::new(), "{url}");
    parsed.postgres.unwrap()
}

fn problems(url: &str) -> Vec<String> {
    let parsed = parse(url, &fallback());
    assert_eq!(parsed.postgres.is_none(), !parsed.problems.is_empty());
    parsed.problems
}

fn hosts(config: &Config) -> Vec<String> {
    let host = |host: &Host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    };
    config.get_hosts().iter().map(host).collect()
}

#[test]
fn the_plain_form() {
    let config = good("postgres://u:p@db.example:6000/d");
    assert_eq!((config.get_user(), config.get_password()), (Some("u"), Some(&b"p"[..])));
    assert_eq!((hosts(&config), config.get_ports()), (vec!["db.example".to_owned()], &[6000][..]));
    assert_eq!(config.get_dbname(), Some("d"));
    assert_eq!(config.get_application_name(), Some("ermine"));
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(7)));
    assert_eq!(config.get_ssl_mode(), SslMode::Prefer);
    assert_eq!(good("postgresql://u@h").get_ports(), [5432]);
}

#[test]
fn unencoded_passwords() {
    for password in ["a@b", "@@", "a:b", "p!$&()*,-.;=_~'+:@", "x+y", ":", "a,b;c=d&e"] {
        let config =
            good(&format!("postgres://postgres:{password}@ferret-pg-backend.demo.svc:5432/ferretdb"));
        assert_eq!(config.get_password(), Some(password.as_bytes()), "{password}");
        assert_eq!(hosts(&config), ["ferret-pg-backend.demo.svc"]);
        assert_eq!(config.get_dbname(), Some("ferretdb"));
    }
}

#[test]
fn encoded_parts() {
    let config = good("postgres://us%40er:p%2Fw%3F%25@h/my%20db");
    assert_eq!(config.get_user(), Some("us@er"));
    assert_eq!(config.get_password(), Some(&b"p/w?%"[..]));
    assert_eq!(config.get_dbname(), Some("my db"));
    for url in ["postgres://u:100%@h/d", "postgres://u:%zz@h/d", "postgres://u:%ff@h/d"] {
        assert_eq!(problems(url), ["the percent-encoding of the password is broken"], "{url}");
    }
}

#[test]
fn a_slash_in_the_password_gets_a_hint() {
    for url in ["postgres://u:p/w@h/d", "postgres://u:p?w@h/d"] {
        assert!(problems(url).iter().any(|text| text.contains("%2F")), "{url}: {:?}", problems(url));
    }
    // An @ in a parameter is no such mistake.
    assert_eq!(good("postgres://u:p@h/d?application_name=a@b").get_application_name(), Some("a@b"));
}

#[test]
fn several_hosts_and_unix_sockets() {
    let config = good("postgres://u@a:1,b,[::1]:3,%2Frun%2Fpg:4/d");
    assert_eq!(hosts(&config), ["a", "b", "::1", "/run/pg"]);
    assert_eq!(config.get_connect_timeout(), Some(&(Duration::from_secs(7) / 8)));
    assert_eq!(config.get_ports(), [1, 5432, 3, 4]);
    let config = good("postgres://u@/d?host=/var/run/postgresql&port=5433");
    assert_eq!((hosts(&config), config.get_ports()), (vec!["/var/run/postgresql".to_owned()], &[5433][..]));
}

#[test]
fn fallback_user_and_password() {
    let fallback = Fallback {
        user: Some("postgres".to_owned()),
        password: Some("s@cret".to_owned()),
        connect_timeout: Duration::from_secs(1),
    };
    let config = parse("postgres://h:5432/ferretdb", &fallback).postgres.unwrap();
    assert_eq!((config.get_user(), config.get_password()), (Some("postgres"), Some(&b"s@cret"[..])));
    let config = parse("postgres://other:own@h/d", &fallback).postgres.unwrap();
    assert_eq!((config.get_user(), config.get_password()), (Some("other"), Some(&b"own"[..])));
}

#[test]
fn what_is_missing_or_broken() {
    assert_eq!(problems("postgres://h/d"), ["names no user, and pg_user is not set"]);
    assert_eq!(problems("postgres://u@/d"), ["names no host"]);
    for url in ["", "h", "mysql://u@h", "host=h user=u"] {
        assert_eq!(problems(url), ["expected a URL that begins with postgres:// or postgresql://"]);
    }
    for url in ["postgres://u@h:x/d", "postgres://u@h:65536/d", "postgres://u@[::1]x/d"] {
        assert_eq!(problems(url), ["a port is not a number from 0 to 65535"], "{url}");
    }
}

#[test]
fn parameters() {
    let config = good(
        "postgres://u@h/d?sslmode=prefer&connect_timeout=3&application_name=mine&options=-c%20a%3Db&timezone=UTC\
         &target_session_attrs=read-write&keepalives_idle=9&channel_binding=prefer",
    );
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
    assert_eq!(config.get_application_name(), Some("mine"));
    assert_eq!(config.get_options(), Some("-c a=b -c timezone=UTC"));
    assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    assert_eq!(config.get_keepalives_idle(), Duration::from_secs(9));

    let url = "postgres://u@h/d?pool_max_conns=50&pool_min_conns=10&pool_max_conn_lifetime=2h&pool_max_conn_idle_time=5m";
    let parsed = parse(url, &fallback());
    assert_eq!(parsed.pool_max_connections.map(NonZeroUsize::get), Some(50));
    assert_eq!(parsed.pool_max_lifetime, Some(Duration::from_secs(7200)));
    assert_eq!(parsed.pool_max_idle, Some(Duration::from_secs(300)));
    assert_eq!(parsed.notes.len(), 1);
}

#[test]
fn a_server_that_vanishes_is_noticed() {
    let seconds = Duration::from_secs;
    let times = |config: &Config| {
        (
            config.get_keepalives(),
            config.get_keepalives_idle(),
            config.get_keepalives_interval(),
            config.get_keepalives_retries(),
            config.get_tcp_user_timeout().copied(),
        )
    };
    let config = good("postgres://u@h/d");
    assert_eq!(times(&config), (true, seconds(30), Some(seconds(10)), Some(3), Some(seconds(30))));
    let config = good(
        "postgres://u@h/d?keepalives=0&keepalives_idle=5&keepalives_interval=6&keepalives_count=7&tcp_user_timeout=8000",
    );
    assert_eq!(times(&config), (false, seconds(5), Some(seconds(6)), Some(7), Some(seconds(8))));
    // 0 is the system's own, as in libpq.
    let config = good(
        "postgres://u@h/d?keepalives_idle=0&keepalives_interval=0&keepalives_count=0&tcp_user_timeout=0",
    );
    assert_eq!(times(&config), (true, seconds(7200), Some(seconds(75)), Some(9), Some(seconds(0))));
}

#[test]
fn tls() {
    for (mode, ssl, ours) in [
        ("disable", SslMode::Disable, PgTlsMode::Disable),
        ("allow", SslMode::Prefer, PgTlsMode::Prefer),
        ("prefer", SslMode::Prefer, PgTlsMode::Prefer),
        ("require", SslMode::Require, PgTlsMode::Require),
        ("verify-ca", SslMode::Require, PgTlsMode::VerifyCa),
        ("verify-full", SslMode::Require, PgTlsMode::VerifyFull),
    ] {
        let parsed = parse(&format!("postgres://u@h/d?sslmode={mode}&sslrootcert=%2Fca"), &fallback());
        assert_eq!(parsed.postgres.unwrap().get_ssl_mode(), ssl);
        assert_eq!((parsed.tls.mode, parsed.tls.root), (ours, Some("/ca".into())));
    }
    let both = parse("postgres://u@h/d?sslcert=/c&sslkey=/k", &fallback());
    assert_eq!((both.tls.cert, both.tls.key), (Some("/c".into()), Some("/k".into())));
    assert_eq!(problems("postgres://u@h/d?sslcert=/c"), ["sslcert and sslkey belong together"]);
}

#[test]
fn parameters_that_are_refused() {
    for parameter in [
        "sslmode=maybe",
        "sslcrl=/x",
        "channel_binding=maybe",
        "target_session_attrs=prefer-standby",
        "connect_timeout=soon",
        "pool_max_conns=0",
        "timezone=x%20y",
        "colour=blue",
    ] {
        let name = parameter.split('=').next().unwrap();
        let problems = problems(&format!("postgres://u@h/d?{parameter}"));
        assert_eq!(problems.len(), 1, "{parameter}");
        assert!(problems[0].starts_with(&format!("parameter {name}: ")), "{problems:?}");
    }
}

#[test]
fn problems_do_not_repeat_the_url() {
    for url in [
        "postgres://user:hunter2@h:port/d",
        "postgres://user:hunter2/x@h",
        "postgres://user:hunter2%@h/d?sslmode=maybe",
        "user:hunter2@h",
    ] {
        let said = format!("{:?}", problems(url));
        assert!(said.len() > 2 && !said.contains("hunter2"), "{said}");
    }
    assert!(!format!("{:?}", good("postgres://user:hunter2@h/d")).contains("hunter2"));
}
