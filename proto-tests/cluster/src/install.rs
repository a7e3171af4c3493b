//! A private PostgreSQL installation tree with the extension in it.
//!
//! PostgreSQL finds its library and share directories relative to the real path of its own binary. A tree
//! with a copy of `postgres` and links to everything else is therefore a complete installation, into which
//! any user can install an extension without touching the system's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::Account;
use crate::error::{Context, Error, Result};

/// Where Debian keeps PostgreSQL 15; the environment variable `PG_CONFIG` names another one.
const PG_CONFIG: &str = "/usr/lib/postgresql/15/bin/pg_config";

/// The built files of the extension.
#[derive(Clone, Debug)]
pub struct Extension {
    /// The shared library, as cargo names it (`libermine.so`).
    pub library: PathBuf,
    /// `ermine.control`.
    pub control: PathBuf,
    /// The directory of the `ermine--*.sql` scripts.
    pub scripts: PathBuf,
}

impl Extension {
    /// The extension of this source tree: the library named by `ERMINE_EXTENSION_LIB`, else the newer one of
    /// the debug and the release build.
    ///
    /// # Errors
    /// When it has not been built.
    pub fn of_this_tree() -> Result<Self> {
        let built = match std::env::var_os("ERMINE_EXTENSION_LIB") {
            Some(path) => vec![PathBuf::from(path)],
            None => {
                ["debug", "release"].map(|profile| target_dir().join(profile).join("libermine.so")).into()
            }
        };
        let newest = built
            .iter()
            .filter_map(|path| Some((fs::metadata(path).and_then(|m| m.modified()).ok()?, path)))
            .max_by_key(|(modified, _)| *modified);
        match newest {
            Some((_, library)) => Ok(Self::with_library(library.clone())),
            None => Err(Error::new(format!(
                "the extension is not built ({} is missing): run `cargo build -p ermine-pg` in extension/",
                built[0].display()
            ))),
        }
    }

    /// The control file and scripts of this source tree, with the given library.
    pub fn with_library(library: PathBuf) -> Self {
        let pg = extension_dir().join("pg");
        Self { library, control: pg.join("ermine.control"), scripts: pg.join("sql") }
    }

    /// The scripts of the extension, in order of their names.
    fn sql_files(&self) -> Result<Vec<PathBuf>> {
        let mut files: Vec<_> = fs::read_dir(&self.scripts)
            .context(|| format!("read {}", self.scripts.display()))?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with("ermine--") && name.ends_with(".sql")
            })
            .collect();
        files.sort();
        Ok(files)
    }

    /// All scripts in one text: two databases with the same text have the same SQL objects.
    pub(crate) fn sql_text(&self) -> Result<String> {
        let mut text = String::new();
        for file in self.sql_files()? {
            text += &fs::read_to_string(&file).context(|| format!("read {}", file.display()))?;
        }
        Ok(text)
    }
}

/// `extension/` of this source tree.
fn extension_dir() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).join("extension")
}

/// Where cargo puts what it builds in `extension/`.
fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| extension_dir().join("target"), PathBuf::from)
}

/// Builds the debug library of the extension with cargo, so that tests never run against a stale one. Does
/// nothing when `ERMINE_EXTENSION_LIB` names a library.
///
/// # Errors
/// When it does not compile.
pub fn build_extension() -> Result<()> {
    if std::env::var_os("ERMINE_EXTENSION_LIB").is_some() {
        return Ok(());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "-p", "ermine-pg"])
        .current_dir(extension_dir())
        .output()
        .context(|| "run cargo".into())?;
    let words = || String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        Ok(())
    } else {
        Err(Error::new(format!("the extension does not compile: {}", words())))
    }
}

/// The programs of PostgreSQL that are used, and where they lie.
#[derive(Clone, Debug)]
pub(crate) struct Install {
    /// Our copy of the server, which finds the private tree around it.
    pub(crate) postgres: PathBuf,
    /// The system's programs (`initdb`, `pg_basebackup`, `psql`).
    pub(crate) bin: PathBuf,
}

impl Install {
    /// Lays the tree under `root`, with the extension when there is one. An existing tree is renewed.
    pub(crate) fn lay(root: &Path, extension: Option<&Extension>, account: &Account) -> Result<Self> {
        if root.exists() {
            fs::remove_dir_all(root).context(|| format!("remove {}", root.display()))?;
        }
        let [bin, lib, share] = ["--bindir", "--pkglibdir", "--sharedir"].map(pg_config);
        let (bin, lib, share) = (bin?, lib?, share?);
        let at = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        let postgres = at(&bin).join("postgres");
        create_dirs(&at(&bin))?;
        copy(&bin.join("postgres"), &postgres)?;
        link_all(&lib, &at(&lib), &["ermine.so"])?;
        link_all(&share, &at(&share), &["extension"])?;
        let extensions = at(&share).join("extension");
        link_all(&share.join("extension"), &extensions, &[])?;
        if let Some(extension) = extension {
            copy(&extension.library, &at(&lib).join("ermine.so"))?;
            copy(&extension.control, &extensions.join("ermine.control"))?;
            for script in extension.sql_files()? {
                copy(&script, &extensions.join(script.file_name().unwrap_or_default()))?;
            }
        }
        account.give(root)?;
        Ok(Self { postgres, bin })
    }
}

/// Asks `pg_config` for a directory.
fn pg_config(what: &str) -> Result<PathBuf> {
    let program = std::env::var_os("PG_CONFIG").unwrap_or_else(|| PG_CONFIG.into());
    let missing = || {
        Error::new(format!("{} does not run: install the package postgresql-15", program.to_string_lossy()))
    };
    let output = Command::new(&program).arg(what).output().map_err(|_| missing())?;
    let path = String::from_utf8(output.stdout).map_err(|_| missing())?;
    if output.status.success() { Ok(PathBuf::from(path.trim())) } else { Err(missing()) }
}

fn create_dirs(path: &Path) -> Result<()> {
    fs::create_dir_all(path).context(|| format!("create {}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).context(|| format!("copy {} to {}", from.display(), to.display()))
}

/// Links every entry of `from` into the new directory `to`, except those named in `skip`.
fn link_all(from: &Path, to: &Path, skip: &[&str]) -> Result<()> {
    create_dirs(to)?;
    for entry in fs::read_dir(from).context(|| format!("read {}", from.display()))?.flatten() {
        let name = entry.file_name();
        if !skip.iter().any(|skipped| name == *skipped) {
            symlink(entry.path(), to.join(&name)).context(|| format!("link {}", name.display()))?;
        }
    }
    Ok(())
}
