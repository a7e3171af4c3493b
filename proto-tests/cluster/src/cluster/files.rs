//! Directories, secrets and words of a cluster.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::account::Account;
use crate::error::{Context, Error, Result};

/// A new directory of ours below /tmp, which only the servers' account and we can enter.
pub(super) fn scratch_directory(account: &Account) -> Result<PathBuf> {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    let name = format!("ermine-{}-{nanos:x}", std::process::id());
    // PostgreSQL's limit for a socket's path is 107 bytes.
    let temp = std::env::temp_dir();
    let short = temp.as_os_str().len() < 60 && account.can_reach(&temp.join(&name));
    let path = if short { temp } else { PathBuf::from("/tmp") }.join(name);
    DirBuilder::new().mode(0o700).create(&path).context(|| format!("create {}", path.display()))?;
    account.give(&path)?;
    Ok(path)
}

/// The directory of data that is to stay, which only the servers' account can enter.
pub(super) fn durable_directory(directory: &Path, account: &Account) -> Result<PathBuf> {
    fs::create_dir_all(directory).context(|| format!("create {}", directory.display()))?;
    let path = directory.canonicalize().context(|| format!("open {}", directory.display()))?;
    if !account.can_reach(&path.join("primary")) && !account.can_reach(&path) {
        let (path, name) = (path.display(), account.name());
        return Err(Error::new(format!(
            "{path} cannot be entered by {name}, who runs PostgreSQL: set ERMINE_DATA"
        )));
    }
    account.give(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
        .context(|| format!("protect {}", path.display()))?;
    Ok(path)
}

/// The service role's password, made once per data directory.
pub(super) fn service_password(base: &Path, account: &Account) -> Result<String> {
    let file = base.join("service-password");
    if let Ok(password) = fs::read_to_string(&file) {
        return Ok(password);
    }
    let password = random_word()?;
    write_secret(&file, &password)?;
    account.give(&file)?;
    Ok(password)
}

/// Writes a file nobody else can read.
pub(crate) fn write_secret(file: &Path, secret: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(file);
    opened.and_then(|mut f| f.write_all(secret.as_bytes())).context(|| format!("write {}", file.display()))
}

/// 24 random letters and digits.
pub(crate) fn random_word() -> Result<String> {
    use std::io::Read;
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0u8; 24];
    let random = fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes));
    random.context(|| "read /dev/urandom".into())?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// A JSON string.
pub(super) fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out + "\""
}
