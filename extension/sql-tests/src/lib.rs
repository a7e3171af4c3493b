//! Help for tests of the extension over SQL: a cluster with the extension of this tree, documents in and out.

pub mod builds;

pub use contract::client::{Address, Answer, Client, Lost};
use engine::raw::View;
use engine::{Doc, DocWriter, Val, Value};
use ermine_cluster::{Cluster, Extension, Node, build_extension};

/// A primary and a standby with the extension.
///
/// # Panics
/// When they can't be started: a test can't go on then.
#[must_use]
pub fn cluster() -> Cluster {
    build_extension().expect("the extension builds");
    let extension = Extension::of_this_tree().expect("the extension's files");
    Cluster::builder().extension(extension).without_login().start().expect("a cluster")
}

/// How a member of the administrators' role reaches a node.
#[must_use]
pub fn address(node: &Node) -> Address {
    Address {
        host: node.socket_dir().display().to_string(),
        port: node.port(),
        user: "ermine_service".into(),
        password: String::new(),
        database: "ermine".into(),
    }
}

/// One connection, with the calls that tests make.
pub struct Session {
    client: Client,
}

impl Session {
    /// Connects as a member of the administrators' role.
    ///
    /// # Panics
    /// When the server can't be reached.
    #[must_use]
    pub fn open(node: &Node) -> Session {
        Self::open_in(node, "ermine")
    }

    /// Connects to another database than the usual one.
    ///
    /// # Panics
    /// When the server can't be reached.
    #[must_use]
    pub fn open_in(node: &Node, database: &str) -> Session {
        Self::open_as(node, database, "ermine_service")
    }

    /// Connects as another role.
    ///
    /// # Panics
    /// When the server can't be reached.
    #[must_use]
    pub fn open_as(node: &Node, database: &str, user: &str) -> Session {
        let address = Address { database: database.into(), user: user.into(), ..address(node) };
        Session { client: Client::connect(&address).expect("a connection") }
    }

    /// Runs a statement; its rows as text.
    ///
    /// # Errors
    /// SQLSTATE and message.
    ///
    /// # Panics
    /// When the connection is lost.
    pub fn try_sql(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, (String, String)> {
        match self.client.statement(sql).unwrap_or_else(|e| panic!("{sql}: connection lost: {e:?}")) {
            Answer::Rows { rows, .. } => Ok(rows),
            Answer::Error { sqlstate, message, .. } => Err((sqlstate, message)),
        }
    }

    /// Runs a statement that succeeds.
    ///
    /// # Panics
    /// When it fails.
    pub fn sql(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.try_sql(sql).unwrap_or_else(|(state, message)| panic!("{state} {message}\n{sql}"))
    }

    /// The first column of the first row as a document.
    ///
    /// # Panics
    /// When the statement fails or gives none.
    pub fn doc(&mut self, sql: &str) -> Vec<u8> {
        let rows = self.sql(sql);
        let cell = rows.first().and_then(|r| r.first()).and_then(Option::as_deref);
        unhex(cell.unwrap_or_else(|| panic!("no document: {sql}")))
    }

    /// Runs a write command and checks that it reports no error.
    ///
    /// # Panics
    /// When it does.
    pub fn write(&mut self, function: &str, command: &[u8]) {
        let reply =
            self.doc(&format!("SELECT p_result FROM documentdb_api.{function}('t', {})", literal(command)));
        assert!(Doc::trusted(&reply).get("writeErrors").is_none(), "{:?}", Doc::trusted(&reply));
    }

    /// All documents of a find, over as many pages as it takes.
    ///
    /// # Panics
    /// When a call fails.
    pub fn find(&mut self, command: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let sql = format!(
            "SELECT cursorpage, continuation FROM documentdb_api.find_cursor_first_page('t', {})",
            literal(command)
        );
        let mut continuation = take_page(&self.sql(&sql), "firstBatch", &mut all);
        let name = Doc::trusted(command).get("find").and_then(Val::as_str).unwrap_or("").to_owned();
        let batch = Doc::trusted(command).get("batchSize");
        while let Some(c) = continuation {
            let mut w = DocWriter::new();
            w.put_val("getMore", Doc::trusted(&c).get("qi").expect("an id")).put_str("collection", &name);
            if let Some(b) = batch {
                w.put_val("batchSize", b);
            }
            let sql = format!(
                "SELECT cursorpage, continuation FROM documentdb_api.cursor_get_more('t', {}, {})",
                literal(&w.finish()),
                literal(&c)
            );
            continuation = take_page(&self.sql(&sql), "nextBatch", &mut all);
        }
        all
    }

    /// The way a find takes.
    ///
    /// # Panics
    /// When the call fails.
    pub fn plan(&mut self, command: &[u8]) -> String {
        let rows =
            self.sql(&format!("SELECT documentdb_api_internal.explain_plan('t', {})", literal(command)));
        rows.into_iter().flatten().flatten().next().unwrap_or_default()
    }
}

fn take_page(rows: &[Vec<Option<String>>], batch: &str, all: &mut Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let [page, continuation] = rows.first().expect("a row").as_slice() else { panic!("two columns") };
    let page = unhex(page.as_deref().expect("a page"));
    let cursor = Doc::trusted(&page).get("cursor").and_then(Val::as_doc).expect("a cursor");
    let list = cursor.get(batch).and_then(Val::as_array).expect("a batch");
    all.extend(list.values().filter_map(Val::as_doc).map(|d| d.bytes().to_vec()));
    let open = matches!(cursor.get("id").map(Val::view), Some(View::Int64(id)) if id != 0);
    assert_eq!(open, continuation.is_some(), "the id and the continuation agree");
    continuation.as_deref().map(unhex)
}

/// Bytes of the text form of a bson value.
///
/// # Panics
/// When it is not that.
#[must_use]
pub fn unhex(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix("BSONHEX").unwrap_or_else(|| panic!("not a bson: {text}"));
    (0..digits.len() / 2).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).expect("hex")).collect()
}

/// A document as an SQL literal.
#[must_use]
pub fn literal(doc: &[u8]) -> String {
    let hex: String = doc.iter().map(|b| format!("{b:02x}")).collect();
    format!("'BSONHEX{hex}'::documentdb_core.bson")
}

/// A document of these fields.
#[must_use]
pub fn doc(fields: &[(&str, Value)]) -> Vec<u8> {
    let mut w = DocWriter::new();
    for (name, v) in fields {
        w.put(name, v);
    }
    w.finish()
}

/// A document value of these fields.
#[must_use]
pub fn sub(fields: &[(&str, Value)]) -> Value {
    Value::Document(doc(fields))
}

/// Small generator, so that failures repeat.
#[derive(Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % n
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}
