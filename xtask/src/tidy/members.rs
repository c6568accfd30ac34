//! Which crate may stand on which: dependencies point one way, and no binary stands on a binary.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Violation;

/// A member, and the members it may depend on. For tests, anybody may depend on the testkit as well.
const MAY: [(&str, &[&str]); 8] = [
    ("vigie-archive", &["vigie-common"]),
    ("vigie-common", &[]),
    ("vigie-ingest", &["vigie-archive", "vigie-common", "vigie-web"]),
    ("vigie-metrics", &["vigie-archive", "vigie-common", "vigie-web"]),
    ("vigie-supervisor", &["vigie-common", "vigie-web"]),
    ("vigie-testkit", &["vigie-common"]),
    ("vigie-web", &["vigie-common"]),
    ("xtask", &[]),
];
const FOR_TESTS: &str = "vigie-testkit";

/// Checks what `cargo metadata` tells of the members.
pub(super) fn check(metadata: &Value, root: &Path) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    for package in list(metadata, "packages") {
        let manifest = text(package, "manifest_path").context("a package without a manifest")?;
        let file =
            Path::new(manifest).strip_prefix(root).unwrap_or(Path::new(manifest)).display().to_string();
        let content = fs::read_to_string(manifest).with_context(|| format!("cannot read {manifest}"))?;
        for (dependency, advice) in forbidden(package) {
            let line = content.lines().position(|line| line.starts_with(&dependency)).map_or(1, |at| at + 1);
            found.push(Violation::new(&file, line, advice));
        }
    }
    Ok(found)
}

/// The dependencies of a package on members that it may not stand on, and what to do about each.
fn forbidden(package: &Value) -> Vec<(String, String)> {
    let name = text(package, "name").unwrap_or_default();
    let Some((_, may)) = MAY.iter().find(|(member, _)| *member == name) else {
        let advice = format!("`{name}` has no place in the house yet: add it to xtask/src/tidy/members.rs");
        return vec![("name".into(), advice)];
    };
    let mut found = Vec::new();
    for dependency in list(package, "dependencies") {
        // Only members have a path.
        let Some(on) =
            text(dependency, "name").filter(|_| dependency.get("path").is_some_and(Value::is_string))
        else {
            continue;
        };
        // A crate that names itself turns a feature of its own on for its tests.
        let for_tests =
            text(dependency, "kind") == Some("dev") && (on == name || (on == FOR_TESTS && name != "xtask"));
        if !may.contains(&on) && !for_tests {
            let allowed = if may.is_empty() { "no other member".into() } else { may.join(", ") };
            found.push((
                on.to_owned(),
                format!(
                    "`{name}` depends on `{on}`, but may only on {allowed}: move what both need below both"
                ),
            ));
        }
    }
    found
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn on(name: &str, dependency: &str, kind: Option<&str>) -> usize {
        let path = format!("crates/{dependency}");
        let dependencies = json!([
            { "name": dependency, "kind": kind, "path": path },
            { "name": "anyhow", "kind": null, "source": "registry" },
        ]);
        forbidden(&json!({ "name": name, "dependencies": dependencies })).len()
    }

    #[test]
    fn dependencies_point_one_way() {
        assert_eq!(on("vigie-ingest", "vigie-archive", None), 0);
        assert_eq!(on("vigie-archive", "vigie-ingest", None), 1);
        assert_eq!(on("vigie-metrics", "vigie-ingest", None), 1);
        assert_eq!(on("vigie-metrics", "vigie-ingest", Some("dev")), 1);
        assert_eq!(on("vigie-ingest", "vigie-testkit", Some("dev")), 0);
        assert_eq!(on("vigie-ingest", "vigie-testkit", None), 1);
        assert_eq!(on("vigie-archive", "vigie-archive", Some("dev")), 0);
        assert_eq!(on("xtask", "vigie-common", None), 1);
    }

    #[test]
    fn a_new_member_needs_a_place() {
        assert_eq!(forbidden(&json!({ "name": "vigie-new", "dependencies": [] })).len(), 1);
    }
}
