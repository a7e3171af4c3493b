//! The operating system account the servers run as: PostgreSQL refuses to run as root.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

use crate::error::{Context, Error, Result};

/// Who runs the servers: ourselves, or, when we are root, somebody else.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Set only when we are root.
    other: Option<(u32, u32)>,
    name: String,
}

impl Account {
    /// Our own account, or, as root, `postgres`, or the first ordinary user of the machine.
    pub(crate) fn choose() -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self { other: None, name: "this user".into() });
        }
        let user = match User::from_name("postgres") {
            Ok(Some(user)) => user,
            _ => first_ordinary_user().ok_or_else(|| {
                Error::new("running as root, and there is no other user to run PostgreSQL as")
            })?,
        };
        Ok(Self { other: Some((user.uid.as_raw(), user.gid.as_raw())), name: user.name })
    }

    /// A command that runs `program` as this account, with a small fixed environment: a `RUST_BACKTRACE`
    /// of the caller, say, would put a backtrace into every error the extension raises.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        command.current_dir("/");
        if let Some((uid, gid)) = self.other {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a file or directory to this account.
    pub(crate) fn give(&self, path: &Path) -> Result<()> {
        let Some((uid, gid)) = self.other else { return Ok(()) };
        chown(path, Some(uid), Some(gid)).context(|| format!("give {} to {}", path.display(), self.name))
    }

    /// Whether this account may pass through every directory above `path`.
    pub(crate) fn can_reach(&self, path: &Path) -> bool {
        let Some((uid, gid)) = self.other else { return true };
        path.ancestors().skip(1).all(|dir| match dir.metadata() {
            Ok(m) if m.uid() == uid => m.mode() & 0o100 != 0,
            Ok(m) if m.gid() == gid => m.mode() & 0o010 != 0,
            Ok(m) => m.mode() & 0o001 != 0,
            Err(_) => true,
        })
    }

    /// The name, for messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// The first account of /etc/passwd that is a person's, else `nobody`.
fn first_ordinary_user() -> Option<User> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let names = passwd.lines().filter_map(|line| line.split(':').next());
    names
        .filter_map(|name| User::from_name(name).ok().flatten())
        .find(|user| (1000..60_000).contains(&user.uid.as_raw()))
        .or_else(|| User::from_name("nobody").ok().flatten())
}
