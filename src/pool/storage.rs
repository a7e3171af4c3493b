//! What a server keeps documents with: asked, never assumed, because servers differ and are upgraded under our feet.
use tokio_postgres::Client;

/// The oldest version of the extension whose functions are those that are called (sql-api.md 8).
const OLDEST: (u32, u32) = (0, 102);

/// What the server and the extension call themselves.
const VERSIONS: &str = "SELECT pg_catalog.current_setting('server_version'), documentdb_api.binary_version()";
const POSTGRESQL: &str = "SELECT pg_catalog.current_setting('server_version')";

/// Abilities that the extension has and leaves off (sql-api.md 1.9): collations, in earlier versions `let`, `$$NOW` and
/// validators, which would be kept and not obeyed, and in some `compact`, which would do nothing and say that it did. Versions
/// differ in which settings there are, so they are looked for.
const SWITCH_ON: &str = "SELECT pg_catalog.set_config(name, 'on', false) FROM pg_catalog.pg_settings \
     WHERE pg_catalog.lower(name) IN ('documentdb.enablevariablessupportforwritecommands', \
     'documentdb.enableletandcollationforquerymatch', 'documentdb.enablenowsystemvariable', \
     'documentdb.enableschemavalidation', 'documentdb.enablebypassdocumentvalidation', \
     'documentdb.enablecompact', 'documentdb.enablecompactvacuumfull', \
     'documentdb_core.enablecollation') AND setting = 'off' AND context = 'user'";

/// The versions of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// PostgreSQL's, such as `15.8`.
    pub postgresql: String,
    /// The extension's, such as `0.107.0`; empty if there is none.
    pub extension: String,
}

impl Storage {
    /// Why it can't be served from, for the log and for probes.
    pub fn fault(&self) -> Option<String> {
        if self.extension.is_empty() {
            return Some("the DocumentDB extension is not installed in the storage's database".to_owned());
        }
        let mut numbers =
            self.extension.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok());
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        (version < OLDEST).then(|| {
            format!(
                "the storage extension has version {}, which is older than {}.{}",
                self.extension, OLDEST.0, OLDEST.1
            )
        })
    }
}

/// Asks a server.
pub(super) async fn ask(client: &Client) -> Result<Storage, tokio_postgres::Error> {
    let text = |row: &tokio_postgres::Row, column| {
        let text: &str = row.try_get(column)?;
        // What follows tells who built it.
        Ok::<_, tokio_postgres::Error>(text.split_whitespace().next().unwrap_or_default().to_owned())
    };
    match client.query_typed_one(VERSIONS, &[]).await {
        Ok(row) => Ok(Storage { postgresql: text(&row, 0)?, extension: text(&row, 1)? }),
        // No such schema, no such function, or not for this user: one that can't be called is as good as none.
        Err(error)
            if error.code().is_some_and(|state| matches!(state.code(), "3F000" | "42883" | "42501")) =>
        {
            let row = client.query_typed_one(POSTGRESQL, &[]).await?;
            Ok(Storage { postgresql: text(&row, 0)?, extension: String::new() })
        }
        Err(error) => Err(error),
    }
}

/// Prepares a connection that serves requests.
pub(super) async fn prepare(client: &Client) -> Result<(), tokio_postgres::Error> {
    client.query_typed(SWITCH_ON, &[]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_missing_extensions_are_faults() {
        let fault = |extension: &str| {
            Storage { postgresql: "15.8".into(), extension: extension.into() }.fault().is_some()
        };
        for good in ["0.102.0", "0.107-0", "0.117.0", "1.0-0"] {
            assert!(!fault(good), "{good}");
        }
        for bad in ["", "0.101.0", "0.9-1", "unknown"] {
            assert!(fault(bad), "{bad}");
        }
    }
}
