//! From file and environment to [`Config`], keeping lines so that later checks can name them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeString, DeTable, DeValue, Deserializer, Error};

use super::{Config, ConfigError};
use crate::text::nearest;

/// A configuration and where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// The file.
    pub file: PathBuf,
    /// The folder that relative paths start from.
    pub data: PathBuf,
    /// What the file and the environment say.
    pub config: Config,
    text: String,
}

/// The configuration file to use: `given`, else `VIGIE_CONFIG`, `./vigie.toml`, `/etc/vigie/vigie.toml`.
///
/// # Errors
/// [`ConfigError::None`] when nothing was named and none of the usual places has one.
pub fn find(given: Option<&Path>) -> Result<PathBuf, ConfigError> {
    if let Some(file) = given {
        return Ok(file.to_owned());
    }
    if let Some(file) = std::env::var_os("VIGIE_CONFIG").filter(|v| !v.is_empty()) {
        return Ok(file.into());
    }
    let usual = ["vigie.toml", "/etc/vigie/vigie.toml"];
    usual
        .iter()
        .map(PathBuf::from)
        .find(|file| file.exists())
        .ok_or_else(|| ConfigError::None(usual.join(", ")))
}

impl Loaded {
    /// Reads `file` under the environment of this process.
    ///
    /// # Errors
    /// The file cannot be read, is no TOML, or has a key or value that does not belong there.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable { file: file.to_owned(), error };
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        Self::parse_here(file, text)
    }

    /// Parses `text` as the content of `file`, under the environment of this process.
    ///
    /// # Errors
    /// As [`Loaded::read`].
    pub fn parse_here(file: &Path, text: String) -> Result<Self, ConfigError> {
        let variables =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Self::parse(file, text, variables)
    }

    /// Parses `text` as the content of `file`; `variables` are the environment.
    ///
    /// # Errors
    /// As [`Loaded::read`].
    pub fn parse(
        file: &Path,
        text: String,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let at = |error: Error| invalid(file, &text, &error);
        let mut table = DeTable::parse(&text).map_err(at)?;
        for (variable, value) in variables {
            overlay(table.get_mut(), &variable, &value)?;
        }
        let config = Config::deserialize(Deserializer::from(table)).map_err(at)?;
        let data = folder(file, config.vigie.data.as_deref());
        Ok(Self { file: file.to_owned(), data, config, text })
    }

    /// `path` as the configuration means it: from the data folder.
    #[must_use]
    pub fn in_data(&self, path: &Path) -> PathBuf {
        self.data.join(path)
    }

    /// `path` of a secret or CA file: relative to the file that names it.
    #[must_use]
    pub fn beside(&self, path: &Path) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    /// A fault found by a later check, at the line where `span` begins.
    #[must_use]
    pub fn fault(&self, span: Range<usize>, fault: impl Into<String>) -> ConfigError {
        ConfigError::Invalid { place: place(&self.file, &self.text, span.start), fault: fault.into() }
    }

    /// The line (from 1) where `span` begins, for warnings.
    #[must_use]
    pub fn place(&self, span: Range<usize>) -> String {
        place(&self.file, &self.text, span.start)
    }
}

fn folder(file: &Path, data: Option<&Path>) -> PathBuf {
    let beside = file.parent().unwrap_or(Path::new(""));
    match data {
        Some(data) => beside.join(data),
        None if file.starts_with("/etc") => "/var/lib/vigie".into(),
        None => beside.to_owned(),
    }
}

fn place(file: &Path, text: &str, offset: usize) -> String {
    let line = 1 + text.bytes().take(offset).filter(|&b| b == b'\n').count();
    format!("{}:{line}", file.display())
}

fn invalid(file: &Path, text: &str, error: &Error) -> ConfigError {
    let place = error.span().map_or_else(|| file.display().to_string(), |span| place(file, text, span.start));
    ConfigError::Invalid { place, fault: explain(error.message()) }
}

/// Makes serde's "unknown field `x`, expected one of `a`, `b`" say which one was meant.
fn explain(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((key, known)) if message.starts_with("unknown field") => {
            match nearest(key, known.iter().copied()) {
                Some(meant) => format!("unknown key `{key}`: did you mean `{meant}`?"),
                None => format!("unknown key `{key}`: known here are {}", known.join(", ")),
            }
        }
        // "invalid type: integer `12345`, expected a string": what stands there may be a password without its quotes.
        _ => match (message.split_once('`'), message.rsplit_once("`, expected ")) {
            (Some((kind, _)), Some((_, expected))) if kind.starts_with("invalid") => {
                format!("{}: expected {expected}", kind.trim_end())
            }
            _ => message.to_owned(),
        },
    }
}

/// Sets `[table] key` from a variable `VIGIE_TABLE__KEY`; other variables are none of our business.
fn overlay(root: &mut DeTable<'_>, variable: &str, value: &str) -> Result<(), ConfigError> {
    let Some((table, key)) = variable.strip_prefix("VIGIE_").and_then(|rest| rest.split_once("__")) else {
        return Ok(());
    };
    let fault =
        |fault: String| ConfigError::Invalid { place: format!("environment variable {variable}"), fault };
    let (table, key) = (table.to_ascii_lowercase(), key.to_ascii_lowercase());
    let span = |s: &str| toml::Spanned::new(0..0, DeString::Owned(s.to_owned()));
    let typed = match value {
        "true" => DeValue::Boolean(true),
        "false" => DeValue::Boolean(false),
        _ => DeValue::String(DeString::Owned(value.to_owned())),
    };
    // Tried alone first, so that the error names the variable and not a line of the file.
    let mut alone = DeTable::new();
    let mut inner = DeTable::new();
    inner.insert(span(&key), toml::Spanned::new(0..0, typed.clone()));
    alone.insert(span(&table), toml::Spanned::new(0..0, DeValue::Table(inner)));
    Config::deserialize(Deserializer::from(toml::Spanned::new(0..0, alone)))
        .map_err(|e| fault(explain(e.message())))?;

    if !root.contains_key(table.as_str()) {
        root.insert(span(&table), toml::Spanned::new(0..0, DeValue::Table(DeTable::new())));
    }
    let Some(DeValue::Table(inner)) = root.get_mut(table.as_str()).map(toml::Spanned::get_mut) else {
        return Err(fault(format!("[{table}] is no single table in the file")));
    };
    inner.insert(span(&key), toml::Spanned::new(0..0, typed));
    Ok(())
}
