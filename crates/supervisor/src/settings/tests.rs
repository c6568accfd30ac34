//! What is accepted, and how it is refused.

use super::*;

fn settings(text: &str) -> Result<Settings, String> {
    let loaded =
        Loaded::parse(Path::new("/conf/vigie.toml"), text.to_owned(), []).map_err(|e| e.to_string())?;
    Settings::from_config(&loaded).map_err(|e| e.to_string())
}

fn service(id: &str, rest: &str) -> String {
    format!("[[service]]\nid = \"{id}\"\ncommand = [\"run-{id}\"]\n{rest}\n")
}

#[test]
fn without_a_word_it_runs_ingest_and_metrics() {
    let settings = settings("").unwrap();
    let commands: Vec<String> = settings.services.iter().map(|s| s.command.join(" ")).collect();
    assert_eq!(
        commands,
        ["vigie-ingest run --config /conf/vigie.toml", "vigie-metrics run --config /conf/vigie.toml"]
    );
    assert_eq!(settings.run_folder(), Path::new("/conf/run"));
    assert_eq!(settings.stop_budget, Duration::from_secs(20));
    let probes: Vec<_> = settings.services.iter().map(|s| s.probe.unwrap().to_string()).collect();
    assert_eq!(probes, ["127.0.0.1:2814", "127.0.0.1:2813"]);
}

#[test]
fn services_come_first_and_the_disabled_not_at_all() {
    let text = format!(
        "[ingest]\nneeds = [\"mailbox\"]\nlisten = \"\"\n[metrics]\nenabled = false\n{}{}",
        service("mailbox", "notify = true\nworking_directory = \"box\""),
        service("idle", "enabled = false")
    );
    let settings = settings(&text).unwrap();
    let ids: Vec<&str> = settings.services.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["mailbox", "ingest"]);
    let [mailbox, ingest] = &settings.services[..] else { panic!() };
    assert!(mailbox.notify);
    assert_eq!(mailbox.working_directory, Path::new("/conf/box"));
    assert_eq!(ingest.needs, ["mailbox"]);
    assert_eq!(ingest.probe, None);
}

#[test]
fn ingest_gets_every_secret_that_its_accounts_name() {
    let text = "[[account]]\nid = \"a\"\nuser = \"u\"\npassword_env = \"A\"\n[[account]]\nid = \"b\"\nuser = \"u\"\n[account.oauth2]\nprovider = \"google\"\nclient_secret_env = \"B\"\n";
    let secrets: Vec<_> = settings(text).unwrap().services.into_iter().map(|s| s.secrets).collect();
    assert_eq!(secrets, [vec!["A".to_owned(), "B".to_owned()], vec![]]);
}

#[test]
fn an_address_for_all_is_probed_by_loopback() {
    assert_eq!(probe("0.0.0.0:2813").unwrap().to_string(), "127.0.0.1:2813");
    assert_eq!(probe("[::]:2813").unwrap().to_string(), "[::1]:2813");
    assert_eq!(probe("localhost:2813").unwrap().to_string(), "127.0.0.1:2813");
    assert_eq!(probe("127.0.0.1:0"), None);
}

#[test]
fn faults_name_their_place() {
    let cases = [
        (service("Worker", ""), "/conf/vigie.toml:1: service Worker: an id is 1 to 32"),
        (service("stream", ""), "/conf/vigie.toml:1: service stream: the id is taken"),
        (
            service("a", "") + &service("a", "enabled = false"),
            "/conf/vigie.toml:5: service a: another service has the same id",
        ),
        (
            service("worker", "") + &service("b", "needs = [\"wroker\"]"),
            "/conf/vigie.toml:8: service b needs `wroker`: did you mean `worker`?",
        ),
        (
            service("a", "needs = [\"b\"]") + &service("b", "needs = [\"a\"]"),
            "/conf/vigie.toml:4: service a needs itself",
        ),
        (service("a", "needs = [\"a\"]"), "/conf/vigie.toml:4: service a needs itself"),
        (
            "[ingest]\nneeds = [\"nothing-here\"]\n".into(),
            "/conf/vigie.toml:2: service ingest needs `nothing-here`",
        ),
        ("[[service]]\nid = \"a\"\ncommand = []\n".into(), "/conf/vigie.toml:1: service a: command is empty"),
        (
            service("a", "environment = { \"A=B\" = \"c\" }"),
            "/conf/vigie.toml:1: service a: environment: `A=B` is no variable",
        ),
    ];
    for (text, expected) in cases {
        let error = settings(&text).unwrap_err();
        assert!(error.starts_with(expected), "{error}\nnot: {expected}");
    }
}

#[test]
fn a_socket_that_the_kernel_would_not_take_is_refused_before_anything_starts() {
    let longest = format!("/{}", "s".repeat(106));
    settings(&format!("[supervisor]\nsocket = \"{longest}\"\n")).unwrap();
    let error = settings(&format!("[supervisor]\nsocket = \"{longest}s\"\n")).unwrap_err();
    assert!(error.contains("[supervisor] socket: ") && error.contains("107"), "{error}");
}

#[test]
fn a_stop_goes_from_those_whom_nobody_needs() {
    let needs = |id: &str, needs: &[&str]| (id.to_owned(), needs.iter().map(|&n| n.to_owned()).collect());
    let services = [needs("a", &[]), needs("b", &["a"]), needs("c", &["a", "b"]), needs("d", &[])];
    assert_eq!(layers(&services), [vec!["c", "d"], vec!["b"], vec!["a"]]);
}
