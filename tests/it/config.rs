//! Flags, environment and file to a configuration; the program's exit codes.
use std::process::{Command, Output};
use std::time::Duration;

use ermine::config::{
    Address, Checked, ClientCertificates, Endpoint, LogFormat, Problems, Raw, RunAsUser, TlsMode, X509Users,
    check, example_toml, keys,
};

const URL: &str = "postgres://u:hunter2@h:5432/d";

fn raw(flags: &[(&str, &str)]) -> Raw {
    let mut raw = Raw::default();
    for (name, text) in flags {
        raw.flag(name, text);
    }
    raw
}

fn good(raw: Raw) -> Checked {
    check(raw).unwrap_or_else(|problems| panic!("{problems}"))
}

fn keys_of(result: Result<Checked, Problems>) -> Vec<String> {
    result.expect_err("expected problems").0.into_iter().map(|problem| problem.key).collect()
}

fn environment(variables: &[(&str, &str)]) -> Raw {
    let mut raw = Raw::default();
    raw.environment(variables.iter().map(|(name, text)| (name.to_string(), text.to_string())));
    raw
}

fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.to_owned(), port }
}

#[test]
fn defaults() {
    let config = good(raw(&[("postgresql_url", URL)])).config;
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].address, tcp("127.0.0.1", 27017));
    assert_eq!(config.listeners[0].endpoint, Endpoint::Primary);
    assert!(config.auth && config.standbys.is_empty());
    assert_eq!(config.pool.max_connections.get(), 20);
    assert_eq!(config.limits.cursor_timeout, Duration::from_secs(600));
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn both_endpoints() {
    let config = good(raw(&[
        ("postgresql_url", URL),
        ("postgresql_standby_url", "postgres://u@a\n postgres://u@b:1"),
        ("listen_addr", ":0"),
        ("listen_unix", "/run/x.sock"),
        ("secondary_listen_addr", "[::1]:0"),
    ]))
    .config;
    let listeners: Vec<_> = config.listeners.iter().map(|l| (l.endpoint, l.address.to_string())).collect();
    let expected = [
        (Endpoint::Primary, ":0".to_owned()),
        (Endpoint::Primary, "/run/x.sock".to_owned()),
        (Endpoint::Secondary, "[::1]:0".to_owned()),
    ];
    assert_eq!(listeners, expected);
    let nodes: Vec<_> = config.primary.iter().chain(&config.standbys).map(ToString::to_string).collect();
    assert_eq!(nodes, ["primary u@h:5432/d", "standby-0 u@a:5432/", "standby-1 u@b:1/"]);
}

#[test]
fn a_secondary_endpoint_alone() {
    let config = good(raw(&[
        ("listen_addr", "-"),
        ("secondary_listen_addr", ":1"),
        ("postgresql_standby_url", "postgres://u@a"),
    ]))
    .config;
    assert!(config.primary.is_none());
    assert_eq!(config.listeners.len(), 1);
}

#[test]
fn flags_win_over_variables_over_ferretdb_over_the_file() {
    let layers: [&dyn Fn(&mut Raw); 4] = [
        &|raw| raw.toml("listen_addr = ':1'"),
        &|raw| raw.environment([("FERRETDB_LISTEN_ADDR".to_owned(), ":2".to_owned())]),
        &|raw| raw.environment([("ERMINE_LISTEN_ADDR".to_owned(), ":3".to_owned())]),
        &|raw| raw.flag("listen_addr", ":4"),
    ];
    for winner in 0..layers.len() {
        // In either order of gathering.
        let order: Vec<usize> = (0..=winner).rev().collect();
        for order in [order.clone(), order.into_iter().rev().collect()] {
            let mut raw = raw(&[("postgresql_url", URL)]);
            for layer in order {
                layers[layer](&mut raw);
            }
            let port = u16::try_from(winner + 1).unwrap();
            assert_eq!(good(raw).config.listeners[0].address, tcp("", port));
        }
    }
}

