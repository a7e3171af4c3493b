//! Every file under `cases/` is a test.
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Failed, Trial};
use proto_tests::case;
use proto_tests::stage::{Options, Stage};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Which node ran what is read from the nodes' logs, so one case runs at a time.
    arguments.test_threads = Some(1);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let trials = files(&root)
        .into_iter()
        .map(|file| {
            let name =
                file.strip_prefix(&root).unwrap_or(&file).with_extension("").to_string_lossy().into_owned();
            Trial::test(name, move || case::run(stage(), &file).map_err(Failed::from))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Started for the first case that runs, so that listing the cases starts nothing.
fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| Stage::new(&Options::default()))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "case") {
            found.push(path);
        }
    }
    found.sort();
    found
}
