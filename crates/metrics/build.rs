//! Builds the front end when its sources have changed, and lists its files for `src/assets.rs` to embed.
//!
//! `VIGIE_UI=require` makes a missing or failing npm an error (continuous integration, releases), `VIGIE_UI=skip`
//! never runs npm, and `VIGIE_UI=built` takes what is in `ui/dist`, made elsewhere of the same sources (the container
//! image), and fails without. Otherwise, where npm cannot do it, the crate builds all the same, without a front end
//! and with a warning that says so.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, io};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the front end is made from, below `ui/`. Tests are not.
const SOURCES: [&str; 8] = [
    "src",
    "index.html",
    "package.json",
    "package-lock.json",
    ".npmrc",
    "vite.config.ts",
    "svelte.config.js",
    "tsconfig.json",
];

/// Lines of npm's output that are repeated when it fails.
const LINES: usize = 20;

#[expect(clippy::print_stderr, reason = "cargo shows it when the script fails")]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let ui = root.join("ui");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=VIGIE_UI");
    for source in SOURCES {
        println!("cargo:rerun-if-changed=ui/{source}");
    }

    // Several cargo processes may be here at once (another profile, an editor): one builds, the others find it done.
    let lock = File::open(ui.join("package.json"))?;
    lock.lock()?;
    let mode = env::var("VIGIE_UI").unwrap_or_default();
    let dist = match front_end(&ui, &mode) {
        Ok(dist) => dist,
        Err(error) if matches!(mode.as_str(), "require" | "built") => {
            return Err(format!("there is no front end to build in (VIGIE_UI={mode}): {error}").into());
        }
        Err(error) => {
            let text = format!("the dashboard's front end is not built in: {error}");
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                println!("cargo:warning={line}");
            }
            println!(
                "cargo:warning=metrics serves its page without script instead; with Node 20.19 or later: touch {}",
                root.join("build.rs").display()
            );
            None
        }
    };
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let list = match dist {
        Some(dist) => embed(&dist, &out.join("front_end"))?,
        None => String::from("&[]"),
    };
    fs::write(out.join("front_end.rs"), list)?;
    Ok(())
}

/// The folder with the front end of the present sources; `None` when there is none and none was wanted.
fn front_end(ui: &Path, mode: &str) -> Result<Option<PathBuf>> {
    let dist = ui.join("dist");
    if mode == "built" {
        println!("cargo:rerun-if-changed=ui/dist");
        let index = dist.join("index.html");
        fs::metadata(&index).map_err(|error| format!("{}: {error}", index.display()))?;
        return Ok(Some(dist));
    }
    let stamp = dist.join(".sources");
    let sources = fingerprint(ui, &SOURCES)?;
    if fs::read_to_string(&stamp).is_ok_and(|built| built == sources) {
        return Ok(Some(dist));
    }
    if mode == "skip" {
        return Ok(None);
    }
    let modules = ui.join("node_modules/.installed");
    let wanted = fingerprint(ui, &["package-lock.json", ".npmrc"])?;
    if fs::read_to_string(&modules).map_or(true, |installed| installed != wanted) {
        npm(ui, &["ci", "--no-audit", "--no-fund"])?;
        fs::write(&modules, wanted)?;
    }
    npm(ui, &["run", "build"])?;
    fs::write(&stamp, sources)?;
    Ok(Some(dist))
}

fn npm(ui: &Path, arguments: &[&str]) -> Result<()> {
    let command = format!("`npm {}` in {}", arguments.join(" "), ui.display());
    let output = Command::new("npm").args(arguments).current_dir(ui).stdin(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err("there is no npm here".into()),
        Err(error) => return Err(format!("{command} cannot be run: {error}").into()),
    };
    if output.status.success() {
        return Ok(());
    }
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    // The traces of the tools' own code say nothing about ours.
    let tells = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("at ");
    let lines: Vec<&str> = text.lines().filter(tells).collect();
    let end = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
    Err(format!("{command} failed: {}\n{}", output.status, end.join("\n")).into())
}

/// A number that changes when a file below one of `names` does.
fn fingerprint(ui: &Path, names: &[&str]) -> Result<String> {
    let mut files = Vec::new();
    for name in names {
        collect(&ui.join(name), &mut files)?;
    }
    files.sort();
    let mut hash = FNV_OFFSET;
    for file in files {
        let bytes = fs::read(&file)?;
        hash = fnv(hash, file.strip_prefix(ui)?.as_os_str().as_encoded_bytes());
        hash = fnv(hash, &bytes.len().to_le_bytes());
        hash = fnv(hash, &bytes);
    }
    Ok(format!("{hash:016x}"))
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: the same in every release of Rust, which the standard library's hasher does not promise.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Every file at or below `path`.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

/// Copies the built files to `to`, where nobody else changes them, and lists them as the Rust expression that embeds them.
fn embed(dist: &Path, to: &Path) -> Result<String> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    let mut files = Vec::new();
    collect(dist, &mut files)?;
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(dist)?.to_str().ok_or("a built file's name is not UTF-8")?;
        if name.starts_with('.') || name.ends_with(".br") || name.ends_with(".gz") {
            continue;
        }
        // Weak, since it stands for three forms of one content.
        let tag = format!("W/\"{:016x}\"", fnv(FNV_OFFSET, &fs::read(&file)?));
        let path = file.to_str().ok_or("the path of the front end is not UTF-8")?;
        write!(list, "File {{ path: {name:?}, tag: {tag:?}")?;
        for (form, ending) in [("plain", ""), ("brotli", ".br"), ("gzip", ".gz")] {
            let copy = to.join(format!("{}{ending}", name.replace('/', "_")));
            fs::copy(format!("{path}{ending}"), &copy)?;
            write!(list, ", {form}: include_bytes!({copy:?})")?;
        }
        list.push_str(" },\n");
    }
    list.push(']');
    Ok(list)
}
