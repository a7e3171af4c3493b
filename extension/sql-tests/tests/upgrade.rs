//! `ALTER EXTENSION ermine UPDATE`: a database of an older version has, afterwards, what a new one has.
//!
//! Every full script in `extension/pg/sql` that is not the current version's is an older version: it is installed, filled,
//! and updated. A version is made so: the current script is copied under the new number, `default_version` in
//! `ermine.control` is raised, and what is new goes to `ermine--OLD--NEW.sql` as well, until this test agrees.

use std::fs;
use std::path::Path;

use engine::Value;
use ermine_cluster::{Cluster, Extension, Node, build_extension};
use sql_tests::{Session, doc, sub};

/// Everything that belongs to the extension, as text that does not depend on object numbers.
const OBJECTS: &str = "
    SELECT pg_describe_object(d.classid, d.objid, 0) || coalesce(
        (SELECT ' returns ' || pg_get_function_result(p.oid) || ' as ' || p.prosrc || coalesce(p.probin, '')
             || concat_ws(' ', p.provolatile, p.proisstrict, p.proparallel, p.prosecdef) || coalesce(p.proconfig::text, '')
             || coalesce(p.proacl::text, '') || coalesce(pg_get_function_arguments(p.oid), '')
         FROM pg_proc p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid AND p.prokind <> 'a'),
        (SELECT coalesce(c.relacl::text, '') || coalesce(string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
             || a.attnotnull::text, ', ' ORDER BY a.attname), '')
         FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid GROUP BY c.oid), '')
    FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass
    WHERE e.extname = 'ermine' AND d.deptype = 'e' ORDER BY 1";

fn objects(node: &Node, database: &str) -> Vec<String> {
    let rows = Session::open_in(node, database).sql(OBJECTS);
    rows.into_iter().flatten().flatten().collect()
}

/// The versions with a full script, oldest first, without the current one.
fn older(extension: &Extension, current: &str) -> Vec<String> {
    let names = fs::read_dir(&extension.scripts).expect("the scripts").flatten();
    let names = names.map(|e| e.file_name().to_string_lossy().into_owned());
    let mut versions: Vec<String> = names
        .filter_map(|n| n.strip_prefix("ermine--")?.strip_suffix(".sql").map(str::to_owned))
        .filter(|v| !v.contains("--") && v != current)
        .collect();
    versions.sort();
    versions
}

fn current(extension: &Extension) -> String {
    let control = fs::read_to_string(&extension.control).expect("the control file");
    let line = control.lines().find_map(|l| l.strip_prefix("default_version = '")).expect("default_version");
    line.trim_end_matches('\'').to_owned()
}

/// Makes the next version in a directory of its own: one more function than today's.
fn next(extension: &Extension, directory: &Path) -> Extension {
    fs::create_dir_all(directory).unwrap();
    let (now, next) = (current(extension), "999.0.0");
    let more = "CREATE FUNCTION documentdb_api.of_the_next_version() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';\n";
    for entry in fs::read_dir(&extension.scripts).unwrap().flatten() {
        fs::copy(entry.path(), directory.join(entry.file_name())).unwrap();
    }
    let script = fs::read_to_string(directory.join(format!("ermine--{now}.sql"))).unwrap();
    fs::write(directory.join(format!("ermine--{next}.sql")), script + more).unwrap();
    fs::write(directory.join(format!("ermine--{now}--{next}.sql")), more).unwrap();
    let control =
        fs::read_to_string(&extension.control).unwrap().replace(&format!("'{now}'"), &format!("'{next}'"));
    fs::write(directory.join("ermine.control"), control).unwrap();
    Extension {
        library: extension.library.clone(),
        control: directory.join("ermine.control"),
        scripts: directory.to_owned(),
    }
}

fn check(extension: Extension) {
    let versions = older(&extension, &current(&extension));
    assert!(!versions.is_empty(), "nothing to update from");
    let cluster =
        Cluster::builder().extension(extension).without_login().standbys(0).start().expect("a cluster");
    let node = cluster.primary();
    let fresh = objects(node, "ermine");
    assert!(fresh.len() > 100, "{fresh:?}");
    for version in versions {
        let name = format!("from_{}", version.replace('.', "_"));
        node.execute(&format!("CREATE DATABASE {name}")).unwrap();
        let mut admin = Session::open_as(node, &name, "postgres");
        admin.sql(&format!("CREATE EXTENSION ermine VERSION '{version}'"));
        let mut s = Session::open_in(node, &name);
        let list = Value::array_of(&[sub(&[("_id", Value::Int32(1)), ("a", Value::Int32(2))])]);
        let insert = doc(&[("insert", Value::String("c".into())), ("documents", list)]);
        s.write("insert", &insert);
        let before = objects(node, &name);
        admin.sql("ALTER EXTENSION ermine UPDATE");
        let updated = objects(node, &name);
        assert_ne!(before, updated, "{version} differs from the current version in nothing");
        for object in &fresh {
            assert!(updated.contains(object), "an update from {version} does not make {object}");
        }
        for object in &updated {
            assert!(fresh.contains(object), "an update from {version} leaves {object}");
        }
        let find = doc(&[("find", Value::String("c".into()))]);
        assert_eq!(s.find(&find).len(), 1);
    }
}

#[test]
fn older_databases_get_what_new_ones_have() {
    build_extension().expect("the extension builds");
    let extension = Extension::of_this_tree().expect("the extension's files");
    // What is to come: the path is tried before there is a second version.
    let directory = std::env::temp_dir().join(format!("ermine-upgrade-{}", std::process::id()));
    let made = next(&extension, &directory);
    check(made);
    fs::remove_dir_all(&directory).unwrap();
}
