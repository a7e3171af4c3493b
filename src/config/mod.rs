//! The configuration: gathered as text from flags, environment and file ([`Raw`]), checked as a whole
//! ([`check`]), then only typed values ([`Config`]).
//!
//! One table, [`keys::KEYS`], names every setting; flags, variables, the example file and the README's table are
//! derived from it. Knows nothing of what the values are used for.
mod checked;
pub mod keys;
mod pg_url;
mod raw;
mod render;
mod target;
mod tls;
mod units;
mod values;
mod version;

pub use checked::{Checked, check};
pub use raw::{Problem, Problems, Raw};
pub use render::{example_toml, markdown};
pub use target::{PgTarget, PgTls, PgTlsMode};
pub use tls::{ClientCertificates, TlsFiles, TlsMode, X509Users};
pub use values::{Address, Config, Endpoint, Limits, Listener, Log, LogFormat, Otel, Pool, RunAsUser};
pub use version::ServerVersion;
