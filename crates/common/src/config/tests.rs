//! What the loader accepts, and how it refuses.

use std::path::Path;
use std::time;

use secrecy::ExposeSecret;

use super::*;

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, String> {
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Loaded::parse(Path::new("conf/vigie.toml"), text.to_owned(), variables).map_err(|e| e.to_string())
}

#[test]
fn an_empty_file_is_the_defaults() {
    let loaded = load("", &[]).unwrap();
    assert_eq!(loaded.data, Path::new("conf"));
    assert_eq!(loaded.in_data(&loaded.config.archive.path), Path::new("conf/archive"));
    assert_eq!(loaded.config.archive.min_free, Size(1 << 30));
    assert_eq!(loaded.config.ingest.listen, "127.0.0.1:2814");
}

#[test]
fn an_unknown_key_names_file_line_key_and_the_nearest_one() {
    let wrong = "[vigie]\n\n[archive]\npaht = \"x\"\n";
    assert_eq!(load(wrong, &[]).unwrap_err(), "conf/vigie.toml:4: unknown key `paht`: did you mean `path`?");
    let wrong = "[[account]]\nid = \"a\"\nhost = \"h\"\nuser = \"u\"\npasswort_file = \"x\"\n";
    let error = load(wrong, &[]).unwrap_err();
    assert_eq!(error, "conf/vigie.toml:5: unknown key `passwort_file`: did you mean `password_file`?");
    assert!(load("[acount]\n", &[]).unwrap_err().contains("did you mean `account`?"));
}

#[test]
fn a_missing_key_names_the_line_of_its_table() {
    let error = load("\n[[account]]\nid = \"a\"\nhost = \"h\"\n", &[]).unwrap_err();
    assert_eq!(error, "conf/vigie.toml:2: missing field `user`");
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "[archive]\npath = \"here\"\nraw = \"never\"\n";
    let loaded = load(text, &[("VIGIE_ARCHIVE__PATH", "there"), ("VIGIE_INGEST__ENABLED", "false")]).unwrap();
    assert_eq!(loaded.config.archive.path, Path::new("there"));
    assert_eq!(loaded.config.archive.raw, RawPolicy::Never);
    assert!(!loaded.config.ingest.enabled);
}

#[test]
fn a_wrong_variable_is_named() {
    let error = load("", &[("VIGIE_ARCHIVE__PAHT", "x")]).unwrap_err();
    assert_eq!(error, "environment variable VIGIE_ARCHIVE__PAHT: unknown key `paht`: did you mean `path`?");
    let error = load("", &[("VIGIE_ARCHIVE__MIN_FREE", "much")]).unwrap_err();
    assert!(error.starts_with("environment variable VIGIE_ARCHIVE__MIN_FREE: `much` is no size"), "{error}");
    assert!(load("", &[("VIGIE_CONFIG", "x"), ("VIGIE_LIFELINE", "1")]).is_ok());
}

#[test]
fn sizes_are_read_as_people_write_them() {
    for (text, bytes) in [("512", 512), ("64KiB", 65_536), ("16 MiB", 16 << 20), ("1GB", 1_000_000_000)] {
        assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
    }
    for text in ["", "MiB", "-1", "1.5GiB", "99999999999TiB", "1XB"] {
        assert!(text.parse::<Size>().is_err(), "{text}");
    }
    assert_eq!(Size(1 << 30).to_string(), "1.0 GiB");
    assert_eq!(Size(1536).to_string(), "1.5 KiB");
    assert_eq!(Size(3).to_string(), "3 B");
}

#[test]
fn durations_are_read_as_people_write_them() {
    for (text, millis) in [("500ms", 500), ("20s", 20_000), ("5 min", 300_000), ("1h30m", 5_400_000)] {
        assert_eq!(text.parse(), Ok(Duration(time::Duration::from_millis(millis))), "{text}");
    }
    for text in ["", "20", "-1s", "soon", "99999999999999999999s"] {
        assert!(text.parse::<Duration>().is_err(), "{text}");
    }
    assert_eq!(Duration(time::Duration::from_secs(90)).to_string(), "1m 30s");
}

#[test]
fn a_service_says_what_it_needs_and_gets() {
    let text = "[supervisor]\nstop_budget = \"8s\"\ngive_up = \"exit\"\n[ingest]\nneeds = [\"worker\"]\n\
        [[service]]\nid = \"worker\"\ncommand = [\"w\"]\nnotify = true\nenvironment = { A = \"b\" }\n";
    let config = load(text, &[]).unwrap().config;
    assert_eq!(config.supervisor.stop_budget, Duration(time::Duration::from_secs(8)));
    assert_eq!(config.supervisor.give_up, GiveUp::Exit);
    assert_eq!(config.ingest.needs.first().unwrap().get_ref(), "worker");
    let worker = config.service.first().unwrap().get_ref();
    assert!(worker.notify && worker.enabled && worker.needs.is_empty());
    assert_eq!(worker.environment.get("A").map(String::as_str), Some("b"));
    let error = load("[supervisor]\nstop_budget = \"soon\"\n", &[]).unwrap_err();
    assert!(error.starts_with("conf/vigie.toml:2: `soon` is no length of time"), "{error}");
}

#[test]
fn a_password_never_shows_in_debug() {
    let text = "[[account]]\nid = \"a\"\nhost = \"h\"\nuser = \"u\"\npassword = \"canary\"\n";
    let loaded = load(text, &[]).unwrap();
    let account = loaded.config.account.first().unwrap();
    assert_eq!(account.get_ref().password.as_ref().unwrap().expose_secret(), "canary");
    assert!(!format!("{:?}", loaded.config).contains("canary"));
    let unquoted = "[[account]]\nid = \"a\"\nhost = \"h\"\nuser = \"u\"\npassword = 12345678\n";
    let error = load(unquoted, &[]).unwrap_err();
    assert_eq!(error, "conf/vigie.toml:5: invalid type: integer: expected a string");
}

/// Every file in `config/` parses, and `vigie.toml` there names every key.
#[test]
fn the_shipped_configuration_is_complete() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let mut seen = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            Loaded::parse(&path, text, []).unwrap();
            seen += 1;
        }
    }
    assert!(seen >= 2, "{seen} files in {}", folder.display());

    let commented = std::fs::read_to_string(folder.join("vigie.toml")).unwrap();
    let uncommented: String = commented
        .lines()
        .map(|line| line.strip_prefix("#").filter(|rest| !rest.starts_with([' ', '-'])).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    Loaded::parse(Path::new("vigie.toml"), uncommented.clone(), [])
        .unwrap_or_else(|e| panic!("{e}\n{uncommented}"));
    let schema = schemars::schema_for!(Config).to_value();
    let mut keys = Vec::new();
    collect_keys(&schema, &mut keys);
    assert!(keys.len() > 30, "{keys:?}");
    for key in keys {
        let named = uncommented.lines().any(|l| {
            let l = l.trim_start();
            l.strip_prefix(key.as_str()).is_some_and(|rest| rest.trim_start().starts_with('='))
                || l.trim_matches(['[', ']']).rsplit('.').next() == Some(key.as_str())
        });
        assert!(named, "config/vigie.toml does not show `{key}`");
    }
}

fn collect_keys(schema: &serde_json::Value, keys: &mut Vec<String>) {
    match schema {
        serde_json::Value::Object(map) => {
            if let Some(serde_json::Value::Object(properties)) = map.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            map.values().for_each(|v| collect_keys(v, keys));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|v| collect_keys(v, keys)),
        _ => {}
    }
}