#[test]
fn every_problem_is_named_at_once() {
    let raw = raw(&[
        ("listen_addr", "nowhere"),
        ("secondary_listen_addr", ":1"),
        ("postgresql_url", "mysql://u:hunter2@h"),
        ("pool_max_connections", "0"),
        ("pool_wait_timeout", "soon"),
        ("auth", "perhaps"),
        ("log_level", "loud"),
        ("log_format", "mongo"),
        ("no_such", "x"),
    ]);
    let problems = check(raw).expect_err("problems");
    let text = problems.to_string();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("(given by --pool-wait-timeout)"), "{text}");
    let mut keys: Vec<_> = problems.0.into_iter().map(|problem| problem.key).collect();
    keys.sort_unstable();
    let expected = [
        "auth",
        "listen_addr",
        "log_format",
        "log_level",
        "no-such",
        "pool_max_connections",
        "pool_wait_timeout",
        "postgresql_url",
        "secondary_listen_addr",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn settings_are_checked_against_each_other() {
    assert_eq!(keys_of(check(raw(&[]))), ["listen_addr"]);
    let same = raw(&[
        ("postgresql_url", URL),
        ("postgresql_standby_url", URL),
        ("secondary_listen_addr", "127.0.0.1:27017"),
    ]);
    assert_eq!(keys_of(check(same)), ["secondary_listen_addr"]);
    let off = raw(&[("postgresql_url", URL), ("listen_addr", "-")]);
    assert_eq!(keys_of(check(off)), ["listen_addr"]);
    // Two that ask for any port are no clash.
    good(raw(&[
        ("postgresql_url", URL),
        ("postgresql_standby_url", URL),
        ("listen_addr", ":0"),
        ("secondary_listen_addr", ":0"),
    ]));
}

#[test]
fn who_runs_as_whom_and_who_needs_no_password_depends_on_other_settings() {
    let url = ("postgresql_url", URL);
    assert_eq!(good(raw(&[url])).config.pool.run_as_user, RunAsUser::Auto);
    let required = ("run_as_user", "required");
    assert_eq!(good(raw(&[url, required])).config.pool.run_as_user, RunAsUser::Required);
    assert_eq!(keys_of(check(raw(&[url, required, ("roles", "false")]))), ["run_as_user"]);
    let tls = [
        ("listen_tls", ":0"),
        ("listen_tls_cert_file", "c"),
        ("listen_tls_key_file", "k"),
        ("certificate_users", "cn"),
        url,
    ];
    assert_eq!(keys_of(check(raw(&tls))), ["certificate_users"]);
    let checked = [&tls[..], &[("listen_tls_ca_file", "a")]].concat();
    assert_eq!(good(raw(&checked)).config.x509_users, X509Users::CommonName);
    assert_eq!(keys_of(check(raw(&[url, ("certificate_users", "subject")]))), ["certificate_users"]);
}

#[test]
fn the_variables_of_an_operator() {
    let checked = good(environment(&[
        ("FERRETDB_POSTGRESQL_URL", "postgres://ferret-pg-backend.demo.svc.cluster.local:5432/ferretdb"),
        ("FERRETDB_PG_USER", "postgres"),
        ("FERRETDB_PG_PASSWORD", "a@b;c'+"),
        ("FERRETDB_HANDLER", "pg"),
        ("FERRETDB_LISTEN_ADDR", ":27017"),
        ("FERRETDB_DEBUG_ADDR", ":56790"),
        ("FERRETDB_STATE_DIR", "/state"),
        ("FERRETDB_TELEMETRY", "disable"),
        ("FERRETDB_LOG_LEVEL", "DEBUG"),
        ("FERRETDB_LOG_FORMAT", "console"),
        ("FERRETDB_AUTH", "true"),
        ("FERRETDB_LISTEN_TLS", "-"),
        ("FERRETDB_MODE", "normal"),
        ("FERRETDB_SOMETHING_NEW", "1"),
        ("FERRETDB_SERVICE_HOST", "10.0.0.1"),
        ("FERRETDB_PORT", "tcp://10.0.0.1:27017"),
        ("ERMINE_PORT_27017_TCP", "tcp://10.0.0.1:27017"),
        ("PATH", "/bin"),
    ]));
    let primary = checked.config.primary.unwrap().postgres;
    assert_eq!((primary.get_user(), primary.get_password()), (Some("postgres"), Some(&b"a@b;c'+"[..])));
    assert_eq!(checked.config.log.filter, "debug");
    let noted: Vec<_> = checked.notes.iter().map(|note| note.split(' ').next().unwrap()).collect();
    let expected = ["FERRETDB_HANDLER", "FERRETDB_STATE_DIR", "FERRETDB_TELEMETRY", "FERRETDB_SOMETHING_NEW"];
    assert_eq!(noted, expected);
}

#[test]
fn tls_listeners_and_their_files() {
    let files = [("FERRETDB_LISTEN_TLS_CERT_FILE", "/c"), ("FERRETDB_LISTEN_TLS_KEY_FILE", "/k")];
    let with = |more: &[(&str, &str)]| {
        let all: Vec<_> = [("ERMINE_POSTGRESQL_URL", URL)].iter().chain(more).copied().collect();
        check(environment(&all))
    };
    let config = with(&[&files[..], &[("FERRETDB_LISTEN_TLS", ":27018")]].concat()).unwrap();
    let modes: Vec<_> = config.config.listeners.iter().map(|listener| listener.tls).collect();
    assert_eq!(modes, [TlsMode::Off, TlsMode::Required]);
    assert!(config.notes.iter().any(|note| note.contains("without TLS as well")), "{:?}", config.notes);
    let files_of = config.config.tls.unwrap();
    assert_eq!((files_of.ca, files_of.client_certificates), (None, ClientCertificates::Required));

    for (mode, expected) in [("allowTLS", TlsMode::Accepted), ("requireTLS", TlsMode::Required)] {
        let config = with(&[&files[..], &[("ERMINE_TLS_MODE", mode)]].concat()).unwrap().config;
        assert_eq!(config.listeners[0].tls, expected);
    }
    // Files alone open nothing, and a listener without files is none.
    assert!(with(&files).unwrap().config.tls.is_none());
    assert_eq!(
        keys_of(with(&[("FERRETDB_LISTEN_TLS", ":27018")])),
        ["listen_tls_cert_file", "listen_tls_key_file"]
    );
    assert_eq!(keys_of(with(&[("ERMINE_TLS_MODE", "on")])), ["tls_mode"]);
    for off in ["", "-"] {
        assert!(with(&[("FERRETDB_LISTEN_TLS", off)]).unwrap().config.tls.is_none());
    }
}

#[test]
fn what_is_not_there_is_refused_by_name() {
    for (variable, value) in [
        ("FERRETDB_LISTEN_DATA_API_ADDR", ":8080"),
        ("FERRETDB_LISTEN_MCP_ADDR", ":8081"),
        ("FERRETDB_MODE", "diff-normal"),
        ("FERRETDB_DEV_REPL_SET_NAME", "rs0"),
    ] {
        let raw = environment(&[(variable, value), ("ERMINE_POSTGRESQL_URL", URL)]);
        assert_eq!(keys_of(check(raw)), [variable]);
        for off in ["", "-"] {
            good(environment(&[(variable, off), ("ERMINE_POSTGRESQL_URL", URL)]));
        }
    }
}

#[test]
fn the_file() {
    let mut raw = Raw::default();
    raw.toml(
        "postgresql_url = 'postgres://u@h'\npostgresql_standby_url = ['postgres://u@a', 'postgres://u@b']\n\
         auth = false\npool_max_connections = 7\n",
    );
    let config = good(raw).config;
    assert!(!config.auth);
    assert_eq!((config.standbys.len(), config.pool.max_connections.get()), (2, 7));

    for (text, key) in [
        ("colour = 'blue'", "colour"),
        ("auth = [1]", "auth"),
        ("postgresql_standby_url = [1]", "postgresql_standby_url"),
        ("listen_addr = 'hunter2", "config"),
    ] {
        let mut raw = environment(&[("ERMINE_POSTGRESQL_URL", URL)]);
        raw.toml(text);
        let problems = check(raw).expect_err(text);
        assert!(!problems.to_string().contains("hunter2"), "{problems}");
        assert_eq!(problems.0[0].key, key);
    }
}

#[test]
fn the_url_file_wins_unless_it_is_empty() {
    let directory = std::env::temp_dir().join(format!("ermine-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("url");
    for (content, host) in
        [("\npostgres://u@other:5432/d\n", "primary u@other:5432/d"), (" \n", "primary u@h:5432/d")]
    {
        std::fs::write(&file, content).unwrap();
        let raw = raw(&[("postgresql_url", URL), ("postgresql_url_file", file.to_str().unwrap())]);
        assert_eq!(good(raw).config.primary.unwrap().to_string(), host);
    }
    std::fs::remove_dir_all(&directory).unwrap();
    let raw = raw(&[("postgresql_url", URL), ("postgresql_url_file", file.to_str().unwrap())]);
    assert_eq!(keys_of(check(raw)), ["postgresql_url_file"]);
}

#[test]
fn pool_sizes_of_ferretdb_urls() {
    let url = "postgres://u@h/d?pool_max_conns=33";
    assert_eq!(good(raw(&[("postgresql_url", url)])).config.pool.max_connections.get(), 33);
    let both = raw(&[("postgresql_url", url), ("pool_max_connections", "4")]);
    assert_eq!(good(both).config.pool.max_connections.get(), 4);
}

#[test]
fn secrets_are_not_shown() {
    let raw = raw(&[("postgresql_url", URL), ("postgresql_standby_url", URL), ("pg_password", "hunter2")]);
    assert!(!format!("{raw:?}").contains("hunter2"));
    let checked = good(raw);
    assert!(!format!("{checked:?}").contains("hunter2"));
    assert!(!checked.config.primary.unwrap().to_string().contains("hunter2"));
}

#[test]
fn the_example_file_is_up_to_date() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
    let content = std::fs::read_to_string(file).unwrap();
    assert_eq!(content, example_toml(), "run: cargo run -- config > config.example.toml");
}

#[test]
fn the_example_file_is_read_back() {
    // Each key uncommented, at its default, changes nothing.
    let text: String = example_toml()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert_eq!(
        text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count(),
        keys::KEYS.len()
    );
    let mut from_file = raw(&[("postgresql_url", URL)]);
    from_file.toml(&text);
    let (read, default) = (good(from_file).config, good(raw(&[("postgresql_url", URL)])).config);
    assert_eq!(format!("{read:?}"), format!("{default:?}"));
}

fn program(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ermine"));
    command.env_clear().env("ERMINE_DEBUG_ADDR", "-").args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn exit_codes() {
    let bad = program(&["run", "--listen-addr", "nowhere"]);
    assert_eq!(bad.status.code(), Some(64));
    assert!(stderr(&bad).contains("listen_addr: expected host:port"), "{}", stderr(&bad));
    assert_eq!(program(&["--no-such-flag"]).status.code(), Some(64));
    assert_eq!(program(&["no-such-command"]).status.code(), Some(64));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let failed = program(&["--listen-addr", &address, "--postgresql-url", URL]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(stderr(&failed).contains(&format!("can't listen on {address}: another process listens there")));
    assert_eq!(program(&["--version"]).status.code(), Some(0));
}

#[test]
fn check_config_shows_no_secrets() {
    let output = program(&["check-config", "--postgresql-url", URL, "--no-auth", "--listen-tls", "-"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(shown.contains("postgresql: primary u@h:5432/d"), "{shown}");
    assert!(!shown.contains("hunter2"));
    let output = program(&["check-config", "--config", "/no/such/file"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("config: /no/such/file can't be read"));
}

#[test]
fn ping_fails_where_nobody_listens() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = program(&["ping", "--listen-addr", &unused, "--postgresql-url", URL]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&unused));
}
