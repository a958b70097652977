//! `docs/configuration.md` and the sample against what is read.

use std::collections::BTreeSet;

use super::*;

const DOCS: &str = include_str!("../../../../../docs/configuration.md");

/// Key and default of each row of the document's tables, the default as TOML.
fn documented() -> Vec<(&'static str, Option<&'static str>)> {
    let rows = DOCS.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    let quoted = |cell: &'static str| cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
    cells.filter(|cells| cells.len() == 5).map(|cells| (quoted(cells[0]).unwrap(), quoted(cells[2]))).collect()
}

/// Every key the reader asks for, as told by the refusal of a key that is nowhere known.
fn known() -> BTreeSet<String> {
    let tables = [
        "",
        "server.",
        "server.tls.",
        "log.",
        "ledger.",
        "traffic.",
        "insurer.",
        "documents.",
        "outbox.",
        "console.",
        "console.oidc.",
        "console.oidc.roles.",
        "channels.",
    ]
    .map(str::to_owned);
    let channels = CHANNELS.iter().map(|channel| format!("channels.{}.", channel.name()));
    let methods = CHANNELS.iter().map(|channel| format!("channels.{}.methods.", channel.name()));
    let lines = tables.into_iter().chain(channels).chain(methods).map(|table| format!("{table}zzzzzzzzz = 1\n"));
    let text = format!(
        "{}[[partner]]\nzzzzzzzzz = 1\n[[platform]]\nzzzzzzzzz = 1\n[[policy_source]]\nzzzzzzzzz = 1\n[[product]]\nzzzzzzzzz = 1\n[[api_token]]\nzzzzzzzzz = 1\n[[webhook]]\nzzzzzzzzz = 1\n",
        lines.collect::<String>()
    );
    let mut keys = BTreeSet::new();
    let mut sections = BTreeSet::from([String::new()]);
    let ConfigError::Invalid { problems, .. } = parse(&text).unwrap_err() else { panic!("no problems") };
    for problem in &problems {
        let section = problem.key.as_ref().unwrap().strip_suffix("zzzzzzzzz");
        let (Some(section), Some((_, listed))) = (section, problem.message.split_once("expected one of ")) else {
            continue;
        };
        keys.extend(listed.split(", ").map(|key| format!("{section}{key}")));
        sections.insert(section.trim_end_matches('.').to_owned());
    }
    keys.retain(|key| !sections.contains(key));
    keys
}

/// Every key of the sample, those in comments included.
fn sampled() -> BTreeSet<String> {
    let options = SampleOptions::new("127.0.0.1:8080", "1", "s").unwrap();
    let mut section = String::new();
    let mut keys = BTreeSet::new();
    for line in sample(&options).lines() {
        let is_key =
            |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'));
        let line = line.trim_start_matches("# ");
        if line.starts_with('[') && line.ends_with(']') {
            section = line.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| is_key(key)) {
            keys.insert(format!("{section}.{key}"));
        }
    }
    keys
}

#[test]
fn sample_and_document_have_every_key_and_no_other() {
    let known = known();
    assert!(known.contains("server.listen") && known.contains("channels.qimen.methods.policy-issuing"), "{known:?}");
    let documented: BTreeSet<String> = documented().iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(documented, known);
    assert_eq!(sampled(), known);
}

#[test]
fn the_documents_defaults_are_the_defaults() {
    let minimal = parse(MINIMAL).unwrap();
    let with_provider = parse(&format!("{OIDC}{MINIMAL}")).unwrap();
    let defaults: Vec<_> = documented().into_iter().filter_map(|(key, default)| Some((key, default?))).collect();
    assert!(defaults.len() > 15, "{defaults:?}");
    for (key, default) in defaults {
        let (section, name) = key.rsplit_once('.').unwrap();
        let header = format!("[[{section}]]\n");
        let text = if section == "platform" {
            format!("{MINIMAL}{PLATFORM}{name} = {default}\n")
        } else if section == "webhook" {
            format!("{MINIMAL}{WEBHOOK}{name} = {default}\n")
        } else if section == "console.oidc" {
            format!("{OIDC}{name} = {default}\n{MINIMAL}")
        } else if MINIMAL.contains(&header) {
            MINIMAL.replace(&header, &format!("{header}{name} = {default}\n"))
        } else if section == "insurer" {
            MINIMAL.replace("[insurer]\n", &format!("[insurer]\n{name} = {default}\n"))
        } else {
            format!("[{section}]\n{name} = {default}\n{MINIMAL}")
        };
        let config = parse(&text).unwrap();
        assert_eq!(config.server, minimal.server, "{key}");
        assert_eq!(config.log, minimal.log, "{key}");
        assert_eq!(config.ledger, minimal.ledger, "{key}");
        assert_eq!(config.traffic, minimal.traffic, "{key}");
        assert_eq!(config.insurer, minimal.insurer, "{key}");
        assert_eq!(config.partners, minimal.partners, "{key}");
        // A platform makes its partner one that can be told something.
        if section != "platform" {
            assert_eq!(config.catalogue, minimal.catalogue, "{key}");
        }
        assert_eq!(config.outbox, minimal.outbox, "{key}");
        let console = if section == "console.oidc" { &with_provider.console } else { &minimal.console };
        assert_eq!(&config.console, console, "{key}");
        if section == "platform" {
            let with_platform = parse(&format!("{MINIMAL}{PLATFORM}")).unwrap();
            assert_eq!(
                (config.platforms, config.catalogue),
                (with_platform.platforms, with_platform.catalogue),
                "{key}"
            );
        }
        if section == "webhook" {
            assert_eq!(config.webhooks, parse(&format!("{MINIMAL}{WEBHOOK}")).unwrap().webhooks, "{key}");
        }
        if section.starts_with("channels.") {
            let method = default.trim_matches('"');
            assert!(minimal.access.interface_of_method(method).is_some(), "{key}");
        }
    }
}

#[test]
fn the_documents_example_of_errors_is_what_is_told() {
    let block = |start: &str| DOCS.split(start).nth(1).unwrap().split("```").next().unwrap();
    let broken = block("<!-- broken -->\n```toml\n");
    let error = Config::parse(Path::new("baoqiao.toml"), broken, &env).unwrap_err();
    assert_eq!(block("<!-- told -->\n```text\n").trim_end(), error.to_string());
}
